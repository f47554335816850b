"""`ipx-gateway token-key`: the keys that sign access tokens."""

from typing import Any

import click

from gateway.commands.context import TakesKid, actor, json_option, reported, services, show
from gateway.oauth.models import TokenKey

COLUMNS = ("kid", "alg", "state", "made", "active since", "verifies until", "retired")


def row(key: TokenKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": key.state,
        "made": key.created_at,
        "active since": key.activated_at,
        "verifies until": key.verifies_until,
        "retired": key.retired_at,
    }


@click.group("token-key")
def token_key_group() -> None:
    """Keys that sign access tokens: pending, active, retiring, retired. The server rotates them every 90 days."""


@token_key_group.command("list")
@json_option
@reported
def list_token_keys(*, as_json: bool) -> None:
    """List all keys, the newest at the top."""
    show(map(row, services().sign_in.keys.states()), COLUMNS, as_json=as_json)


@token_key_group.command("rotate")
@reported
def rotate() -> None:
    """Publish the next key now. It signs as soon as every verifier can know it, and no call fails meanwhile."""
    kid = services().sign_in.keys.rotate(actor=actor())
    click.echo(f"key {kid} is published; it signs in 6 minutes, by itself")


@token_key_group.command("revoke", cls=TakesKid)
@click.argument("kid")
@click.option("--reason", required=True)
@reported
def revoke(kid: str, reason: str) -> None:
    """Retire a key at once, in an emergency: every token that it signed dies, a new key takes over."""
    services().sign_in.keys.revoke(kid, reason=reason, actor=actor())
    click.echo(f"key {kid} is retired; clients get new tokens with their next call")
