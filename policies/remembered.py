"""A book that remembers its answers: the same question gets the same answer, and is not asked again."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from policies.book import PolicyBook
from policies.decision import Denial, Release
from policies.engine import decide, decide_early, named_approvals
from policies.question import Question
from policies.rows import RowFilter

ANSWERS_MAX = 4096
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class RememberedBook:
    """One book with its answers; a new book begins without any.

    An answer is a function of the book and of everything in the question, so the key is all of it: who asks, for what
    and why, with every fact of the record. Only the time is left out, where no policy of either side reads it.
    """

    def __init__(self, book: PolicyBook) -> None:
        self.book = book
        self._early: dict[Any, Denial | RowFilter] = {}
        self._decided: dict[Any, Release | Denial] = {}

    def decide_early(self, question: Question) -> Denial | RowFilter:
        """Decide without the record, as `policies.engine.decide_early`."""
        key = self._key(replace(question, record=None))
        known = self._early.get(key)
        if known is None:
            known = decide_early(self.book, question)
            _keep(self._early, key, known)
        return known

    def may_be_lifted(self, question: Question) -> bool:
        """Tell of a question that was denied early whether some record could be released with approvals."""
        if not self.book.knows(question.record_type):
            return False
        granted = replace(question, approvals=question.approvals | named_approvals(self.book, question))
        return isinstance(self.decide_early(granted), RowFilter)

    def decide(self, question: Question) -> Release | Denial:
        """Decide, as `policies.engine.decide`."""
        record = question.record
        if record is None:
            return decide(self.book, question)
        facts = tuple(sorted(record.facts.items(), key=_name))
        sealed = tuple(sorted(record.sealed_groups.items(), key=_name))
        key = (self._key(replace(question, record=None)), record.digest, facts, sealed)
        known = self._decided.get(key)
        if known is None:
            known = decide(self.book, question)
            _keep(self._decided, key, known)
        return known

    def _key(self, question: Question) -> Question:
        return question if self._reads_now(question) else replace(question, now=_ANY_TIME)

    def _reads_now(self, question: Question) -> bool:
        if not self.book.knows(question.record_type):
            return True
        sides = (
            self.book.holder_slice(question.holder.code, question.record_type),
            self.book.egress_slice(question.asking.code, question.record_type),
        )
        return any(side is not None and side.reads_now for side in sides)


def _keep(answers: dict[Any, Any], key: Any, answer: Release | Denial | RowFilter) -> None:
    if isinstance(answer, Denial) and answer.refused_by == "error":
        return  # what could not be decided is asked again, and alarms again
    if len(answers) >= ANSWERS_MAX:
        answers.clear()
    answers[key] = answer


def _name(item: tuple[str, Any]) -> str:
    return item[0]
