"""Runs the demo: builds the made-up world, registers it, starts the real server, plays the story over HTTP."""

import base64
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.models import Client
from gateway.clock import Clock, utc_now
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.demo import world as demo_world
from gateway.demo.people import invite_all
from gateway.demo.story import Counts, play
from gateway.demo.world import DemoClient, World
from gateway.errors import AlreadyExistsError, GatewayError
from gateway.evidence.keys import HolderKeys
from gateway.evidence.signers import write_signer
from gateway.people.service import Invitation
from gateway.records.catalogue import CATALOGUE
from gateway.records.record_ids import RecordId, number_to_local, seal_local
from gateway.settings import PeopleSettings, Settings
from gateway.wiring import Services, build
from ipx.keyfile import read_key
from ipx.keys import generate_signer
from policies.bundle_files import load, load_tests

ACTOR = "operator:demo"
READY_SECONDS = 60.0
LOST_KEY_AGE = timedelta(days=400)

Echo = Callable[[str], None]


class DemoError(GatewayError):
    """The demo's server did not start, or the story did not go as it must."""


class Demo:
    """The demo world in a folder, and the server over it."""

    def __init__(self, directory: Path, port: int, *, database_url: str | None = None) -> None:
        self.directory = directory.resolve()
        self.origin = f"http://127.0.0.1:{port}"
        self._port = port
        self.world: World = demo_world.build(self.directory / "world")
        self.settings = self._settings()
        if database_url is not None:
            self.settings = replace(self.settings, database_url=database_url)

    @property
    def settings_file(self) -> Path:
        """For a shell: `. var/demo-8080/settings.sh` lets `ipx-gateway` work on the demo."""
        return self.directory / "settings.sh"

    @property
    def trust_file(self) -> Path:
        return self.directory / "trust.json"

    def prepare(self, *, clock: Clock = utc_now) -> None:
        """Make tables and register the world; what is registered already stays.

        Args:
            clock: dates what is registered, keys too.
        """
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.environment().items()]
        with os.fdopen(os.open(self.settings_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        database = Database(self.settings.database_url)
        migrate.upgrade(database)
        database.dispose()
        services = build(self.settings, clock=clock)
        try:
            _register(services, self.world)
        finally:
            services.close()

    def invite(self) -> list[Invitation]:
        """Register the demo's people; links for those who have not set up how they sign in."""
        services = build(self.settings)
        try:
            return invite_all(services.people, ACTOR)
        finally:
            services.close()

    def relax(self) -> None:
        """Let people in with a password alone: for a world that ends with its process and holds nothing real."""
        self.settings = replace(self.settings, people=PeopleSettings(is_second_factor_required=False))

    def urn(self, agency: str, record_type: str, number: str, keys: HolderKeys) -> str:
        """Name a record as the holder's own systems would: by number, or opaque where the number is information."""
        if CATALOGUE.types[record_type].is_published_register:
            return str(RecordId(agency, record_type, number_to_local(number)))
        return str(RecordId(agency, record_type, seal_local(keys.id_key(agency), number)))

    def play(self, echo: Echo) -> Counts:
        """Tell the story against the running server."""
        services = build(self.settings)
        try:
            return play(
                self.origin,
                self.world,
                self.trust_file,
                echo,
                record_urn=lambda agency, record_type, number: self.urn(
                    agency, record_type, number, services.holder_keys
                ),
            )
        finally:
            services.close()

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run gunicorn while the block runs; it is ready when the block begins, and gone when it ends.

        Raises:
            DemoError: it did not get ready, or something else listens on its port.
        """
        _require_free(self._port)
        command = [sys.executable, "-m", "gunicorn", "-c", "python:gateway.gunicorn_conf"]
        server = subprocess.Popen(command, env=os.environ | self.environment())  # noqa: S603  (our own interpreter)
        try:
            self._wait_until_ready(server)
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def environment(self) -> dict[str, str]:
        """Give the settings as a server reads them."""
        settings = self.settings
        return {
            "IPX_ORIGIN": settings.origin,
            "IPX_DATABASE_URL": settings.database_url,
            "IPX_CHECKPOINT_DATABASE_URL": settings.checkpoint_database_url,
            "IPX_KEY_ENCRYPTION_KEY": base64.b64encode(settings.key_encryption_key).decode(),
            "IPX_RECEIPT_KEY": str(settings.receipt_key),
            "IPX_LOG_KEY": str(settings.log_key),
            "IPX_TRUST_KEY": str(settings.trust_key),
            "IPX_NODE": settings.node,
            "IPX_HOLDER_SECONDS": str(settings.holder_seconds),
            "IPX_SOURCES": str(settings.sources),
            "IPX_BIND": settings.bind,
            "IPX_WORKERS": str(settings.workers),
            "IPX_THREADS": str(settings.threads),
            "IPX_SECOND_FACTOR": str(settings.people.is_second_factor_required).lower(),
            **{f"IPX_SECRET_{name}": value for name, value in settings.secrets.items()},
        }

    def credentials(self) -> dict[str, Any]:
        """Give what an independent client needs to call this demo.

        `introspect` names the client that may look at any token; `authorization_details` fits the first client.
        """
        mark = str(RecordId("ipo-xa", "trademark", number_to_local("202400017")))
        return {
            "issuer": self.origin,
            "resource": self.settings.resource,
            "scope": demo_world.SCOPE,
            "call": {"method": "GET", "url": f"{self.origin}/v1/whoami", "body": None},
            "clients": [_credential(client, self.world.keys) for client in self.world.clients],
            "introspect": demo_world.EXAMINER,
            "authorization_details": [
                {
                    "type": "ipx_purpose",
                    "purpose": "border_enforcement",
                    "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4",
                }
            ],
            "exchange_url": f"{self.origin}/v1/exchanges",
            "trust_file": str(self.trust_file),
            "record": mark,
            "purpose": "border_enforcement",
            "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4",
        }

    def _settings(self) -> Settings:
        keys = self.directory / "keys"
        for name in ("receipt", "log", "trust"):
            if not (keys / f"{name}.pem").exists():
                write_signer(keys / f"{name}.pem", generate_signer("Ed25519"))
        kek = keys / "key-encryption.key"
        if not kek.exists():
            with os.fdopen(os.open(kek, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(32)))
        return Settings(
            origin=self.origin,
            database_url=f"sqlite:///{self.directory / 'gateway.db'}",
            checkpoint_database_url=f"sqlite:///{self.directory / 'checkpoints' / 'checkpoints.db'}",
            key_encryption_key=base64.b64decode(kek.read_bytes()),
            receipt_key=keys / "receipt.pem",
            log_key=keys / "log.pem",
            trust_key=keys / "trust.pem",
            node="demo",
            holder_seconds=5.0,
            exchange_seconds=30.0,
            sources=self.world.sources_root,
            secrets=self.world.secrets,
            bind=f"127.0.0.1:{self._port}",
            workers=2,
            threads=16,
        )

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up:
            if server.poll() is not None:
                raise DemoError(f"the server ended with status {server.returncode}; its words stand above")
            try:
                if httpx.get(f"{self.origin}/readyz", timeout=2.0).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise DemoError(f"the server was not ready after {READY_SECONDS:.0f} s; is port {self._port} taken?")


def free_port() -> int:
    """Find a port of this machine that nobody uses at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _require_free(port: int) -> None:
    """Look before the server starts: else the story would be told to whoever listens there already."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(f"port {port} is in use: end what listens there, or choose another with --port") from error


def _register(services: Services, world: World) -> None:
    known = {agency.code for agency in services.agencies.agencies()}
    for agency in world.agencies:
        if agency.code not in known:
            services.agencies.add(
                agency.code,
                kind=agency.kind,
                name=agency.name,
                jurisdictions=agency.jurisdictions,
                scopes=agency.scopes,
                purposes=agency.purposes,
                actor=ACTOR,
            )
    for client in world.clients:
        try:
            _register_client(services, client, world.keys[client.id])
        except AlreadyExistsError:
            continue
    for path in world.sources:
        try:
            services.sources.add(path.read_text("utf-8"), actor=ACTOR)
        except AlreadyExistsError:
            services.sources.add(path.read_text("utf-8"), actor=ACTOR, replace=True)
    for holder in sorted({source.holder for source in services.sources.sources()}):
        services.holder_keys.seal(holder)
    services.policies.activate(load(), tests=load_tests(), actor=ACTOR)
    with services.database.write() as session:
        services.trust_lists.publish(session, ACTOR)


def _register_client(services: Services, client: DemoClient, key_file: Path) -> None:
    services.agencies.add_client(client.id, name=client.name, scopes=client.scopes, actor=ACTOR)
    keys = services.client_keys
    if client.state == "key_expired":
        keys = ClientKeys(services.database, services.audit, lambda: services.clock() - LOST_KEY_AGE)
    key = keys.add(client.id, read_key(key_file).public_jwk, actor=ACTOR)
    if client.state == "key_revoked":
        keys.revoke(client.id, key.kid, reason="lost", actor=ACTOR)
    if client.state == "suspended":
        services.agencies.suspend(Client, client.id, reason="switched off for now", actor=ACTOR)


def _credential(client: DemoClient, keys: Mapping[str, Path]) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "agency": client.agency,
        "private_jwk": json.loads(keys[client.id].read_text("utf-8")),
        "state": client.state,
    }
