"""`ipx-gateway serve`, `sweep`, `db`, `keys`, `trust`: running the server."""

import base64
import os
import secrets
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import click

from gateway.audit.service import AuditTrail
from gateway.commands.context import actor, reported, services
from gateway.commands.places import key_place
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.evidence.root_key import make_root, rewrap_root
from gateway.evidence.signers import write_signer
from gateway.keyplace import KeyPlace
from gateway.keywrap import KeyWrap
from gateway.settings import read_settings
from gateway.wiring import own_signers
from gateway.worker import Worker, let_go
from ipx.keys import generate_signer

KEY_FILES = {"receipt": "IPX_RECEIPT_KEY", "log": "IPX_LOG_KEY", "trust": "IPX_TRUST_KEY"}


@click.command("serve")
@reported
def serve() -> None:
    """Serve the gateway with gunicorn, as the IPX_ settings say (docs/settings.md)."""
    read_settings()  # a missing setting is said here, by name, before any process starts
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "python:gateway.gunicorn_conf"])  # noqa: S606


@click.command("worker")
@click.option(
    "--alive",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file to touch each second or so: a container engine ends a worker whose file is two minutes old.",
)
@reported
def work(alive: Path | None) -> None:
    """Do the background work in a process of its own, until it is told to end: follow sources, deliver, sweep.

    `ipx-gateway serve` does the same work in each of its processes; more of them, here or on other machines, share it.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    built = services()
    built.beats.role = "worker"
    worker = Worker(built, alive=alive)
    worker.start()
    click.echo("working; end it with SIGTERM")
    ending.wait()
    worker.stop()
    built.close()


@click.command("sweep")
@reported
def sweep() -> None:
    """Close interrupted exchanges, forget what age alone refuses, let go what is kept no longer, as the server does."""
    built = services()
    click.echo(f"{built.recovery.close_overdue()} interrupted exchanges closed")
    click.echo(f"{built.replay.sweep(built.clock())} used identifiers forgotten")
    answers, erased = let_go(built)
    click.echo(f"{answers} answers kept no longer, {erased} exchanges erased by schedule")


@click.group("db")
def database_group() -> None:
    """The database's tables."""


@database_group.command("upgrade")
@reported
def upgrade() -> None:
    """Bring the tables to this version's shape; safe to repeat."""
    settings = read_settings()
    database = Database(settings.database_url)
    before = migrate.current(database)
    migrate.upgrade(database)
    after = migrate.current(database)
    if before is None:
        make_root(database, settings.key_encryption_key)
    database.dispose()
    click.echo(f"tables are at {after}" + ("" if before == after else f" (were at {before or 'nothing'})"))


@click.group("keys")
def keys_group() -> None:
    """The server's own keys."""


@keys_group.command("init")
@click.option("--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path))
@reported
def make_keys(folder: Path) -> None:
    """Make the server's keys and print the settings that name them.

    The trust key signs the trust list and nothing else: keep it offline and publish with `trust publish --key`, or
    set IPX_TRUST_KEY and let the server sign.
    """
    for name, setting in KEY_FILES.items():
        path = folder / f"{name}.pem"
        write_signer(path, generate_signer("Ed25519"))
        click.echo(f"export {setting}={path}")
    click.echo(f"export IPX_KEY_ENCRYPTION_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}")


@keys_group.command("make")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@reported
def make_key(file: Path) -> None:
    """Make one Ed25519 key in a new FILE of mode 0600: for a witness, a new log key, a new receipt key."""
    signer = generate_signer("Ed25519")
    write_signer(file, signer)
    click.echo(f"{file}  {signer.kid}")


@keys_group.command("rewrap")
@click.option(
    "--to",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of mode 0600 with the new key: 32 random bytes in base64.",
)
@reported
def rewrap(file: Path) -> None:
    """Change the key-encryption key, while everything goes on.

    Store the new one safely first: `umask 077; openssl rand -base64 32 > kek-2`. Nodes that run go on; each start
    from now on needs the new one.
    """
    if file.stat().st_mode & 0o077:
        raise click.ClickException(f"others may read {file}; `chmod 600 {file}`")
    try:
        new = base64.b64decode(file.read_text("ascii").strip(), validate=True)
        KeyWrap(new)  # of the right size
    except ValueError as error:
        raise click.ClickException(f"{file} holds no 32 bytes in base64") from error
    built = services()
    with built.database.write() as session:
        try:
            rewrap_root(session, built.settings.key_encryption_key, new)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        AuditTrail(built.log, built.clock).record(session, actor(), "key_encryption_key.changed", "gateway", {})
    click.echo(f"changed; set IPX_KEY_ENCRYPTION_KEY to what {file} holds and start every node and worker again")


@click.group("trust")
def trust_group() -> None:
    """The signed list of who signs with which key, against which verifiers check."""


@trust_group.command("publish")
@click.option("--key", callback=key_place, help="Offline key, a file or pkcs11:…; default: IPX_TRUST_KEY.")
@reported
def publish(key: KeyPlace | None) -> None:
    """Publish a new version of the trust list with all keys as they are now."""
    built = services()
    signer = own_signers(replace(built.settings, trust_key=key)).trust if key else None
    with built.database.write() as session:
        trust_list = built.trust_lists.publish(session, actor(), signer=signer)
    click.echo(f"trust list version {trust_list.version} is published at {built.settings.origin}/log/trust.jws")
