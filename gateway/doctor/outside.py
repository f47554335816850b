"""Those outside who confirm the log: does each of them answer, today?"""

from collections.abc import Iterator

import httpx

from gateway.clock import Clock
from gateway.doctor.finding import Finding, Level
from gateway.evidence.errors import TimestampError, WitnessError
from gateway.evidence.outsiders import Authority, Outsiders
from gateway.evidence.timestamps import TimestampClient
from gateway.evidence.witnesses import WitnessClient
from ipx.errors import NoteError
from ipx.note import NoteKey

STAMPED = "ipx-gateway doctor: is anybody there?"
"""What the authority is asked to stamp: nothing of the log, for such a stamp serves nobody."""


def witnesses(outsiders: Outsiders, log: NoteKey, clock: Clock, http: httpx.Client) -> Iterator[Finding]:
    """Ask each witness what it cosigned last of the log."""
    found = [_witness(WitnessClient(one, http, clock), log) for one in outsiders.witnesses]
    answering = sum(one.level is Level.OK for one in found)
    for one in found:
        if one.level is Level.ERROR and answering >= outsiders.quorum:
            yield Finding(one.check, Level.WARNING, one.found + "; enough others answer", one.remedy)
        else:
            yield one


def authority(configured: Authority, clock: Clock, http: httpx.Client) -> Finding:
    """Have the time-stamp authority stamp something, and judge the stamp as an auditor will."""
    name = "time-stamp authority"
    try:
        stamp = TimestampClient(configured, http, clock).stamp(STAMPED)
    except TimestampError as error:
        return Finding(
            name, Level.ERROR, str(error),
            "see IPX_TSA_URL, IPX_TSA_ROOTS and IPX_TSA_POLICY: new exchanges stop after IPX_EVIDENCE_OVERDUE_HOURS",
        )  # fmt: skip
    return Finding(name, Level.OK, f"stamps; its clock is {abs(stamp.offset_seconds):.1f} s from this machine's")


def _witness(client: WitnessClient, log: NoteKey) -> Finding:
    name = f"witness {client.witness.key.name}"
    try:
        last = client.shown(log)
    except (WitnessError, NoteError) as error:
        return Finding(
            name, Level.ERROR, str(error),
            "tell those who run it; see its address in IPX_WITNESSES and whether this machine may reach it",
        )  # fmt: skip
    if last is None:
        return Finding(
            name, Level.ERROR, "it has cosigned nothing of this log",
            "have its operators enter this log's key, which `ipx-gateway log keys` prints, in IPX_WITNESSED_LOGS",
        )  # fmt: skip
    return Finding(name, Level.OK, f"it has cosigned {last.size} leaves")
