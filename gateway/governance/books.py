"""The policy book that decides right now: compiled beside the hot path, swapped whole, followed by every worker.

A worker looks for a newer activation at most every half second. A call that notices one waits a quarter of a second at
most for the new book; nothing is decided by a book that could not be confirmed within a second.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.governance.service import Policies, SetInForce
from policies.engine import PolicyBook, PolicyText, compile_book
from policies.remembered import RememberedBook
from policies.schema import Catalogue

POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 0.25
"""How long the call that notices a newer activation waits for its book."""
STALE_SECONDS: Final = 1.0
"""A book confirmed longer ago decides nothing: whoever asks waits for the new one."""


@dataclass(frozen=True, slots=True)
class BookInForce:
    """A compiled book and the names of the versions it was made of, by tier and owner."""

    activation: int
    book: PolicyBook
    remembered: RememberedBook
    versions: Mapping[tuple[str, str], str]


class Consulted:
    """The books that one exchange consults in turn; the last one decided it, and its receipt names that one."""

    def __init__(self, books: "PolicyBooks") -> None:
        self._books = books
        self.last: BookInForce | None = None

    def current(self) -> BookInForce:
        """Give the book in force now. Raises as `PolicyBooks.current`."""
        self.last = self._books.current()
        return self.last

    def newest(self) -> BookInForce:
        """Give the book in force at this moment. Raises as `PolicyBooks.newest`."""
        self.last = self._books.newest()
        return self.last


class _Build(threading.Thread):
    """Makes the newer book beside whoever asks."""

    def __init__(self, books: "PolicyBooks") -> None:
        super().__init__(name="policy-book", daemon=True)
        self._books = books
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._books.build()
        except Exception as error:  # noqa: BLE001  (raised where the book is waited for)
            self.error = error


class PolicyBooks:
    """Gives the book in force."""

    def __init__(self, policies: Policies, catalogue: Catalogue) -> None:
        self._policies = policies
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._sets: Mapping[tuple[str, str], SetInForce] = {}
        self._current: BookInForce | None = None
        self._checked = 0.0
        self._build: _Build | None = None

    def current(self) -> BookInForce:
        """Give the book in force.

        Raises:
            StoreUnavailableError: the activations could not be read; a book that cannot be confirmed decides nothing.
        """
        age = self._age()
        current = self._current  # that one, or one that was made since
        if current is not None and age < POLL_SECONDS:
            return current
        if not self._lock.acquire(blocking=current is None or age >= STALE_SECONDS):
            return current  # type: ignore[return-value]  # another thread is looking, and this one was seen in force
        try:
            if self._current is not None and self._age() < POLL_SECONDS:
                return self._current  # whoever was waited for has looked
            return self._refresh(patience_seconds=PATIENCE_SECONDS)
        finally:
            self._lock.release()

    def consulted(self) -> Consulted:
        """Give what one exchange asks for its books."""
        return Consulted(self)

    def newest(self) -> BookInForce:
        """Give the book in force at this moment, for what must not rest on one that is half a second old.

        Raises:
            StoreUnavailableError: as `current`.
        """
        with self._lock:
            return self._refresh(patience_seconds=None)

    def build(self) -> None:
        """Compile the book of the newest activations and put it in the place of the last one."""
        known = {one.activation: one for one in self._sets.values()}
        sets = {
            place: known.get(one.activation, one) for place, one in sorted(self._policies.sets(known.keys()).items())
        }
        current = self._current
        book = compile_book(
            self._catalogue,
            (text for one in sets.values() for text in one.texts),
            (),
            previous=current.book if current else None,
            validated=frozenset().union(*(one.validated for one in sets.values() if one.activation not in known)),
        )
        self._sets = sets
        self._current = BookInForce(
            max((one.activation for one in sets.values()), default=0),
            book,
            RememberedBook(book),
            {place: one.version for place, one in sets.items()},
        )

    def candidate(self, tier: str, owner: str, texts: Iterable[PolicyText]) -> PolicyBook:
        """Compile the book that would be in force if a tier and owner had these policies.

        Raises:
            BookError: there is no such book.
        """
        in_force = self.newest().book
        others = (text for place, one in in_force.sets.items() if place != (tier, owner) for text in one.given)
        return compile_book(self._catalogue, (*others, *texts), (), previous=in_force)

    def _age(self) -> float:
        """Seconds since the book was last seen to be the one in force."""
        return time.monotonic() - self._checked

    def _refresh(self, *, patience_seconds: float | None) -> BookInForce:
        started = time.monotonic()
        current = self._current
        if current is None:
            self.build()
        else:
            newest = self._policies.newest_activation()
            is_patient = patience_seconds is None or started - self._checked >= STALE_SECONDS
            # A book that was being made already may be older than what was just read: then another one is.
            while current.activation != newest:
                if not self._wait_for_build(None if is_patient else patience_seconds):
                    return current
                if self._current is not None and self._current.activation >= newest:
                    break
        self._checked = started
        if self._current is None:
            raise AssertionError("a book was just made")
        return self._current

    def _wait_for_build(self, seconds: float | None) -> bool:
        """Have a book made beside; tells whether it is ready. Raises what went wrong with it."""
        build = self._build
        if build is None:
            build = self._build = _Build(self)
            build.start()
        build.join(seconds)
        if build.is_alive():
            return False
        self._build = None
        if build.error is not None:
            raise build.error
        return True
