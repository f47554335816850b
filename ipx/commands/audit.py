"""`ipx audit`: an auditor's search, and the way from what it finds to evidence that holds offline."""

from pathlib import Path
from typing import Final, Literal

import click

from ipx import evidence
from ipx.auditing import Auditor, Kind
from ipx.commands.audit_lists import filters, limit_option, national, show_page, wanted
from ipx.commands.connection import Connection, connection_options, trust_of
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.commands.trouble import CommandError
from ipx.errors import EvidenceError
from ipx.jws import Json
from ipx.problems import UnprovenError
from ipx.waiting import utc_now

FAILED = 1


@click.group()
def audit() -> None:
    """Find exchanges and acts again, open one, and take evidence out that OpenSSL can check."""


@audit.command("search")
@connection_options
@filters("exchanges")
@national
@limit_option
@json_option
def search(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """Find exchanges, newest first, and say how many there are in all.

    \b
    Example: every access of customs to one right, last month
      ipx audit search --gateway https://gw.example --client customs-xa.audit --key audit.jwk \\
          --right "XA|trademark|202400017" --requester customs-xa --since 2026-10-01 --until 2026-10-31
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("exchanges", wanted(given), limit=limit)
    show_page("exchanges", page, as_json=as_json)


@audit.command("decisions")
@connection_options
@filters("decisions")
@national
@limit_option
@json_option
def decisions(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """Find what policies and officers decided, newest first: by which versions, and what they withheld.

    \b
    Example: what a version of a holder's policies refused
      ipx audit decisions --gateway https://gw.example --client customs-xa.audit --key audit.jwk \\
          --policy-version ipo-xa@1a2b3c4d --outcome denied
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("decisions", wanted(given), limit=limit)
    show_page("decisions", page, as_json=as_json)


@audit.command("sign-ins")
@connection_options
@filters("sign-ins")
@national
@limit_option
@json_option
def sign_ins(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """Find sign-ins of people to the consoles, newest first: begun, refused, signed out, ended.

    \b
    Example: who was refused this week
      ipx audit sign-ins --gateway https://gw.example --client customs-xa.audit --key audit.jwk \\
          --outcome refused --since 2026-11-23
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("sign-ins", wanted(given), limit=limit)
    show_page("sign-ins", page, as_json=as_json)


@audit.command("acts")
@connection_options
@filters("acts")
@national
@limit_option
@json_option
def acts(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """Find administrative acts, sign-ins and refusals, newest first."""
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("acts", wanted(given), limit=limit)
    show_page("acts", page, as_json=as_json)


@audit.command("recalls")
@connection_options
@filters("recalls")
@national
@limit_option
@json_option
def recalls(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """Find what holders corrected, sealed, called back or erased after it went out, and who has not acknowledged.

    \b
    Example: whose time has passed
      ipx audit recalls --gateway https://gw.example --client customs-xa.audit --key audit.jwk --state overdue
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("recalls", wanted(given), limit=limit)
    show_page("recalls", page, as_json=as_json)


@audit.command("flags")
@connection_options
@click.option("--kind", metavar="WORD", help="Only volume, hours, new_pair, probing, purpose or bulk.")
@click.option("--status", metavar="WORD", help="Only open, looked_into, closed or false_alarm.")
@click.option("--requester", metavar="AGENCY", help="Only where this agency asked.")
@click.option("--assignee", metavar="NAME", help="Only those given to this person or system.")
@national
@limit_option
@json_option
def flags(*, connection: Connection, national: bool, limit: int, as_json: bool, **given: str | None) -> None:
    """List what is odd and why, newest first: something to look at, never a verdict.

    \b
    Example: what nobody has looked at yet
      ipx audit flags --gateway https://gw.example --client customs-xa.audit --key audit.jwk --status open
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        page = Auditor(client, is_national=national).page("flags", wanted(given), limit=limit)
    if as_json:
        print_json({"total": page.total, "items": [*page.items]})
        return
    rows = [("DAY", "FLAG", "KIND", "FROM", "STATUS", "WHY")]
    rows += [
        (
            str(item["day"]),
            str(item["id"]),
            str(item["kind"]),
            str(item["requester"]),
            str(item["status"]),
            str(item["reason"]),
        )
        for item in page.items
    ]
    for line in table(rows):
        click.echo(line)
    click.echo(f"{len(page.items)} of {page.total} flags. Say what came of one: ipx audit flag ID --status closed")


@audit.command("flag")
@click.argument("flag", metavar="ID")
@connection_options
@click.option("--status", metavar="WORD", help="open, looked_into, closed or false_alarm.")
@click.option("--assignee", metavar="NAME", help="Give it to this auditor: person:carol; empty: to nobody.")
@click.option("--note", metavar="TEXT", help="What you found.")
@click.option("--seen", metavar="VERSION", help="Change it only if nobody has since you read this version of it.")
@national
@json_option
def flag(
    *, flag: str, connection: Connection, seen: str | None, national: bool, as_json: bool, **given: str | None
) -> None:
    """Show one flag, or say what came of it; the gateway notes in its log that you did."""
    changes = wanted(given)
    with connection.client(None) as client:
        auditor = Auditor(client, is_national=national)
        found = {} if changes and seen else auditor.flag(flag)
        if changes:
            found = auditor.mark(flag, changes, seen=seen or str(found["version"]))
    if as_json:
        print_json(found)
        return
    names = ("id", "day", "kind", "requester", "holder", "subject", "reason", "status", "assignee", "note", "version")
    for line in table([(name, str(found.get(name) or "-")) for name in names]):
        click.echo(line)


@audit.command("subject")
@click.argument("identifier", metavar="NUMBER")
@connection_options
@national
@json_option
def subject(*, identifier: str, connection: Connection, national: bool, as_json: bool) -> None:
    """List who was given records about one person: the answer to that person's request.

    What an order seals is left out until its date. NUMBER is one of the person's as records write it, such as
    XA.id:1234, or the holder's code and its own number: ipo-xa:P-17. The gateway notes in its log that you looked.
    """
    with connection.client(None) as client:
        found = Auditor(client, is_national=national).readers(identifier)
    if as_json:
        print_json({"total": len(found), "items": [*found]})
        return
    rows = [("TIME (UTC)", "WHO", "FROM WHOM", "TYPE", "PURPOSE", "LEGAL BASIS")]
    names = ("at", "requester", "holder", "record_type", "purpose", "legal_basis")
    rows += [tuple(printable(str(item.get(name) or "erased")) for name in names) for item in found]  # type: ignore[misc]
    for line in table(rows):
        click.echo(line)
    click.echo(f"{len(found)} records were handed over.")


@audit.command("log")
@connection_options
@click.option("--consistency", nargs=2, type=int, metavar="OLD NEW", help="Prove that the log at one size begins so.")
@click.option("--entries", nargs=2, type=int, metavar="FIRST LAST", help="Hash these entries anew and prove each.")
@click.option(
    "--shard", type=int, metavar="NUMBER", help="Of an earlier tree, from before the key of the log was rotated."
)
@json_option
def log(
    *,
    connection: Connection,
    consistency: tuple[int, int] | None,
    entries: tuple[int, int] | None,
    shard: int | None,
    as_json: bool,
) -> None:
    """Show the log's size, witnesses, gaps and alarms, or have a part of it proved anew by the gateway.

    \b
    Exit status: 0 it holds · 1 it does not, entries are missing, or there is an alarm
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        auditor = Auditor(client)
        if consistency is not None:
            found = auditor.log(
                "/consistency",
                old=consistency[0],
                new=consistency[1],
                **({} if shard is None else {"shard": shard}),
            )
        elif entries is not None:
            found = auditor.verify_entries(*entries, shard=shard)
        else:
            found = auditor.log()
    if as_json:
        print_json(found)
    else:
        names = [name for name in found if name not in {"note", "heads", "witnesses", "shards"}]
        rows = [(name, printable(str(found[name]))) for name in names]
        rows += [("shard", f"{one['number']}: {one['origin']}, {one['size']}") for one in _objects(found.get("shards"))]
        rows += [("witness", f"{one['name']} up to {one['size']}") for one in _objects(found.get("witnesses"))]
        for line in table(rows):
            click.echo(line)
    if found.get("holds") is False or found.get("missing") or found.get("alarms"):
        raise click.exceptions.Exit(FAILED)


@audit.command("report")
@connection_options
@national
@click.option("--since", help="From this day or instant on; thirty days ago.")
@click.option("--until", help="To the end of this day, or before this instant; now.")
@json_option
def report(*, connection: Connection, national: bool, as_json: bool, **given: str | None) -> None:
    """Count the exchanges of a time: who asks whom, how they ended, for what purposes, how long holders take.

    \b
    Example: ipx audit report --since 2026-10-01 --until 2026-10-31
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        found = Auditor(client, is_national=national).report(wanted(given))
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['total']} exchanges from {found['since']} until {found['until']}")
    for name, columns in _REPORTED.items():
        rows = [tuple(column.upper().replace("_", " ") for column in columns)]
        rows += [tuple(printable(str(one[column])) for column in columns) for one in _objects(found.get(name))]
        click.echo()
        for line in table(rows):
            click.echo(line)


_REPORTED: Final = {
    "pairs": ("requester", "holder", "count"),
    "outcomes": ("record_type", "outcome", "count"),
    "policies": ("version", "outcome", "count"),
    "purposes": ("requester", "purpose", "count"),
    "holders": ("holder", "exchanges", "median_ms", "slowest_ms", "failed"),
}
"""Tables of a report, and their columns."""


@audit.command("show")
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


@audit.command("export")
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


@audit.command("verify")
@click.argument("exchange", metavar="ID")
@connection_options
@national
@click.option(
    "--trust",
    "trust_path",
    required=True,
    type=click.Path(path_type=Path),
    envvar="IPX_TRUST",
    help="The trust file that you pinned.",
)
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
        for item in _objects(withheld)
    ]
    rows += [
        ("officer", f"{one['at']}  {one.get('officer') or 'of the holder'}  {one['verdict']}: {one['approval']}")
        for one in _objects(found.get("verdicts"))
    ]
    timing = found.get("timing_ms")
    if isinstance(timing, dict):
        rows.append(("time", ", ".join(f"{stage} {spent} ms" for stage, spent in timing.items())))
    if isinstance(proof, dict):
        holds = f"proved at leaf {proof['index']} of {proof['size']}" if proof["holds"] else f"NOT: {proof['problem']}"
        rows.append(("log entry", holds))
    rows += [
        (f"same {one['because']}", f"{one['received_at']}  {one['id']}  {one['outcome']}") for one in _objects(related)
    ]
    rows += [("looked at", f"{one['at']}  {one['actor']}  {one['act']}") for one in _objects(found.get("looked_at"))]
    return table(rows)


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", "Choose another --out.") from error
