"""`ipx-gateway delegation`: agencies that act for others."""

from datetime import timedelta
from typing import Any

import click

from gateway.commands.context import actor, json_option, reported, services, show
from gateway.oauth.models import Delegation

COLUMNS = ("id", "consumer", "supplier", "scopes", "from", "until", "state")


def row(delegation: Delegation) -> dict[str, Any]:
    waits_for = [
        agency
        for agency, confirmed_at in (
            (delegation.consumer, delegation.consumer_confirmed_at),
            (delegation.supplier, delegation.supplier_confirmed_at),
        )
        if confirmed_at is None
    ]
    state = f"waits for {' and '.join(waits_for)}" if waits_for else "confirmed"
    return {
        "id": delegation.id,
        "consumer": delegation.consumer,
        "supplier": delegation.supplier,
        "scopes": delegation.scopes,
        "from": delegation.valid_from,
        "until": delegation.valid_until,
        "state": f"revoked: {delegation.revoked_reason}" if delegation.revoked_at else state,
    }


@click.group("delegation")
def delegation_group() -> None:
    """An agency (consumer) lets another (supplier) act for it; it holds once both have confirmed it."""


@delegation_group.command("offer")
@click.argument("consumer")
@click.argument("supplier")
@click.option("--scope", "scopes", multiple=True, required=True, help="A scope of the consumer; repeat for several.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650))
@reported
def offer(consumer: str, supplier: str, scopes: tuple[str, ...], days: int) -> None:
    """Register a delegation, from now on, for both agencies to confirm."""
    built = services()
    now = built.clock()
    delegation_id = built.sign_in.server.delegations.offer(
        consumer, supplier, scopes, valid_from=now, valid_until=now + timedelta(days=days), actor=actor()
    )
    click.echo(f"delegation {delegation_id} waits for both agencies")
    click.echo(f"next: ipx-gateway delegation confirm {delegation_id} {consumer}, and the same for {supplier}")


@delegation_group.command("confirm")
@click.argument("delegation_id", metavar="ID")
@click.argument("agency")
@reported
def confirm(delegation_id: str, agency: str) -> None:
    """Record that one of the two agencies agrees."""
    services().sign_in.server.delegations.confirm(delegation_id, agency, actor=actor())
    click.echo(f"{agency} has confirmed {delegation_id}")


@delegation_group.command("revoke")
@click.argument("delegation_id", metavar="ID")
@click.argument("agency")
@click.option("--reason", required=True)
@reported
def revoke(delegation_id: str, agency: str, reason: str) -> None:
    """End a delegation at once, and every token issued by it; either agency may."""
    services().sign_in.server.delegations.revoke(delegation_id, agency, reason=reason, actor=actor())
    click.echo(f"delegation {delegation_id} is over")


@delegation_group.command("list")
@click.argument("agency")
@json_option
@reported
def list_delegations(agency: str, *, as_json: bool) -> None:
    """List what an agency delegates and what is delegated to it, the newest at the top."""
    show(map(row, services().sign_in.server.delegations.of(agency)), COLUMNS, as_json=as_json)
