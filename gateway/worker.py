"""Background work of a process: closes what a crash left open, forgets what age alone refuses."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import QueuePool

from gateway import meters
from gateway.errors import GatewayError
from gateway.node_lock import NodeLock
from gateway.oauth.standing import sweep as sweep_revoked
from gateway.settings import read_settings
from gateway.wiring import Services, build

log = structlog.get_logger(__name__)

ROUND_SECONDS = 5.0
CONFIRM_SECONDS = 1.0
RETENTION_SECONDS = 3600.0


class Worker:
    """Two threads: one goes its round every five seconds, one asks witnesses and time-stamp authority each second.

    Any number of processes may run them over the same database.
    """

    def __init__(self, services: Services, *, round_seconds: float = ROUND_SECONDS, alive: Path | None = None) -> None:
        """Take what is worked on.

        Args:
            services: of this process.
            round_seconds: how long to rest between two rounds.
            alive: a file that is touched each second or so while both threads live, for whoever watches the process.
        """
        self._services = services
        self._round_seconds = round_seconds
        self._alive = alive
        self._stopping = threading.Event()
        self._let_go_at = 0.0
        settings = services.settings
        self._indexing = NodeLock(f"search index of {settings.database_url} on {settings.node}")
        self._threads = [
            threading.Thread(target=self._run, name="worker", daemon=True),
            threading.Thread(target=self._confirm, name="confirmations", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
        self._indexing.let_go()

    def go_round(self) -> None:
        """Do once what is to be done; what fails now is tried again next time."""
        services = self._services
        tasks: dict[str, Callable[[], object]] = {
            "beat": services.beats.beat,
            "interrupted exchanges": services.recovery.close_overdue,
            "pending exchanges": services.settling.go_round,
            "overdue recalls": services.recalling.recalls.go_round,
            "scheduled policies": services.governance.activations.go_round,
            "emergency denials": services.governance.emergencies.go_round,
            "trust list": self._publish_trust,
            "token keys": services.sign_in.keys.advance,
            "key sets of clients": services.key_sets.refresh_due,
            "keys that end soon": services.key_warnings.go_round,
            "sources": services.intake.rounds.go_round,
            "repeated refusals": services.sign_in.refusals.settle,
            "used identifiers": lambda: services.replay.sweep(services.clock()),
            "revoked tokens": lambda: sweep_revoked(services.database, services.clock()),
            "old sign-ins": services.sign_ins.sweep,
            "search index": self._index,
            "retention": self._let_go,
            "figures": self._measure,
        }
        for name, task in tasks.items():
            _attempt(name, task)

    def _index(self) -> None:
        """Note what auditors search by, in one process of the node: it is the same whoever does it."""
        if self._indexing.take():
            self._services.auditing.indexer.catch_up()
            self._services.auditing.flag_finder.go_round()

    def _let_go(self) -> None:
        """Let go what is kept no longer, once an hour: each time leaves an entry in the log."""
        if time.monotonic() >= self._let_go_at:
            let_go(self._services)
            self._let_go_at = time.monotonic() + RETENTION_SECONDS

    def _measure(self) -> None:
        """Note what only the process itself can see of its pools."""
        for name, database in (("main", self._services.database), ("checkpoints", self._services.checkpoint_database)):
            pools = {id(engine): engine.pool for engine in (database.writer, database.reader)}.values()
            sized = [pool for pool in pools if isinstance(pool, QueuePool)]
            meters.CONNECTIONS.labels(name).set(sum(pool.checkedout() for pool in sized))
            most = sum(pool.size() + self._services.settings.pool.overflow for pool in sized)
            meters.CONNECTIONS_MOST.labels(name).set(most)

    def _publish_trust(self) -> None:
        """Publish what changed, where the server holds the trust key; an unchanged list is not published again."""
        publish_trust(self._services)

    def _run(self) -> None:
        while not self._stopping.wait(self._round_seconds):
            self.go_round()

    def _confirm(self) -> None:
        while not self._stopping.wait(CONFIRM_SECONDS):
            _attempt("confirmations", self._services.confirmations.go_round)
            _attempt("state of evidence", self._services.evidence_state.now)
            self._show()

    def _show(self) -> None:
        if self._alive is not None and all(thread.is_alive() for thread in self._threads):
            with suppress(OSError):  # a disk without room, say: whoever watches sees that the file grows old
                self._alive.touch()


def _attempt(name: str, task: Callable[[], object]) -> None:
    try:
        task()
        meters.TASKS.labels(name, "done").inc()
    except GatewayError as error:
        meters.TASKS.labels(name, "failed").inc()
        log.warning("background work failed", task=name, error=type(error).__name__)
    except Exception:
        meters.TASKS.labels(name, "broke").inc()
        log.exception("background work broke", task=name)


def let_go(services: Services) -> tuple[int, int]:
    """Delete the fields of old answers, and what their retention class's time is over for. Returns how many of each."""
    settings, answers = services.settings, 0
    while count := services.erasure.expire_answers(timedelta(days=settings.answer_days)):
        answers += count
    return answers, services.erasure.expire_classes(settings.retention_months)


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
