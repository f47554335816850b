"""Desks that never stop asking while things break, and what was acknowledged to them."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from gateway.demo.run import Demo
from ipx import keyfile
from ipx.answers import Answer, Denied, Failed, Pending, Released
from ipx.client import Client
from ipx.problems import (
    ClientError,
    DiscoveryError,
    InFlightError,
    ProblemError,
    StaleRequestError,
    TokenRefusedError,
    UnavailableError,
    UnreachableError,
)
from ipx.request import Ask
from ipx.trust import Trust
from ipx.waiting import Patience

SAMPLE = 200
PAUSE_SECONDS = 0.05
UNANSWERED_SECONDS = 0.5
REPEATED_SECONDS = 55.0
"""A request lives a minute: for so long it is sent again until it is answered."""
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An answer with a receipt: from here on the gateway may not know better."""

    exchange: str
    outcome: str
    log_index: int


@dataclass
class Kept:
    """What came of all calls. Methods may be called from any thread."""

    rng: random.Random
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    """By exchange."""
    sample: list[bytes] = field(default_factory=list)
    """Whole answers, drawn evenly from all that came."""
    answers: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    """Calls without an outcome, by what was said instead."""
    violations: list[str] = field(default_factory=list)
    released_at: dict[str, float] = field(default_factory=dict)
    """When each client was last released something, on the clock that nobody sets."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, client_id: str, answer: Answer) -> None:
        outcome = outcome_of(answer)
        one = Acknowledged(answer.evidence.exchange, outcome, answer.evidence.log_index)
        with self._lock:
            self.answers[outcome] += 1
            known = self.acknowledged.setdefault(one.exchange, one)
            if known != one:
                self.violations.append(f"{one.exchange} was {known} and then {one}")
            if outcome == "denied":
                self.violations.append(f"{one.exchange} was denied, although a fault is no reason to deny")
            if outcome == "released":
                self.released_at[client_id] = time.monotonic()
            if len(self.sample) < SAMPLE:
                self.sample.append(answer.evidence.raw)
            elif (place := self.rng.randrange(sum(self.answers.values()))) < SAMPLE:
                self.sample[place] = answer.evidence.raw

    def refuse(self, error: ClientError) -> None:
        """Count a call that has no outcome; what a fault does not explain is a violation."""
        words = error.problem.slug if isinstance(error, ProblemError) else type(error).__name__
        with self._lock:
            self.refusals[words] += 1
            if not _explained(error):
                self.violations.append(f"{type(error).__name__}: {error}")

    def violate(self, words: str) -> None:
        with self._lock:
            self.violations.append(words)


def outcome_of(answer: Answer) -> str:
    match answer:
        case Released():
            return "released"
        case Denied():
            return "denied"
        case Failed():
            return "failed"
        case Pending():
            return "pending"
        case _:
            return type(answer).__name__.lower()


def _explained(error: ClientError) -> bool:
    if isinstance(error, TokenRefusedError):
        return error.code == "temporarily_unavailable"
    return isinstance(error, (UnreachableError, UnavailableError, InFlightError, StaleRequestError, DiscoveryError))


class Traffic:
    """Some threads for each client, and one that repeats what had no answer with the same bytes."""

    def __init__(self, demo: Demo, trust: Trust, asks: dict[str, Sequence[Ask]], kept: Kept, threads: int) -> None:
        self._demo, self._trust, self._kept = demo, trust, kept
        self._ending = threading.Event()
        self._open: deque[tuple[str, str, float]] = deque()
        """Client, request and until when it is worth repeating."""
        self._clients = {client_id: self._client(client_id) for client_id in asks}
        self._threads = [
            threading.Thread(target=self._ask, args=(client_id, wanted, kept.rng.random()))
            for client_id, wanted in asks.items()
            for _ in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._repeat))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        for client in self._clients.values():
            client.close()

    def _client(self, client_id: str) -> Client:
        key = keyfile.read_key(self._demo.world.keys[client_id])
        patience = Patience(total_seconds=40, tries=1)
        return Client(self._demo.origin, client_id, key, trust=self._trust, patience=patience)

    def _ask(self, client_id: str, asks: Sequence[Ask], seed: float) -> None:
        rng, client = random.Random(seed), self._clients[client_id]
        while not self._ending.is_set():
            request = client.sign(rng.choice(asks))
            if not self._send(client_id, request):
                self._open.append((client_id, request, time.monotonic() + REPEATED_SECONDS))
                self._ending.wait(UNANSWERED_SECONDS)
            self._ending.wait(PAUSE_SECONDS)

    def _repeat(self) -> None:
        """Ask again for each once a second; what is open when traffic ends is asked for until it is over or stale."""
        while self._open or not self._ending.is_set():
            for _ in range(len(self._open)):
                client_id, request, until = self._open.popleft()
                if not self._send(client_id, request) and time.monotonic() < until:
                    self._open.append((client_id, request, until))
            time.sleep(1.0)

    def _send(self, client_id: str, request: str) -> bool:
        """Send a request; False where it may be answered another time."""
        try:
            self._kept.keep(client_id, self._clients[client_id].send(request))
        except ClientError as error:
            self._kept.refuse(error)
            return isinstance(error, StaleRequestError)
        except Exception as error:  # noqa: BLE001  (a thread that dies silently would make a quiet run)
            self._kept.violate(f"{type(error).__name__}: {error}")
        return True
