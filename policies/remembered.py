"""A book that remembers its answers: the same question gets the same answer, and is not asked again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from policies.alike import likeness, without_record
from policies.book import PolicyBook
from policies.decision import Denial, Release
from policies.engine import decide, decide_early, decide_many, named_approvals
from policies.question import Question
from policies.rows import RowFilter

ANSWERS_MAX = 4096


class RememberedBook:
    """One book with its answers; a new book begins without any.

    An answer is a function of the book and of what its policies read of the question: questions that are alike there
    (`policies.alike`) are asked once. What could not be decided is never kept.
    """

    def __init__(self, book: PolicyBook) -> None:
        self.book = book
        self._early: dict[Any, Denial | RowFilter] = {}
        self._decided: dict[Any, Release | Denial] = {}

    def decide_early(self, question: Question) -> Denial | RowFilter:
        """Decide without the record, as `policies.engine.decide_early`."""
        asked = without_record(question)
        key = likeness(self.book, asked)
        known = self._early.get(key) if key is not None else None
        if known is None:
            known = decide_early(self.book, asked)
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
        key = None if question.record is None else likeness(self.book, question)
        known = self._decided.get(key) if key is not None else None
        if known is None:
            known = decide(self.book, question)
            _keep(self._decided, key, known)
        return known

    def decide_many(self, questions: Sequence[Question]) -> list[Release | Denial]:
        """Decide, as `policies.engine.decide_many`; of those that are alike only one is asked."""
        keys = [None if one.record is None else likeness(self.book, one) for one in questions]
        found = [None if key is None else self._decided.get(key) for key in keys]
        first: dict[Any, int] = {}
        for number, key in enumerate(keys):
            if found[number] is None:
                first.setdefault(number if key is None else key, number)
        fresh = dict(zip(first, decide_many(self.book, [questions[number] for number in first.values()]), strict=True))
        for key, answer in fresh.items():
            _keep(self._decided, None if isinstance(key, int) else key, answer)
        return [
            known if known is not None else fresh[number if key is None else key]
            for number, (key, known) in enumerate(zip(keys, found, strict=True))
        ]


def _keep(answers: dict[Any, Any], key: Any, answer: Release | Denial | RowFilter) -> None:
    if key is None or (isinstance(answer, Denial) and answer.refused_by == "error"):
        return  # what could not be decided is asked again, and alarms again
    if len(answers) >= ANSWERS_MAX:
        answers.clear()
    answers[key] = answer
