"""Background work of a process: closes what a crash left open, forgets what age alone refuses."""

import threading
from collections.abc import Callable
from typing import Any

import structlog

from gateway.errors import GatewayError
from gateway.oauth.standing import sweep as sweep_revoked
from gateway.settings import read_settings
from gateway.wiring import Services, build

log = structlog.get_logger(__name__)

ROUND_SECONDS = 5.0


class Worker:
    """A thread that goes its round every five seconds. Any number of processes may run one over the same database."""

    def __init__(self, services: Services, *, round_seconds: float = ROUND_SECONDS) -> None:
        self._services = services
        self._round_seconds = round_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def go_round(self) -> None:
        """Do once what is to be done; what fails now is tried again next time."""
        services = self._services
        tasks: dict[str, Callable[[], object]] = {
            "interrupted exchanges": services.recovery.close_overdue,
            "trust list": self._publish_trust,
            "token keys": services.sign_in.keys.advance,
            "used identifiers": lambda: services.replay.sweep(services.clock()),
            "revoked tokens": lambda: sweep_revoked(services.database, services.clock()),
            "token signing keys": services.sign_in.keys.advance,
        }
        for name, task in tasks.items():
            try:
                task()
            except GatewayError as error:
                log.warning("background work failed", task=name, error=type(error).__name__)
            except Exception:
                log.exception("background work broke", task=name)

    def _publish_trust(self) -> None:
        """Publish what changed, where the server holds the trust key; an unchanged list is not published again."""
        publish_trust(self._services)

    def _run(self) -> None:
        while not self._stopping.wait(self._round_seconds):
            self.go_round()


def publish_trust(services: Services) -> None:
    """Publish the trust list where its key is at hand: no receipt may be older than the listing of its key."""
    if services.settings.trust_key is not None:
        with services.database.write() as session:
            services.trust_lists.publish(session, "gateway")


def recover(log: Any) -> None:
    """Before the first worker of a node: tables are there, the log is whole, what a crash left open is closed.

    Raises:
        SettingsError, LogForkedError: the server must not start.
    """
    services = build(read_settings())
    try:
        closed = services.recovery.close_own()
        publish_trust(services)
        if closed:
            log.warning("%d interrupted exchanges closed", closed)
    finally:
        services.close()
