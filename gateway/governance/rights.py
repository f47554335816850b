"""What the book in force would answer: the rights matrix, made-up questions explained. Nothing is filed or released."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.governance.books import PolicyBooks
from policies.engine import Agency, Explanation, PolicyBook, Question, Release, decide, explain
from policies.matrix import Asked, Matrix, rights_matrix
from policies.obligations import Obligations

REMEMBERED = 64
"""So many matrices are kept; each belongs to one book."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a made-up question would get. `obligations` is None where nothing is released."""

    explanation: Explanation
    obligations: Obligations | None


class Rights:
    def __init__(self, books: PolicyBooks, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: dict[object, Matrix] = {}

    def matrix(self, holder: Agency, source: str, record_type: str, columns: Sequence[Asked]) -> Matrix:
        """Say which agency may receive which group of a holder's records; a second asking costs nothing.

        Raises:
            LookupError: the catalogue has no such record type.
        """
        book = self._books.current().book
        place = (book.digest, holder, source, record_type, tuple(columns))
        with self._lock:
            found = self._remembered.get(place)
        if found is None:
            found = rights_matrix(book, holder, source, record_type, columns, self._clock())
            with self._lock:
                if len(self._remembered) >= REMEMBERED:
                    self._remembered.clear()
                self._remembered[place] = found
        return found

    def answer(self, question: Question, book: PolicyBook | None = None) -> Answer:
        """Answer a made-up question as of now.

        Args:
            question: its time is set here.
            book: another than the one in force, as of a change that is being drafted.
        """
        book = book or self._books.current().book
        now = self._clock()
        asked = replace(question, now=now.replace(microsecond=now.microsecond // 1000 * 1000))
        decision = decide(book, asked)
        return Answer(explain(book, asked, "auditor"), decision.obligations if isinstance(decision, Release) else None)
