"""`ipx-gateway seal-key`: the keys with which the gateway seals records for holders that do not sign themselves."""

from dataclasses import replace

import click
from sqlalchemy import select

from gateway.agencies.models import Agency
from gateway.commands.context import TakesKid, actor, json_option, reported, services, show
from gateway.commands.places import key_place
from gateway.evidence.models import SigningKey
from gateway.keyplace import KeyPlace
from gateway.wiring import own_signers

COLUMNS = ("holder", "kid", "number", "state", "since", "until")


@click.group("seal-key")
def seal_key_group() -> None:
    """Keys that seal records for holders that do not sign; each is made on first use and lasts two years."""


@seal_key_group.command("list")
@json_option
@reported
def list_seal_keys(*, as_json: bool) -> None:
    """List these keys; the newest live one of a holder seals."""
    query = select(SigningKey).where(SigningKey.role == "seal").order_by(SigningKey.owner, SigningKey.number)
    built = services()
    now = built.clock()
    with built.database.read() as session:
        rows = list(session.scalars(query))
    show(
        (
            {
                "holder": row.owner,
                "kid": row.kid,
                "number": row.number,
                "state": f"revoked: {row.revoked_reason}"
                if row.revoked_at
                else "ended"
                if row.valid_until is not None and row.valid_until <= now
                else "live",
                "since": row.valid_from,
                "until": row.valid_until,
            }
            for row in rows
        ),
        COLUMNS,
        as_json=as_json,
    )


@seal_key_group.command("renew")
@click.argument("holder")
@click.option("--key", callback=key_place, help="Offline trust key, a file or pkcs11:…; default: IPX_TRUST_KEY.")
@reported
def renew_seal_key(holder: str, key: KeyPlace | None) -> None:
    """Make the next key for a holder and publish it; within seconds every node seals with it.

    What earlier ones sealed still verifies. The trust list is published in the same transaction: verifiers know a key
    before its first use.
    """
    built = services()
    signer = own_signers(replace(built.settings, trust_key=key)).trust if key else None
    with built.database.write() as session:
        if session.get(Agency, holder) is None:
            raise click.ClickException(f"there is no agency {holder}")
        row = built.holder_keys.renew_seal(session, holder, actor())
        kid, number = row.kid, row.number
        version = built.trust_lists.publish(session, actor(), signer=signer).version
    click.echo(f"key {kid}, number {number}, seals for {holder} from now on; trust list version {version} names it")


@seal_key_group.command("revoke", cls=TakesKid)
@click.argument("kid")
@click.option("--reason", required=True)
@reported
def revoke_seal_key(kid: str, reason: str) -> None:
    """End a key at once; what it sealed before a trusted time stays valid."""
    built = services()
    with built.database.write() as session:
        built.holder_keys.revoke(session, kid, actor(), reason)
    click.echo(f"key {kid} revoked; a later or earlier live one seals, or a new one is made")
    click.echo("next: ipx-gateway trust publish")
