"""`ipx-gateway log`: checking the log, telling peers its keys, seeing who confirms it, rotating its key."""

from dataclasses import replace
from pathlib import Path

import click

from gateway.audit.service import AuditTrail
from gateway.commands.context import actor, reported, services
from gateway.commands.places import key_place
from gateway.evidence.rotation import Rotation
from gateway.evidence.signers import read_signer
from gateway.evidence.static_tiles import write_tiles
from gateway.keyplace import KeyPlace
from gateway.wiring import build, own_signers
from gateway.worker import publish_trust


@click.group("log")
def log_group() -> None:
    """The append-only log of receipts and acts."""


@log_group.command("audit")
@reported
def audit() -> None:
    """Derive the whole log again from its entries and compare with tiles, head, checkpoints and what was published.

    Damage in a full tile shows only here: run it every night. How far it is stands on standard error.
    """
    sizes: dict[str, int] = {}

    def tell(origin: str, derived: int, of: int) -> None:
        sizes[origin] = derived
        click.echo(f"{origin}: {derived} of {of} entries", err=True)

    services().log.audit(tell)
    count = sum(sizes.values())
    click.echo(f"the log is whole: {count} entries, tiles, head and published checkpoint agree")


@log_group.command("keys")
@reported
def keys() -> None:
    """Print the keys that peers enter: the log's into IPX_WITNESSED_LOGS, the witness's into IPX_WITNESSES."""
    built = services()
    click.echo(f"log      {built.log.key.vkey}")
    if built.witness.key is not None:
        click.echo(f"witness  {built.witness.key.vkey} {built.settings.origin}/witness")


@log_group.command("state")
@reported
def state() -> None:
    """Say how far witnesses and the time-stamp authority have confirmed the log, and what they did instead."""
    standing = services().evidence_state.look()
    for name, value in standing.detail().items():
        click.echo(f"{name:<14}{value}")
    for reason in standing.reasons:
        click.echo(f"{'reason':<14}{reason}")
    if banner := services().evidence_state.banner():
        click.echo(f"{'meaning':<14}{banner}")


@log_group.command("tiles")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@reported
def tiles(folder: Path) -> None:
    """Write the log's full tiles that are not in FOLDER yet, as files that a web server can serve by itself.

    Below FOLDER lie `log/tile/0/000` and so on, as in the gateway's own addresses. Run it as often as you like.
    """
    built = services()
    written = 0
    try:
        for number in range(1, built.log.shard.number + 1):
            shard = built.shards.number(number)
            written += write_tiles(shard, folder / shard.shard.origin.rpartition("/")[2])
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}") from error
    click.echo(f"{written} tiles written")


@log_group.command("rotate")
@click.option("--key", required=True, callback=key_place, help="The new log key, a file or pkcs11:….")
@reported
def rotate(key: KeyPlace) -> None:
    """End this log and begin the next shard of it with a new key.

    What was logged stays served and provable. From now on every node refuses new exchanges until it is started again
    with IPX_LOG_KEY naming the new key. Where the trust key is kept offline, publish the trust list before that.
    """
    built = services()
    own_signers(replace(built.settings, log_key=key))  # no other purpose may have this key
    rotation = Rotation(
        built.database, built.checkpoints, built.log, lambda log: AuditTrail(log, built.clock), built.clock
    )
    shard = rotation.rotate(read_signer(key), actor())
    click.echo(f"{built.log.origin} has ended, {shard.origin} has begun")
    click.echo(f"log      {shard.key.vkey}")
    click.echo("set IPX_LOG_KEY to the new key and start every node again; tell the line above to your witnesses")
    if built.settings.trust_key is None:
        click.echo("then publish the trust list: IPX_LOG_KEY=<new key> ipx-gateway trust publish --key <offline key>")
        return
    renewed = build(replace(built.settings, log_key=key), clock=built.clock)
    try:
        publish_trust(renewed)
    finally:
        renewed.close()
    click.echo(f"the trust list at {built.settings.origin}/log/trust.jws names both")
