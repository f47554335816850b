"""`ipx-gateway agency` and `ipx-gateway client`."""

from typing import Any

import click

from gateway.agencies.key_set_text import require_key_set_uri
from gateway.agencies.models import AGENCY_KINDS, Agency, Client
from gateway.audit.models import AuditEntry
from gateway.commands.client_keys import fetched
from gateway.commands.context import actor, json_option, reported, services, show
from gateway.oauth.refusals import last_refusals

AGENCY_COLUMNS = ("code", "kind", "name", "jurisdictions", "scopes", "state")
REFUSAL_COLUMNS = ("at", "act", "proven", "code", "claim", "from", "times")
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


@agency_group.command("grant")
@click.argument("code")
@click.argument("scopes", nargs=-1, required=True)
@reported
def grant_scopes(code: str, scopes: tuple[str, ...]) -> None:
    """Grant scopes to an agency; attach them to its clients with `client set`.

    Example: ipx-gateway agency grant ipo-xa records:push
    """
    left = services().agencies.grant(code, scopes, actor=actor())
    click.echo(f"agency {code} has: {' '.join(left)}")


@agency_group.command("withdraw")
@click.argument("code")
@click.argument("scopes", nargs=-1, required=True)
@reported
def withdraw_scopes(code: str, scopes: tuple[str, ...]) -> None:
    """Take scopes away from an agency; its clients' tokens end at once, new ones cannot have these scopes."""
    left = services().agencies.withdraw(code, scopes, actor=actor())
    click.echo(f"agency {code} has: {' '.join(left) or 'no scope'}")


@click.group("client")
def client_group() -> None:
    """Registered systems of agencies, known by their public keys."""


@client_group.command("add")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.option("--name", required=True)
@click.option("--scope", "scopes", multiple=True, default=("exchange:request",), show_default=True)
@click.option("--jwks-uri", help="Where the client publishes its keys (https); without it, keys are registered here.")
@reported
def add_client(client_id: str, name: str, scopes: tuple[str, ...], jwks_uri: str | None) -> None:
    """Register a system of an agency.

    Example: ipx-gateway client add customs-xa.intake --name "Intake of Customs XA"
    """
    if jwks_uri is not None:
        require_key_set_uri(jwks_uri)
    services().agencies.add_client(client_id, name=name, scopes=scopes, actor=actor())
    if jwks_uri is None:
        click.echo(f"client {client_id} added; next: ipx-gateway key add {client_id} PUBLIC.jwk")
        return
    click.echo(f"client {client_id} added")
    _publish_at(client_id, jwks_uri)


@client_group.command("set")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.option("--jwks-uri", help="Where the client publishes its keys (https).")
@click.option("--no-jwks-uri", is_flag=True, help="Take no keys from there any more; those taken end at once.")
@click.option("--scope", "scopes", multiple=True, help="The scopes it has from now on, all of them; repeat.")
@reported
def set_client(client_id: str, jwks_uri: str | None, scopes: tuple[str, ...], *, no_jwks_uri: bool) -> None:
    """Change a client: where it publishes its keys, which scopes it has.

    Example: ipx-gateway client set customs-xa.intake --jwks-uri https://intake.customs.example/jwks
    """
    if jwks_uri is not None and no_jwks_uri:
        raise click.UsageError("--jwks-uri and --no-jwks-uri exclude each other")
    services().agencies.client(client_id)
    if scopes:
        services().agencies.set_client_scopes(client_id, scopes, actor=actor())
        click.echo(f"client {client_id} has: {' '.join(scopes)}")
    if no_jwks_uri:
        services().key_sets.forget(client_id, actor=actor())
        click.echo(f"keys of {client_id} are those registered here")
    if jwks_uri is not None:
        _publish_at(client_id, jwks_uri)


def _publish_at(client_id: str, uri: str) -> None:
    services().key_sets.publish_at(client_id, uri, actor=actor())
    click.echo(fetched(client_id))


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
    """Show one client, and how its key set was read last where it publishes one."""
    for name, value in client_row(services().agencies.client(client_id)).items():
        click.echo(f"{name:14} {value}")
    key_set = services().key_sets.of(client_id)
    if key_set is not None:
        for name in ("uri", "fetched_at", "fresh_until", "asked_at", "problem"):
            click.echo(f"key set {name:12} {getattr(key_set, name) or '-'}")


@client_group.command("refusals")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
@reported
def client_refusals(client_id: str, last: int, *, as_json: bool) -> None:
    """Show what was refused last in a client's name, the newest at the top; docs/errors.md explains the codes."""
    rows = last_refusals(services().database, client_id, last)
    show(map(refusal_row, rows), REFUSAL_COLUMNS, as_json=as_json)


def refusal_row(entry: AuditEntry) -> dict[str, Any]:
    detail = entry.detail
    return {
        "at": entry.at,
        "act": entry.act,
        "proven": entry.actor == entry.subject,
        "code": detail.get("gw") or detail.get("codes"),
        "claim": detail.get("claim"),
        "from": detail.get("ip"),
        "times": detail.get("repeated", 1),
    }


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
