"""`ipx-gateway policy explain-exchange|explain-record|who-can-see`: real exchanges and records, not made-up ones."""

import json
from collections.abc import Iterator
from typing import Any

import click

from gateway.commands.context import actor, json_option, reported, services, show
from gateway.exchange.sight import Explained
from gateway.policy_api.documents import plain

record_argument = click.argument("record", metavar="RECORD")


@click.command("explain-exchange")
@click.argument("exchange")
@json_option
@reported
def explain_exchange(exchange: str, *, as_json: bool) -> None:
    """Explain what a past exchange would get now, and what would change it.

    It is asked again from what was kept of it, by the policies in force; whether those decided it then is said first.
    The look is an entry of the audit trail.
    """
    found = services().sight.exchange(actor(), exchange)
    if as_json:
        click.echo(json.dumps(plain(found), indent=2, ensure_ascii=False, default=str))
        return
    by = "the policies that decided it" if found.is_same_book else "other policies than decided it"
    click.echo(f"exchange {exchange}, by {by}")
    for one in found.questions:
        for line in _lines(one):
            click.echo(line)


@click.command("explain-record")
@record_argument
@click.option("--agency", required=True, metavar="CODE", help="Who would ask.")
@click.option("--purpose", required=True, help="For what.")
@click.option("--approval", "approvals", multiple=True, help="Taken for granted; more than one may be given.")
@json_option
@reported
def explain_record(record: str, agency: str, purpose: str, approvals: tuple[str, ...], *, as_json: bool) -> None:
    """Explain what an agency would get of a real record, and what would change it. Nothing is filed or released.

    \b
    Example: ipx-gateway policy explain-record urn:ipx:ipo-xa:trademark:n-202400017 \\
               --agency customs-xa --purpose border_enforcement
    """  # noqa: D301  (click wants the character \b itself)
    found = services().sight.question(actor(), record, agency, purpose, approvals=approvals)
    if as_json:
        click.echo(json.dumps(plain(found), indent=2, ensure_ascii=False, default=str))
        return
    for line in _lines(found):
        click.echo(line)


@click.command("who-can-see")
@record_argument
@click.option("--agency", "agencies", multiple=True, metavar="CODE", help="These only; without it every agency.")
@json_option
@reported
def who_can_see(record: str, agencies: tuple[str, ...], *, as_json: bool) -> None:
    """Say which agency may receive which group of one real record, for each purpose it is registered for.

    `sees`: as it stands. `with`: only with a case that stands in the record, as its owner's, or with approvals.
    """
    found = services().sight.record(actor(), record, agencies=agencies)
    rows = []
    for number, column in enumerate(found.columns):
        cells = [(group, cells[number]) for group, cells in found.rows]
        rows.append(
            {
                "agency": column.agency.code,
                "purpose": column.purpose,
                "sees": [group for group, cell in cells if cell.sight == "always"],
                "with": [f"{group} ({'+'.join(cell.needs)})" for group, cell in cells if cell.sight == "sometimes"],
            }
        )
    if not as_json:
        rows = [row for row in rows if row["sees"] or row["with"]]
    show(rows, ("agency", "purpose", "sees", "with"), as_json=as_json)


def _lines(one: Explained) -> Iterator[str]:
    told: Any = one.explanation
    about = "no record" if one.record is None else f"record {one.record[:16]}"
    refused = f": {told.reason}, by {told.refused_by}" if told.reason else ""
    yield f"{about}, {one.purpose}: {told.outcome}{refused}"
    for group in told.groups:
        yield f"  {group.group}: {'yes' if group.is_disclosed else group.reason}"
    if one.obligations is not None:
        yield f"  obligations: {json.dumps(one.obligations.document(), ensure_ascii=False)}"
    if told.basis is not None:
        for word, refs in (("decided by", told.basis.by), ("overridden", told.basis.overridden)):
            for ref in refs:
                yield f"  {word}: {ref}"
    for names in told.approvals:
        yield f"  would change it: the approval {' with '.join(sorted(names))}"
    for ref in told.within_reach:
        yield f"  would change it: another purpose, case or mode, as {ref} asks"
    for report in told.policies:
        for line in report.failing if report.effect == "permit" else ():
            yield f"  {report.ref} does not apply: {line.cedar}"


COMMANDS = (explain_exchange, explain_record, who_can_see)
