"""`ipx audit recall`, and searches that are kept under a name."""

from typing import get_args

import click

from ipx.auditing import Auditor, Kind
from ipx.commands.audit_lists import limit_option, national, show_page
from ipx.commands.connection import Connection, connection_options
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.commands.trouble import CommandError
from ipx.jws import Json

LISTS: dict[str, Kind] = {kind.replace("-", "_"): kind for kind in get_args(Kind) if kind != "flags"}
"""Lists of which a search is kept, by the name that the gateway gives them."""


@click.command("recall")
@click.argument("recall", metavar="ID")
@connection_options
@national
@json_option
def recall(*, recall: str, connection: Connection, national: bool, as_json: bool) -> None:
    """Open one recall: what the holder said and why, who was told, what each answered."""
    with connection.client(None) as client:
        found = Auditor(client, is_national=national).recall(recall)
    if as_json:
        print_json(found)
        return
    names = ("id", "kind", "holder", "record", "reason", "order", "made_at", "due_at", "log_index")
    for line in table([(name, printable(str(found.get(name) or "-"))) for name in names]):
        click.echo(line)
    told = [one for one in _list(found.get("addressees")) if isinstance(one, dict)]
    rows: list[tuple[str, ...]] = [("AGENCY", "STATE", "FETCHED", "ANSWERED", "COPIES", "EXCHANGES")]
    rows += [
        (
            str(one["agency"]),
            "overdue" if one.get("overdue") else str(one["state"]),
            *(str(one.get(name) or "-") for name in ("delivered_at", "acknowledged_at", "action")),
            str(len(_list(one.get("exchanges")))),
        )
        for one in told
    ]
    for line in table(rows):
        click.echo(line)


@click.command("searches")
@connection_options
@national
@json_option
def searches(*, connection: Connection, national: bool, as_json: bool) -> None:
    """List the searches that you keep under a name, and those that are shared within your agency."""
    with connection.client(None) as client:
        found = Auditor(client, is_national=national).searches()
    if as_json:
        print_json({"items": [*found]})
        return
    rows = [("ID", "NAME", "LIST", "FILTER", "WHOSE")]
    rows += [
        (
            str(one["id"]),
            printable(str(one["name"])),
            str(one["kind"]),
            printable(" ".join(f"{name}={value}" for name, value in _query(one).items()) or "-"),
            "yours" if one.get("own") else "shared",
        )
        for one in found
    ]
    for line in table(rows):
        click.echo(line)


@click.command("keep")
@click.argument("name")
@click.argument("filters", metavar="NAME=VALUE", nargs=-1)
@connection_options
@click.option(
    "--of", "kind", type=click.Choice([*LISTS]), default="exchanges", show_default=True, help="Of which list."
)
@click.option("--shared", is_flag=True, help="For all auditors of your agency.")
@national
def keep(
    *, name: str, filters: tuple[str, ...], connection: Connection, kind: str, shared: bool, national: bool
) -> None:
    """Keep a search under a name, its filter as the gateway's addresses have it.

    \b
    Example
      ipx audit keep "Refused at the border" purpose=border_enforcement outcome=denied \\
          --gateway https://gw.example --client customs-xa.audit --key audit.jwk --shared
    """  # noqa: D301  (click wants the character \b itself)
    pairs = [one.partition("=") for one in filters]
    if not all(equals for _, equals, _ in pairs):
        raise click.UsageError("A filter is written NAME=VALUE: outcome=denied")
    query = {one: value for one, _, value in pairs}
    with connection.client(None) as client:
        kept = Auditor(client, is_national=national).keep(name, kind, query, is_shared=shared)
    click.echo(f"Kept as {printable(str(kept['name']))} ({kept['id']}). Run it: ipx audit run {kept['id']}")


@click.command("run")
@click.argument("search", metavar="NAME|ID")
@connection_options
@national
@limit_option
@json_option
def run(*, search: str, connection: Connection, national: bool, limit: int, as_json: bool) -> None:
    """Run a search that is kept under a name."""
    with connection.client(None) as client:
        auditor = Auditor(client, is_national=national)
        known = [one for one in auditor.searches() if search in (one["id"], one["name"])]
        if len(known) != 1:
            said = "is not kept" if not known else "is the name of several"
            raise CommandError(f"{search} {said}", "See what there is: ipx audit searches")
        kind = LISTS[str(known[0]["kind"])]
        page = auditor.page(kind, _query(known[0]), limit=limit)
    show_page(kind, page, as_json=as_json)


@click.command("forget")
@click.argument("search", metavar="ID")
@connection_options
@national
def forget(*, search: str, connection: Connection, national: bool) -> None:
    """Delete a search of your own that is kept under a name."""
    with connection.client(None) as client:
        Auditor(client, is_national=national).forget(search)
    click.echo(f"{printable(search)} is kept no longer.")


COMMANDS = (recall, searches, keep, run, forget)


def _query(one: dict[str, Json]) -> dict[str, str]:
    query = one.get("query")
    return {name: str(value) for name, value in query.items()} if isinstance(query, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
