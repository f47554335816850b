"""`ipx-gateway source`."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from connectors.dry_run import FieldGroups, Unusable, dry_run
from connectors.dry_run_page import render
from connectors.errors import SourceFileError
from connectors.fault_play import play, render_played
from connectors.mapping_packs import shipped
from connectors.source_file import read_source
from connectors.template import template
from gateway.agencies.sources import parsed
from gateway.commands.context import actor, json_option, reported, services, show
from gateway.commands.coverage import coverage
from gateway.errors import UnknownError
from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code_table, table_names
from gateway.records.consistency import Compared, inconsistencies
from gateway.settings import secrets_in_environment, variables_in_environment
from gateway.wiring import mapping_tools

COLUMNS = ("name", "holder", "record type", "state", "sha256")
HEALTH_COLUMNS = (
    "source",
    "state",
    "lag",
    "last run",
    "last success",
    "failure",
    "quarantined",
    "breaker",
    "quota",
    "note",
)

STATUS_COLUMNS = (
    "source",
    "state",
    "every",
    "last run",
    "next run",
    "last success",
    "lag",
    "failure",
    "mapped",
    "deleted",
    "quarantined",
    "waiting",
)


@click.group("source")
def source_group() -> None:
    """Data sets that agencies hold, each behind a connector that its source file describes."""


source_group.add_command(coverage)


@source_group.command("test")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--show", "shown", default=5, show_default=True, help="How many mapped records to print.")
@click.option("--personal", is_flag=True, help="Print personal values instead of dots.")
@click.option("--fault", "faults", multiple=True, help="Play a fault to an API source instead: 403, cut …, or all.")
@reported
def test_source(file: Path, shown: int, faults: tuple[str, ...], *, personal: bool) -> None:
    """Try a source file without writing anything: counts, mapped records, every rejected record with its reason.

    Needs no server, no database and no registration. Exit status: 0 clean, 1 something was quarantined, 2 the file or
    the way to the source is wrong.

    Example: IPX_SOURCES=/data ipx-gateway source test trademarks.yaml
    """
    if faults:
        _play(file, list(faults))
    outcome = dry_run(
        file.read_text("utf-8"),
        secrets=secrets_in_environment(),
        variables=variables_in_environment(),
        tools=mapping_tools(),
        groups=_field_groups,
        show=shown,
    )
    click.echo(render(outcome, personal=personal))
    sys.exit(outcome.exit_code)


@source_group.command("compare")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--records", "most", default=20_000, show_default=True, help="Of each source, at most.")
@json_option
@reported
def compare_sources(files: tuple[Path, ...], most: int, *, as_json: bool) -> None:
    """Hold the records of some sources against each other: what each may be right in itself and does not fit another.

    Finds broken chains of title, licences by others than the owner, recordals that overlap, that ran out before goods
    were stopped or whose owner the register calls otherwise, one work registered twice, one number under two names, and
    more (docs/sources.md). Writes nothing and refuses nothing: which of two records is wrong, it cannot tell.

    Exit status: 0 nothing found, 1 something was, 2 a file or the way to a source is wrong.

    Example: IPX_SOURCES=/data ipx-gateway source compare trademarks.yaml assignments.yaml recordals.yaml
    """
    compared: list[Compared] = []
    for file in files:
        name, record_type = file.stem, read_source(file.read_text("utf-8"), shipped).record_type
        before = len(compared)
        outcome = dry_run(
            file.read_text("utf-8"),
            secrets=secrets_in_environment(),
            variables=variables_in_environment(),
            tools=mapping_tools(),
            show=0,
            records_max=most,
            each=lambda key, fields, name=name, kind=record_type: compared.append(  # type: ignore[misc]
                Compared(f"{name} {key}", kind, fields)
            ),
        )
        if isinstance(outcome, Unusable):
            click.echo(render(outcome, personal=False))
            sys.exit(outcome.exit_code)
        more = "; there are more" if outcome.stopped else ""
        left = f", {len(outcome.quarantined)} rejected and left out" if outcome.quarantined else ""
        click.echo(f"{name}: {len(compared) - before} records of type {record_type}{left}{more}", err=True)
    found = inconsistencies(compared)
    show(
        (
            {"kind": one.kind, "field": one.field, "what": one.sentence, "records": ", ".join(one.records)}
            for one in found
        ),
        ("kind", "field", "what", "records"),
        as_json=as_json,
    )
    sys.exit(1 if found else 0)


def _play(file: Path, faults: list[str]) -> NoReturn:
    try:
        played = play(
            file.read_text("utf-8"),
            faults,
            secrets=secrets_in_environment(),
            variables=variables_in_environment(),
            tools=mapping_tools(),
        )
    except SourceFileError as error:
        click.echo("\n".join(f"{fault.pointer or '/'}  {fault.detail}" for fault in error.faults))
        sys.exit(2)
    click.echo(render_played(played), nl=False)
    sys.exit(0 if all(one.is_right for one in played) else 1)


def _field_groups(record_type: str) -> FieldGroups:
    known = CATALOGUE.types.get(record_type)
    if known is None:
        return FieldGroups({})
    personal = frozenset(name for name, group in known.groups.items() if group.personal)
    return FieldGroups(known.fields, personal)


@source_group.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Take the place of the source of this name.")
@reported
def add_source(file: Path, *, replace: bool) -> None:
    """Register a source file; try it with `ipx-gateway source test` first."""
    source = services().sources.add(file.read_text("utf-8"), actor=actor(), replace=replace)
    click.echo(f"source {source.name} of {source.holder} serves {source.record_type} records from now on")


@source_group.command("list")
@click.option("--holder")
@json_option
@reported
def list_sources(holder: str | None, *, as_json: bool) -> None:
    """List sources."""
    show(
        (
            {
                "name": source.name,
                "holder": source.holder,
                "record type": source.record_type,
                "state": f"suspended: {source.suspended_reason}" if source.suspended_at else "active",
                "sha256": source.sha256[:12],
            }
            for source in services().sources.sources(holder)
        ),
        COLUMNS,
        as_json=as_json,
    )


@source_group.command("show")
@click.argument("name")
@reported
def show_source(name: str) -> None:
    """Print a source file as it was registered; secrets in it are references."""
    click.echo(services().sources.source(name).text)


@source_group.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reported
def check_source(file: Path) -> None:
    """Check a source file's form without reaching for the source."""
    checked = parsed(file.read_text("utf-8"))
    click.echo(f"{checked.name}: {checked.kind} source of {checked.holder} for {checked.record_type} records; form ok")


@source_group.command("template")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Else it goes to standard output.")
@reported
def source_template(file: Path, output: Path | None) -> None:
    """Write the empty form of a source whose records people type: a workbook or a CSV header, as its file says.

    Example: ipx-gateway source template detentions.yaml --output detentions.xlsx
    """
    made = template(parsed(file.read_text("utf-8")))
    if output is None:
        sys.stdout.buffer.write(made)
        return
    output.write_bytes(made)
    click.echo(f"{output}: {len(made)} bytes")


@source_group.command("codes")
@click.argument("table", required=False)
@json_option
@reported
def source_codes(table: str | None, *, as_json: bool) -> None:
    """List the code tables that `use: [{code: TABLE}]` can name, or one table's words and what each is read from.

    Example: ipx-gateway source codes unit
    """
    if table is None:
        tables = (code_table(name) for name in table_names())
        show(
            ({"table": known.name, "words": len(known.words), "source": known.source} for known in tables),
            ("table", "words", "source"),
            as_json=as_json,
        )
        return
    if table not in table_names():
        raise UnknownError(f"there is no code table {table}; `ipx-gateway source codes` lists those that exist")
    known = code_table(table)
    read_from: dict[str, list[str]] = {word: [] for word in known.words}
    for text, word in known.texts.items():
        read_from.setdefault(word, []).append(text)
    show(
        ({"word": word, "read from": " ".join(texts)} for word, texts in read_from.items()),
        ("word", "read from"),
        as_json=as_json,
    )


@source_group.command("health")
@click.argument("name", required=False)
@json_option
@reported
def source_health(name: str | None, *, as_json: bool) -> None:
    """Show how sources are: reachable, how far behind, how much is quarantined. No record is read.

    Exit status 1 when any is down.
    """
    following = services().intake.following
    found = [following.health(one) for one in ([name] if name else following.names())]
    show(
        (
            {
                "source": health.source,
                "state": health.state,
                "lag": str(health.lag).partition(".")[0] if health.lag is not None else None,
                "last run": health.last_run,
                "last success": health.last_success,
                "failure": health.failure,
                "quarantined": health.quarantined,
                "breaker": health.breaker,
                "quota": health.quota_left,
                "note": health.note,
            }
            for health in found
        ),
        HEALTH_COLUMNS,
        as_json=as_json,
    )
    sys.exit(1 if any(health.state == "down" for health in found) else 0)


@source_group.command("follow")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--due", is_flag=True, help="Those whose file says how often, if it is time, as the server does.")
@reported
def follow_sources(names: tuple[str, ...], *, due: bool) -> None:
    """Read all that changed at sources since their last run, and quarantine what cannot be served.

    A source whose file says `freshness: {follow: PT15M}` is followed by the server itself. A run that is cut off goes
    on where it stopped. Exit status 1 when a source failed or too much of it was quarantined.

    Example: ipx-gateway source follow regulator-cases
    """
    following = services().intake.following
    if bool(names) == due:
        raise click.UsageError("name sources, or give --due")
    failed = []
    for name in following.due() if due else names:
        ran = following.run(name)
        told = "" if len(names) == 1 else f"{name}   "
        click.echo(f"{told}mapped {ran.mapped}   quarantined {ran.quarantined}   deleted {ran.deleted}")
        if ran.failure is not None:
            failed.append(f"{told}stopped: {ran.failure}; the next run goes on from here")
    if failed:
        raise click.ClickException("\n".join(failed))


@source_group.command("status")
@json_option
@reported
def source_status(*, as_json: bool) -> None:
    """Show what following sources brought, and which comes next when. No source is asked.

    Exit status 1 when one could not be followed or is behind what its file calls stale.
    """
    found = services().intake.following.status()
    show(
        (
            {
                "source": one.source,
                "state": one.state,
                "every": str(one.follow) if one.follow is not None else None,
                "last run": one.last_run,
                "next run": one.next_run,
                "last success": one.last_success,
                "lag": str(one.lag).partition(".")[0] if one.lag is not None else None,
                "failure": one.failure,
                "mapped": one.mapped,
                "deleted": one.deleted,
                "quarantined": one.quarantined,
                "waiting": one.waiting,
            }
            for one in found
        ),
        STATUS_COLUMNS,
        as_json=as_json,
    )
    sys.exit(1 if any(one.state in ("down", "stale") for one in found) else 0)


@source_group.command("suspend")
@click.argument("name")
@click.option("--reason", required=True)
@reported
def suspend_source(name: str, reason: str) -> None:
    """Stop asking a source; exchanges for its records fail until it is resumed."""
    services().sources.suspend(name, reason=reason, actor=actor())
    click.echo(f"source {name} suspended")


@source_group.command("resume")
@click.argument("name")
@reported
def resume_source(name: str) -> None:
    """Ask a suspended source again."""
    services().sources.resume(name, actor=actor())
    click.echo(f"source {name} resumed")
