"""The examination, in the order in which parts rest on each other. Changes nothing on purpose.

It builds the services as a start does, so what would refuse a start is found here, in the start's own words.
"""

import resource
from collections.abc import Iterator

import httpx

from gateway.beats import SILENT
from gateway.clock import Clock, utc_now
from gateway.db.engine import Database
from gateway.doctor import outside, stores, surroundings
from gateway.doctor.finding import Finding, Level
from gateway.errors import GatewayError
from gateway.evidence.state import Confirmation
from gateway.exchange.failing_holders import failing_holders
from gateway.keywrap import KeyWrapError
from gateway.settings import Settings, read_settings
from gateway.wiring import Services, build, own_signers, read_outsiders


def examine(clock: Clock = utc_now) -> Iterator[Finding]:
    """Look at everything that can be looked at; what rests on a failing part is left out."""
    try:
        settings = read_settings()
        signers = own_signers(settings)
    except GatewayError as error:
        yield Finding("settings and keys", Level.ERROR, str(error), "set what is named; docs/settings.md says how")
        return
    held = "with the trust key" if signers.trust else "the trust key is kept offline"
    yield Finding("settings and keys", Level.OK, held)
    yield surroundings.proxy(settings)
    yield from surroundings.certificates(settings, clock())
    yield from surroundings.presented(settings.origin, clock())
    yield surroundings.descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield surroundings.times(settings)
    yield surroundings.apart(settings)
    yield from surroundings.disks(settings)
    database = Database(settings.database_url, pool_size=1)
    try:
        kept = [*stores.store(database, settings, clock), stores.replay(settings, database)]
    finally:
        database.dispose()
    yield from kept
    if max(found.level for found in kept) is not Level.ERROR:
        yield from _running(settings, clock)


def _running(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        services = build(settings, clock=clock)
    except KeyWrapError as error:
        yield Finding(
            "key-encryption key", Level.ERROR, str(error),
            "set IPX_KEY_ENCRYPTION_KEY to the one that `keys rewrap` changed to last; docs/operators.md, Rotate keys",
        )  # fmt: skip
        return
    except GatewayError as error:
        yield Finding(
            "log", Level.ERROR, str(error), "keep everything as it is; docs/operators.md, Back up and restore"
        )
        return
    try:
        yield Finding("log", Level.OK, "continues what was published")
        yield from running(services, clock)
    except GatewayError as error:
        yield Finding("services", Level.ERROR, str(error), "see the part that is named; GET /health tells more")
    finally:
        services.close()


def running(services: Services, clock: Clock) -> Iterator[Finding]:
    """Judge what only running services can tell: background work, those outside who confirm the log, sources."""
    services.replay.sweep(clock())
    newest = next(iter(services.beats.all()), None)
    if newest is None or newest.at < clock() - SILENT:
        said = f"last heard of at {newest.at:%Y-%m-%d %H:%M}" if newest else "none was ever heard of"
        yield Finding("background work", Level.WARNING, said, "start `ipx-gateway serve` or `ipx-gateway worker`")
    else:
        yield Finding("background work", Level.OK, f"{newest.node} lives")
    standing = services.evidence_state.look()
    good = standing.state is Confirmation.CURRENT
    bad = standing.state in {Confirmation.OVERDUE, Confirmation.CONTRADICTED}
    yield Finding(
        "witnesses and time-stamps",
        Level.OK if good else Level.ERROR if bad else Level.WARNING,
        services.evidence_state.banner() or "current",
        "" if good else "`ipx-gateway log state` says who does what instead; docs/evidence.md",
    )
    outsiders = read_outsiders(services.settings)
    with httpx.Client() as http:
        yield from outside.witnesses(outsiders, services.log.key, clock, http)
        if outsiders.authority is not None:
            yield outside.authority(outsiders.authority, clock, http)
    yield stores.seals(services.database, services.settings, clock())
    failing = [one.source for one in services.intake.following.failing()]
    if failing:
        yield Finding("sources", Level.WARNING, f"failing: {', '.join(failing)}", "see `ipx-gateway source status`")
    else:
        yield Finding("sources", Level.OK, "none fails")
    silent = failing_holders(services.database, clock())
    if silent:
        yield Finding(
            "holders", Level.WARNING, f"their systems fail: {', '.join(silent)}",
            "see `ipx-gateway source health` and the reasons of failed exchanges; tell the holder's operators",
        )  # fmt: skip
    else:
        yield Finding("holders", Level.OK, "none has failed in the last ten minutes without a release since")
