"""`ipx audit show|export|verify`: one exchange, a file of what was found, and evidence that holds offline."""

from pathlib import Path
from typing import Final, Literal

import click

from ipx import evidence
from ipx.auditing import Auditor, Kind
from ipx.commands.audit_lists import filters, national, objects, wanted
from ipx.commands.connection import Connection, connection_options, trust_of, trust_option
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.commands.trouble import CommandError
from ipx.errors import EvidenceError
from ipx.jws import Json
from ipx.problems import UnprovenError
from ipx.waiting import utc_now

FAILED = 1


@click.command("show")
@click.argument("exchange", metavar="ID")
@connection_options
@national
@json_option
def show(*, exchange: str, connection: Connection, national: bool, as_json: bool) -> None:
    """Open one exchange: what was asked and why, how it ended, and whether its log entry is proved now.

    \b
    Exit status: 0 its entry is proved · 1 it is not
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        found = Auditor(client, is_national=national).exchange(exchange)
    proof = found.get("proof")
    holds = isinstance(proof, dict) and proof.get("holds") is True
    if as_json:
        print_json(found)
    else:
        for line in _told(found):
            click.echo(line)
    if not holds:
        raise click.exceptions.Exit(FAILED)


@click.command("export")
@connection_options
@click.option("--decisions", "kind", flag_value="decisions", help="Decisions instead of exchanges.")
@click.option("--acts", "kind", flag_value="acts", help="Acts instead of exchanges.")
@click.option("--sign-ins", "kind", flag_value="sign-ins", help="Sign-ins instead of exchanges.")
@click.option("--recalls", "kind", flag_value="recalls", help="Recalls instead of exchanges.")
@filters("exchanges")
@national
@click.option(
    "--agency", metavar="AGENCY", help="With --acts: done by it or to what is its own; with --sign-ins: its people."
)
@click.option("--actor", metavar="NAME", help="With --acts: done by this person or system.")
@click.option("--act", metavar="WORD", help="With --acts: this act, or all of one kind.")
@click.option("--subject", metavar="NAME", help="With --acts: done to this.")
@click.option("--addressee", metavar="AGENCY", help="With --recalls: of which this agency was told.")
@click.option(
    "--kind", "of_kind", metavar="WORD", help="With --recalls: corrected, sealed, unsealed, recalled or erased."
)
@click.option("--state", metavar="WORD", help="With --recalls: open, overdue, acknowledged, disputed or told.")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the file goes.")
def export(
    *,
    connection: Connection,
    kind: Kind | None,
    of_kind: str | None,
    national: bool,
    form: Literal["csv", "ndjson"],
    out: Path,
    **given: str | None,
) -> None:
    """Take all that is found as a file, however many there are. The gateway notes in its log that you did.

    \b
    Example: every recall of this year that somebody has not acknowledged in time
      ipx audit export --gateway https://gw.example --client customs-xa.audit --key audit.jwk \\
          --recalls --state overdue --since 2026-01-01 --out overdue.csv
    """  # noqa: D301  (click wants the character \b itself)
    kind, unfinished = kind or "exchanges", out.with_name(f"{out.name}.part")
    try:
        with connection.client(None) as client, unfinished.open("wb") as file:
            Auditor(client, is_national=national).export(kind, wanted({**given, "kind": of_kind}), form, file)
        unfinished.replace(out)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}", "Choose another --out.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    click.echo(f"{kind} are in {out} ({out.stat().st_size} bytes).")


@click.command("verify")
@click.argument("exchange", metavar="ID")
@connection_options
@national
@trust_option("The trust file that you pinned.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the bundle goes.")
@click.option("--asice", is_flag=True, help="An ASiC-E container for courts: the same files, signed (CAdES).")
def verify(*, exchange: str, connection: Connection, national: bool, trust_path: Path, out: Path, asice: bool) -> None:
    """Take the evidence of one exchange out, and verify it here, offline.

    \b
    Exit status: 0 it holds · 1 it does not; what came is kept beside --out for whoever looks into it
    """  # noqa: D301  (click wants the character \b itself)
    trust = trust_of(trust_path)
    if trust is None:
        raise AssertionError("--trust is required")
    with connection.client(None) as client:
        try:
            data = Auditor(client, is_national=national).bundle(exchange, None if asice else trust, asice=asice)
        except UnprovenError as error:
            _write(out.with_suffix(".refused"), error.raw)
            raise
    _write(out, data)
    try:
        report = evidence.verify(data, trust, now=utc_now())
    except EvidenceError as error:
        raise CommandError(f"{out} does not hold: {error}", "Keep the file, and ask who runs the gateway.") from error
    click.echo(f"The evidence of {printable(exchange)} is in {out} and holds: {report.outcome}.")
    click.echo(f"Check it again at any time: ipx verify {out} --trust {trust_path}")


def _told(found: dict[str, Json]) -> list[str]:
    request, receipt = found.get("request"), found.get("receipt")
    asked = request if isinstance(request, dict) else {}
    told = receipt if isinstance(receipt, dict) else {}
    proof, related = found.get("proof"), found.get("related")
    rows = [
        ("exchange", str(found["id"])),
        ("received", str(found["received_at"])),
        ("from", f"{found['requester']}, by {found['client']}"),
        ("to", str(found["holder"])),
        ("asked for", str(asked.get("record") or f"records of type {found['record_type']}")),
        ("why", f"{found['purpose']}; {asked.get('legal_basis', 'legal basis erased')}"),
        ("case", str(asked.get("case_ref", "none"))),
        ("outcome", str(found["outcome"]) + (f" ({found['reason']})" if found.get("reason") else "")),
    ]
    released = found.get("released")
    if isinstance(released, list):
        rows.append(("released", ", ".join(map(str, released))))
    withheld = told.get("withheld")
    rows += [
        ("withheld", f"{item.get('group')}: {item.get('reason')}, {item.get('policy') or 'no permit'}")
        for item in objects(withheld)
    ]
    rows += [
        ("officer", f"{one['at']}  {one.get('officer') or 'of the holder'}  {one['verdict']}: {one['approval']}")
        for one in objects(found.get("verdicts"))
    ]
    timing = found.get("timing_ms")
    if isinstance(timing, dict):
        rows.append(("time", ", ".join(f"{stage} {spent} ms" for stage, spent in timing.items())))
    if isinstance(proof, dict):
        holds = f"proved at leaf {proof['index']} of {proof['size']}" if proof["holds"] else f"NOT: {proof['problem']}"
        rows.append(("log entry", holds))
    rows += [
        (f"same {one['because']}", f"{one['received_at']}  {one['id']}  {one['outcome']}") for one in objects(related)
    ]
    rows += [("looked at", f"{one['at']}  {one['actor']}  {one['act']}") for one in objects(found.get("looked_at"))]
    return table(rows)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", "Choose another --out.") from error


COMMANDS: Final = (show, export, verify)
