"""`ipx audit`: what an auditor finds again, flags, the log and reports."""

from typing import Final

import click

from ipx.auditing import Auditor
from ipx.commands.audit_lists import filters, limit_option, national, objects, show_page, wanted
from ipx.commands.connection import Connection, connection_options
from ipx.commands.printing import json_option, print_json, printable, table

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
        rows += [("shard", f"{one['number']}: {one['origin']}, {one['size']}") for one in objects(found.get("shards"))]
        rows += [("witness", f"{one['name']} up to {one['size']}") for one in objects(found.get("witnesses"))]
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
        rows += [tuple(printable(str(one[column])) for column in columns) for one in objects(found.get(name))]
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
