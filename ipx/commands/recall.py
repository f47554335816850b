"""`ipx recall`: call back a record that was given out, and answer for one that was called back."""

from pathlib import Path

import click

from ipx import recall_list
from ipx.commands.connection import Connection, connection_options
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.commands.trouble import CommandError
from ipx.jws import Json
from ipx.recalls import ACTIONS, KINDS, Recall, Recalls, Role


@click.group()
def recall() -> None:
    """Correct, seal, call back or erase a record that was given out; acknowledge one that was.

    Everybody whom a receipt proves to have been given the record is told, and must say what has become of its copies.
    """


@recall.command("make")
@connection_options
@click.option("--record", required=True, metavar="URN", help="Your record: urn:ipx:<holder>:<record type>:<number>.")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What has become of it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why. It is signed, kept, and told to all who have it.")
@click.option("--order", metavar="TEXT", help="The order of a court or authority; a seal needs one.")
@json_option
def make(*, connection: Connection, record: str, kind: str, reason: str, order: str | None, as_json: bool) -> None:
    """Tell all who were given a record of yours what has become of it. Change it in your own system first.

    Needs the scope records:recall. From then on answers that hold the record are given out no more, but for
    corrections.

    \b
    Example:
      ipx recall make --gateway https://gw.example --client ipo-xa.exchange --key exchange.jwk \\
          --record urn:ipx:ipo-xa:trademark:202400017 --kind recalled --reason "entered for another mark"
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        made = Recalls(client).make(record, kind, reason, order=order)
    _print(made, as_json=as_json)


@recall.command("list")
@connection_options
@click.option(
    "--role",
    type=click.Choice(("holder", "addressee")),
    default="addressee",
    show_default=True,
    help="holder: what you called back; addressee: what you were told of.",
)
@click.option("--open", "is_open", is_flag=True, help="Only what is still to be acknowledged, or is disputed.")
@json_option
def list_recalls(*, connection: Connection, role: Role, is_open: bool, as_json: bool) -> None:
    """List recalls of one side, newest first. What an addressee lists counts as delivered to it.

    \b
    Example: what you still have to answer
      ipx recall list --gateway https://gw.example --client customs-xa.intake --key intake.jwk --open
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        found = [*Recalls(client).every(role, is_open=is_open)]
    if as_json:
        print_json({"items": [*found]})
        return
    rows = [("MADE (UTC)", "RECALL", "KIND", "HOLDER", "DUE", "ACKNOWLEDGED", "RECORD")]
    rows += [
        (
            str(one.get("made_at")),
            str(one.get("id")),
            str(one.get("kind")),
            str(one.get("holder")),
            str(one.get("due_at") or "-") + (" overdue" if one.get("overdue") else ""),
            f"{one.get('acknowledged')} of {one.get('addressed')}",
            str(one.get("record")),
        )
        for one in found
    ]
    for line in table(rows):
        click.echo(line)
    click.echo(f"{len(found)} recalls. Answer one: ipx recall acknowledge ID --action deleted")


@recall.command("show")
@connection_options
@click.argument("recall_id", metavar="ID")
@json_option
def show(*, connection: Connection, recall_id: str, as_json: bool) -> None:
    """Show one recall: why, until when, by which exchanges it was given out, who answered what."""
    with connection.client(None) as client:
        found = Recalls(client).show(recall_id)
    _print(found, as_json=as_json)


@recall.command("releases")
@connection_options
@click.argument("record", metavar="URN")
@json_option
def releases(*, connection: Connection, record: str, as_json: bool) -> None:
    """Show who was given a record of yours: when, which field groups, and what they said of recalls.

    \b
    Example: whom a recall would reach
      ipx recall releases urn:ipx:ipo-xa:trademark:202400017 \\
          --gateway https://gw.example --client ipo-xa.exchange --key exchange.jwk
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        found = [*Recalls(client).releases(record)]
    if as_json:
        print_json({"items": [*found]})
        return
    rows: list[tuple[str, ...]] = [("RELEASED (UTC)", "EXCHANGE", "TO", "PURPOSE", "RECALLS", "GROUPS")]
    rows += [
        (
            *(str(one.get(name)) for name in ("released_at", "exchange", "requester", "purpose")),
            _said(one.get("recalls")),
            _words(one.get("groups")),
        )
        for one in found
    ]
    for line in table(rows):
        click.echo(line)
    click.echo(f"{len(found)} releases. Call it back: ipx recall make --record {record} --kind recalled --reason …")


def _said(recalls: Json) -> str:
    """Name each recall with what the addressee said of it."""
    found = [one for one in recalls if isinstance(one, dict)] if isinstance(recalls, list) else []
    return (
        ", ".join(f"{one.get('kind')}: {'overdue' if one.get('overdue') else one.get('state')}" for one in found) or "-"
    )


def _words(groups: Json) -> str:
    return " ".join(map(str, groups)) if isinstance(groups, list) else "erased"


@recall.command("fetch")
@connection_options
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the list goes.")
def fetch(*, connection: Connection, out: Path) -> None:
    """Keep the gateway's signed list of recalls, for `ipx verify --recalls`: it names receipts by their hashes.

    \b
    Example:
      ipx recall fetch --out recalls.json --gateway https://gw.example --client customs-xa.intake --key intake.jwk
      ipx verify bundle.zip --trust trust.json --recalls recalls.json
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        kept = recall_list.fetch(client)
    try:
        out.write_bytes(kept)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}", "Choose another --out.") from error
    click.echo(f"Kept in {out}. Check evidence against it: ipx verify FILE --trust trust.json --recalls {out}")


@recall.command("acknowledge")
@connection_options
@click.argument("recall_id", metavar="ID")
@click.option("--action", required=True, type=click.Choice(ACTIONS), help="What has become of your copies.")
@click.option("--reason", metavar="TEXT", help="Why; a refusal needs one, and opens a dispute.")
@json_option
def acknowledge(*, connection: Connection, recall_id: str, action: str, reason: str | None, as_json: bool) -> None:
    """Say what has become of your copies of a record. It is signed, and the holder may show it in court.

    \b
    Example:
      ipx recall acknowledge 019ab3… --action deleted --gateway https://gw.example \\
          --client customs-xa.intake --key intake.jwk
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(None) as client:
        said = Recalls(client).acknowledge(recall_id, action, reason=reason)
    _print(said, as_json=as_json)


def _print(found: Recall, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    names = ("id", "event", "record", "holder", "reason", "order", "made_at", "due_at")
    for line in table([(name, str(found.get(name) or "-")) for name in names]):
        click.echo(line)
    addressees = found.get("addressees")
    for one in addressees if isinstance(addressees, list) else []:
        if isinstance(one, dict):
            click.echo(printable(_answered(one)))


def _answered(one: dict[str, Json]) -> str:
    exchanges = one.get("exchanges")
    many = len(exchanges) if isinstance(exchanges, list) else 0
    said = str(one.get("state")) + (f" {one['action']} {one['acknowledged_at']}" if one.get("action") else "")
    late = ", overdue" if one.get("overdue") else ""
    why = f": {one['reason']}" if one.get("reason") else ""
    return f"  {one.get('agency')} ({many} exchanges): {said}{late}{why}"
