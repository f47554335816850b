"""The policy book that decides right now: compiled once, swapped whole, followed by every worker within a second."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.governance.service import Policies
from policies.engine import PolicyBook, compile_book
from policies.remembered import RememberedBook
from policies.schema import Catalogue

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class BookInForce:
    """A compiled book and the names of the versions it was made of, by tier and owner."""

    activation: int
    book: PolicyBook
    remembered: RememberedBook
    versions: Mapping[tuple[str, str], str]


class PolicyBooks:
    """Gives the book in force. One thread of the process looks for a newer activation at most every half second."""

    def __init__(self, policies: Policies, catalogue: Catalogue) -> None:
        self._policies = policies
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._current: BookInForce | None = None
        self._checked = 0.0

    def current(self) -> BookInForce:
        """Give the book in force.

        Raises:
            StoreUnavailableError: the activations could not be read; a book that cannot be confirmed decides nothing.
        """
        current = self._current
        if current is not None and time.monotonic() - self._checked < POLL_SECONDS:
            return current
        if not self._lock.acquire(blocking=current is None):
            return current  # type: ignore[return-value]  # another thread is looking; the last book is at most a poll old
        try:
            return self._refresh()
        finally:
            self._lock.release()

    def newest(self) -> BookInForce:
        """Give the book in force at this moment, for what must not rest on one that is half a second old.

        Raises:
            StoreUnavailableError: as `current`.
        """
        with self._lock:
            return self._refresh()

    def _refresh(self) -> BookInForce:
        current = self._current
        if current is None or self._policies.newest_activation() != current.activation:
            activation, texts = self._policies.active()
            book = compile_book(self._catalogue, texts, (), previous=current.book if current else None)
            current = BookInForce(activation, book, RememberedBook(book), self._policies.versions())
            self._current = current
        self._checked = time.monotonic()
        return current
