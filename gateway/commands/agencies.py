"""`ipx-gateway agency` and `ipx-gateway client`."""

from typing import Any

import click

from gateway.agencies.models import AGENCY_KINDS, Agency, Client
from gateway.commands.context import actor, json_option, reported, services, show

AGENCY_COLUMNS = ("code", "kind", "name", "jurisdictions", "scopes", "state")
CLIENT_COLUMNS = ("id", "agency", "name", "scopes", "state")


def agency_row(agency: Agency) -> dict[str, Any]:
    return {
        "code": agency.code,
        "kind": agency.kind,
        "name": agency.name,
        "jurisdictions": agency.jurisdictions,
        "scopes": agency.scopes,
        "purposes": agency.purposes,
        "created_at": agency.created_at,
        "state": f"suspended: {agency.suspended_reason}" if agency.suspended_at else "active",
    }


def client_row(client: Client) -> dict[str, Any]:
    return {
        "id": client.id,
        "agency": client.agency_code,
        "name": client.name,
        "scopes": client.scopes,
        "created_at": client.created_at,
        "state": f"suspended: {client.suspended_reason}" if client.suspended_at else "active",
    }


@click.group("agency")
def agency_group() -> None:
    """Departments that hold or ask for records."""


@agency_group.command("add")
@click.argument("code")
@click.option("--kind", required=True, type=click.Choice(AGENCY_KINDS))
@click.option("--name", required=True)
@click.option("--jurisdiction", "jurisdictions", multiple=True, required=True, help="Such as XA; repeat for several.")
@click.option("--scope", "scopes", multiple=True, default=("exchange:request",), show_default=True)
@click.option(
    "--purpose", "purposes", multiple=True, help="A purpose it may ask for, such as border_enforcement; repeat."
)
@reported
def add_agency(
    code: str,
    kind: str,
    name: str,
    jurisdictions: tuple[str, ...],
    scopes: tuple[str, ...],
    purposes: tuple[str, ...],
) -> None:
    """Register an agency.

    Example: ipx-gateway agency add customs-xa --kind customs --name "Customs of XA" --jurisdiction XA
    --purpose border_enforcement
    """
    services().agencies.add(
        code, kind=kind, name=name, jurisdictions=jurisdictions, scopes=scopes, purposes=purposes, actor=actor()
    )
    click.echo(f"agency {code} added; next: ipx-gateway client add {code}.intake --name …")


@agency_group.command("list")
@json_option
@reported
def list_agencies(*, as_json: bool) -> None:
    """List all agencies."""
    show(map(agency_row, services().agencies.agencies()), AGENCY_COLUMNS, as_json=as_json)


@agency_group.command("show")
@click.argument("code")
@reported
def show_agency(code: str) -> None:
    """Show one agency with its clients and sources."""
    built = services()
    for name, value in agency_row(built.agencies.agency(code)).items():
        click.echo(f"{name:14} {value}")
    click.echo("\nclients")
    show(map(client_row, built.agencies.clients(code)), CLIENT_COLUMNS, as_json=False)
    click.echo("\nsources")
    show(
        ({"name": source.name, "record type": source.record_type} for source in built.sources.sources(code)),
        ("name", "record type"),
        as_json=False,
    )


@agency_group.command("suspend")
@click.argument("code")
@click.option("--reason", required=True)
@reported
def suspend_agency(code: str, reason: str) -> None:
    """Shut an agency out: its clients' next call is refused, and it is no longer asked for records."""
    services().agencies.suspend(Agency, code, reason=reason, actor=actor())
    click.echo(f"agency {code} suspended, from its next call on")


@agency_group.command("resume")
@click.argument("code")
@reported
def resume_agency(code: str) -> None:
    """Let a suspended agency in again."""
    services().agencies.resume(Agency, code, actor=actor())
    click.echo(f"agency {code} resumed")


@click.group("client")
def client_group() -> None:
    """Registered systems of agencies, known by their public keys."""


@client_group.command("add")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.option("--name", required=True)
@click.option("--scope", "scopes", multiple=True, default=("exchange:request",), show_default=True)
@reported
def add_client(client_id: str, name: str, scopes: tuple[str, ...]) -> None:
    """Register a system of an agency.

    Example: ipx-gateway client add customs-xa.intake --name "Intake of Customs XA"
    """
    services().agencies.add_client(client_id, name=name, scopes=scopes, actor=actor())
    click.echo(f"client {client_id} added; next: ipx-gateway key add {client_id} PUBLIC.jwk")


@client_group.command("list")
@click.option("--agency")
@json_option
@reported
def list_clients(agency: str | None, *, as_json: bool) -> None:
    """List clients, of all agencies or of one."""
    show(map(client_row, services().agencies.clients(agency)), CLIENT_COLUMNS, as_json=as_json)


@client_group.command("show")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@reported
def show_client(client_id: str) -> None:
    """Show one client."""
    for name, value in client_row(services().agencies.client(client_id)).items():
        click.echo(f"{name:14} {value}")


@client_group.command("suspend")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.option("--reason", required=True)
@reported
def suspend_client(client_id: str, reason: str) -> None:
    """Shut a client out, from its next call on."""
    services().agencies.suspend(Client, client_id, reason=reason, actor=actor())
    click.echo(f"client {client_id} suspended, from its next call on")


@client_group.command("resume")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@reported
def resume_client(client_id: str) -> None:
    """Let a suspended client in again."""
    services().agencies.resume(Client, client_id, actor=actor())
    click.echo(f"client {client_id} resumed")
