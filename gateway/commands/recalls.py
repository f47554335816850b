"""`ipx-gateway recall`: what holders called back and who has not answered, for the operator."""

import click

from gateway.commands.context import json_option, reported, services, show
from gateway.exchange.recall_told import RecallTold

COLUMNS = ("id", "kind", "holder", "record_type", "made_at", "due_at", "acknowledged", "open", "overdue", "disputed")


@click.group("recall")
def recall_group() -> None:
    """See which records their holders called back, and who is still to acknowledge.

    Holders make recalls themselves (`ipx recall make`, POST /v1/recalls): an operator calls nothing back.
    """


@recall_group.command("list")
@click.option("--agency", metavar="CODE", help="Only those of this holder, or with --role those of which it was told.")
@click.option("--role", type=click.Choice(("holder", "addressee")), default="holder", show_default=True)
@click.option("--open", "is_open", is_flag=True, help="Only those that somebody is still to acknowledge, or disputes.")
@json_option
@reported
def list_recalls(agency: str | None, role: str, *, is_open: bool, as_json: bool) -> None:
    """List recalls, newest first, with the agencies that have not acknowledged, are overdue or dispute.

    \b
    Example: whom to call
      ipx-gateway recall list --open
    """  # noqa: D301  (click wants the character \b itself)
    reader, before, rows = services().recalling.reader, None, list[RecallTold]()
    while page := reader.list(
        agency, "addressee" if role == "addressee" else "holder", is_open=is_open, before=before, limit=200
    ):
        rows += page
        before = page[-1].id
    show((_row(one) for one in rows), COLUMNS, as_json=as_json)


def _row(one: RecallTold) -> dict[str, object]:
    def named(state: str, *, late: bool = False) -> list[str]:
        return [to.agency for to in one.addressees if to.state == state and (to.is_overdue or not late)]

    return {
        "id": one.id,
        "kind": one.kind,
        "holder": one.holder,
        "record_type": one.record_type,
        "made_at": one.made_at,
        "due_at": one.due_at,
        "acknowledged": f"{one.acknowledged} of {len(one.addressees)}",
        "open": named("open"),
        "overdue": named("open", late=True),
        "disputed": named("disputed"),
    }
