"""`ipx-gateway key`."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from gateway.agencies.key_warnings import warnings_of
from gateway.agencies.models import ClientKey
from gateway.clock import utc_now
from gateway.commands.context import TakesKid, actor, json_option, reported, services, show

COLUMNS = ("client", "kid", "alg", "from", "state", "valid until", "warning", "last used")


def row(key: ClientKey) -> dict[str, Any]:
    return {
        "client": key.client_id,
        "kid": key.kid,
        "alg": key.alg,
        "from": "key set" if key.is_fetched else "registration",
        "state": _state(key),
        "valid until": key.valid_until,
        "warning": _warning(key),
        "last used": key.last_used_at,
    }


def _state(key: ClientKey) -> str:
    if key.revoked_at is not None:
        return f"revoked: {key.revoked_reason}"
    if key.suspended_at is not None:
        return f"suspended: {key.suspended_reason}"
    return "live" if key.valid_until > utc_now() else "expired"


def _is_live(key: ClientKey) -> bool:
    return _state(key) == "live"


def _warning(key: ClientKey) -> str | None:
    now = utc_now()
    if not _is_live(key) or not warnings_of(key.valid_until, now):
        return None
    return f"ENDS IN {(key.valid_until - now).days} DAYS"


@click.group("key")
def key_group() -> None:
    """Public keys of clients: the only thing by which a client is known."""


@key_group.command("add")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("jwk_file", metavar="PUBLIC.jwk", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 365))
@reported
def add_key(client_id: str, jwk_file: Path, days: int) -> None:
    """Register the public key of a client; `ipx keygen` makes the pair where the client runs.

    Example: ipx-gateway key add customs-xa.intake intake.public.jwk
    """
    try:
        jwk = json.loads(jwk_file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{jwk_file} is not JSON; `ipx keygen` writes a file of the kind needed") from error
    if not isinstance(jwk, dict):
        raise click.ClickException(f"{jwk_file} holds no JSON object")
    key = services().client_keys.add(client_id, jwk, actor=actor(), lifetime=timedelta(days=days))
    click.echo(f"key {key.kid} ({key.alg}) of {client_id} is live until {key.valid_until:%Y-%m-%d}")
    click.echo("next: ipx-gateway trust publish, so that verifiers learn of it")


@key_group.command("list")
@click.option("--client", "client_id")
@json_option
@reported
def list_keys(client_id: str | None, *, as_json: bool) -> None:
    """List keys: live ones first, the soonest to end at the top; a warning from 30 days before the end."""
    keys = services().client_keys.keys(client_id)
    show(map(row, sorted(keys, key=lambda key: not _is_live(key))), COLUMNS, as_json=as_json)


@key_group.command("show", cls=TakesKid)
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("kid")
@reported
def show_key(client_id: str, kid: str) -> None:
    """Show one key and its public JWK."""
    for key in services().client_keys.keys(client_id):
        if key.kid == kid:
            for name, value in row(key).items():
                click.echo(f"{name:14} {value}")
            click.echo(json.dumps(key.jwk))
            return
    raise click.ClickException(f"client {client_id} has no key {kid}; `ipx-gateway key list` shows those that exist")


@key_group.command("fetch")
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@reported
def fetch_keys(client_id: str) -> None:
    """Look at the client's key set now, once a minute at most; the server does so by itself when it is needed."""
    click.echo(fetched(client_id))


def fetched(client_id: str) -> str:
    """Fetch a client's key set and say what came of it."""
    key_sets = services().key_sets
    if key_sets.refresh(client_id):
        live = [key for key in services().client_keys.keys(client_id) if key.is_fetched and _is_live(key)]
        return f"key set of {client_id} read: {len(live)} live keys"
    row = key_sets.of(client_id)
    if row is None:
        return f"client {client_id} publishes no keys; `ipx-gateway client set {client_id} --jwks-uri …` says where"
    return f"key set of {client_id} not read: {row.problem or 'it was asked for within the last minute'}"


@key_group.command("revoke", cls=TakesKid)
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("kid")
@click.option("--reason", required=True)
@reported
def revoke_key(client_id: str, kid: str, reason: str) -> None:
    """End a key at once, and with it the tokens it obtained."""
    services().client_keys.revoke(client_id, kid, reason=reason, actor=actor())
    click.echo(f"key {kid} of {client_id} revoked")


@key_group.command("suspend", cls=TakesKid)
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("kid")
@click.option("--reason", required=True)
@reported
def suspend_key(client_id: str, kid: str, reason: str) -> None:
    """Stop taking a key, from the next call on, until it is resumed."""
    services().client_keys.suspend(client_id, kid, reason=reason, actor=actor())
    click.echo(f"key {kid} of {client_id} suspended, from its next call on")


@key_group.command("resume", cls=TakesKid)
@click.argument("client_id", metavar="AGENCY.SYSTEM")
@click.argument("kid")
@reported
def resume_key(client_id: str, kid: str) -> None:
    """Take a suspended key again."""
    services().client_keys.resume(client_id, kid, actor=actor())
    click.echo(f"key {kid} of {client_id} resumed")
