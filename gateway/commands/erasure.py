"""`ipx-gateway erase`: one field, one exchange, one retention class. What is destroyed cannot be brought back."""

from dataclasses import asdict

import click

from gateway.commands.context import actor, json_option, reported, services, show

COLUMNS = ("holder", "class", "month", "exchanges")

basis_option = click.option(
    "--legal-basis", required=True, metavar="TEXT", help="Why; it is kept for ever, with who did it and when."
)
sure_option = click.confirmation_option(prompt="This cannot be undone. Erase it?")


@click.group("erase")
def erase_group() -> None:
    """Destroy what exchanges carried. Receipts, log and proofs stay, and say that something was erased."""


@erase_group.command("field")
@click.argument("exchange")
@click.argument("field")
@basis_option
@sure_option
@reported
def erase_field(exchange: str, field: str, legal_basis: str) -> None:
    """Erase one field of the record that an exchange handed over; its digest stays in record and receipt."""
    services().erasure.field(exchange, field, legal_basis=legal_basis, actor=actor())
    click.echo(f"the field {field} of exchange {exchange} is erased; its bundle names the digest and still verifies")


@erase_group.command("exchange")
@click.argument("exchange")
@basis_option
@sure_option
@reported
def erase_exchange(exchange: str, legal_basis: str) -> None:
    """Erase all that an exchange carried, and what ties its receipt to the log."""
    services().erasure.exchange(exchange, legal_basis=legal_basis, actor=actor())
    click.echo(f"exchange {exchange} is erased; its receipt stays readable for the two agencies")


@erase_group.command("class")
@click.argument("holder")
@click.argument("record_type", metavar="CLASS")
@click.argument("month")
@basis_option
@sure_option
@reported
def erase_class(holder: str, record_type: str, month: str, legal_basis: str) -> None:
    """Erase a retention class: a holder's exchanges for records of one type, filed in one month (2026-11)."""
    count = services().erasure.retention_class(holder, record_type, month, legal_basis=legal_basis, actor=actor())
    click.echo(f"{count} exchanges of {holder}, {record_type}, {month} are erased")


@erase_group.command("classes")
@json_option
@reported
def list_classes(*, as_json: bool) -> None:
    """List the retention classes of which something is kept, oldest month first."""
    rows = ({**asdict(found), "class": found.name} for found in services().erasure.classes())
    show(rows, COLUMNS, as_json=as_json)
