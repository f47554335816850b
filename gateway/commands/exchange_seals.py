"""`ipx-gateway exchange`."""

from datetime import UTC, datetime

import click

from gateway.commands.context import actor, reported, services


@click.group("exchange")
def exchange_group() -> None:
    """Single exchanges, by the orders of courts and authorities."""


@exchange_group.command("seal")
@click.argument("exchange_id", metavar="ID")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Hidden before this day (UTC).")
@click.option("--order", required=True, metavar="NUMBER", help="The order that seals it.")
@reported
def seal(exchange_id: str, until: datetime, order: str) -> None:
    """Hide an exchange until a day from the persons whom it is about, where they ask who read their records.

    Auditors go on seeing it, and it stays in the log. A later order replaces an earlier one.

    \b
    Example: ipx-gateway exchange seal 019ab2c0-0000-7000-8000-000000000001 --until 2027-03-01 --order "K 12/2026"
    """  # noqa: D301  (click wants the character \b itself)
    services().auditing.subjects.seal(exchange_id, until=until.replace(tzinfo=UTC), order=order, actor=actor())
    click.echo(f"exchange {exchange_id} is sealed until {until:%Y-%m-%d}")
