"""`ipx-gateway holder-key`."""

import json
from pathlib import Path

import click
from sqlalchemy import select

from gateway.agencies.models import Agency
from gateway.commands.context import actor, json_option, reported, services, show
from gateway.evidence.models import SigningKey

COLUMNS = ("holder", "kid", "alg", "state", "since")


@click.group("holder-key")
def holder_key_group() -> None:
    """Public keys with which holders sign their own records; the private halves never come here."""


@holder_key_group.command("add")
@click.argument("holder")
@click.argument("jwk_file", metavar="PUBLIC.jwk", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reported
def add_holder_key(holder: str, jwk_file: Path) -> None:
    """Register a key with which a holder signs records; `ipx keygen` makes the pair at the holder.

    Example: ipx-gateway holder-key add ipo-xa records.public.jwk
    """
    try:
        jwk = json.loads(jwk_file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{jwk_file} is not JSON; `ipx keygen` writes a file of the kind needed") from error
    if not isinstance(jwk, dict):
        raise click.ClickException(f"{jwk_file} holds no JSON object")
    found = services()
    with found.database.write() as session:
        if session.get(Agency, holder) is None:
            raise click.ClickException(f"there is no agency {holder}")
        key = found.holder_keys.register(session, holder, jwk, actor())
        said = f"key {key.kid} ({key.alg}) of {holder} is live"
    click.echo(said)
    click.echo("next: ipx-gateway trust publish, so that verifiers learn of it")


@holder_key_group.command("list")
@json_option
@reported
def list_holder_keys(*, as_json: bool) -> None:
    """List holders' own keys."""
    query = select(SigningKey).where(SigningKey.role == "holder").order_by(SigningKey.owner, SigningKey.number)
    with services().database.read() as session:
        rows = list(session.scalars(query))
    show(
        (
            {
                "holder": row.owner,
                "kid": row.kid,
                "alg": row.alg,
                "state": f"revoked: {row.revoked_reason}" if row.revoked_at else "live",
                "since": row.valid_from,
            }
            for row in rows
        ),
        COLUMNS,
        as_json=as_json,
    )


@holder_key_group.command("revoke")
@click.argument("kid")
@click.option("--reason", required=True)
@reported
def revoke_holder_key(kid: str, reason: str) -> None:
    """End a holder's key at once: records under it are not served until they are signed and pushed anew."""
    found = services()
    with found.database.write() as session:
        found.holder_keys.revoke(session, kid, actor(), reason)
    click.echo(f"key {kid} revoked")
    click.echo("next: ipx-gateway trust publish")
