"""A pending exchange taken up again: the same request decided afresh, with what officers granted as verified facts."""

from dataclasses import dataclass, replace
from typing import Final

import structlog

from connectors.protocol import Absent
from gateway.errors import InvalidInputError
from gateway.evidence.payloads import PayloadCipher
from gateway.exchange.holders import Holders, Unavailable
from gateway.exchange.outcomes import Denied, Failed, Outcome, Pending, Released, Withheld
from gateway.exchange.questions import Questions
from gateway.exchange.redaction import denied, release
from gateway.exchange.requests import Requests
from gateway.exchange.sealing import RecordSeals
from gateway.exchange.steps import Step, Stopwatch
from gateway.governance.books import Consulted, PolicyBooks
from gateway.oauth.delegation import Delegations
from gateway.oauth.errors import RefusedError
from policies.engine import Question, Release
from policies.remembered import RememberedBook

log = structlog.get_logger(__name__)

SCOPE: Final = "exchange:request"
VOID: Final = "approval_void"
"""Record or policies are not those any more that the officers looked at."""
NOT_APPROVED: Final = "not_approved"
"""Policies would release the group; an officer took it out."""


@dataclass(frozen=True, slots=True)
class Waited:
    """A pending exchange, with who asked."""

    request: str
    client_id: str
    requester: str
    supplier: str | None
    pending: Pending
    cipher: PayloadCipher


class Resumption:
    def __init__(
        self,
        requests: Requests,
        questions: Questions,
        books: PolicyBooks,
        holders: Holders,
        seals: RecordSeals,
        delegations: Delegations,
    ) -> None:
        self._requests = requests
        self._questions = questions
        self._books = books
        self._holders = holders
        self._seals = seals
        self._delegations = delegations

    def consulted(self) -> Consulted:
        """Give what `decide` asks for its book."""
        return self._books.consulted()

    def decide(
        self, waited: Waited, granted: frozenset[str], groups: frozenset[str], books: Consulted, watch: Stopwatch
    ) -> Outcome:
        """Decide with these approvals, and release of `groups` at most.

        Returns:
            a denial with the reason `approval_void` where anything is not as it was when the officers looked at it.
        """
        try:
            return self._decide(waited, granted, groups, books, watch)
        except Exception:
            log.exception("resumed exchange broke")
            return Failed(watch.stage, "internal")

    def is_current(self, waited: Waited, record_type: str, holder: str) -> bool:
        """Tell whether the policies that can bear on the decision are those of the time when it became pending."""
        return self._books.newest().book.bearing(holder, waited.requester, record_type) == waited.pending.policies

    def _decide(  # noqa: C901, PLR0911  (every way it can end is a return)
        self, waited: Waited, granted: frozenset[str], groups: frozenset[str], books: Consulted, watch: Stopwatch
    ) -> Outcome:
        pending = waited.pending
        void = Denied(VOID, pending.withheld)
        try:
            request = self._requests.reread(waited.request, waited.client_id)
            parties = self._questions.named(request, waited.requester, waited.supplier)
            if waited.supplier is not None:
                self._delegations.require(waited.requester, waited.supplier, {SCOPE})
        except (InvalidInputError, RefusedError):
            return void
        current = books.newest()
        if current.book.bearing(request.holder, waited.requester, request.record_type) != pending.policies:
            return void
        asked = self._questions.ask(request, parties, watch.deadline)
        if isinstance(asked, Unavailable):
            return Failed(asked.stage, asked.reason)
        if not parties.is_open:
            return Failed("holder", "suspended", self._questions.snapshot(asked))
        question = replace(asked, approvals=granted)
        watch.reached(Step.DECIDE_EARLY)
        held = self._holders.fetch(request.record_id, parties.source, watch.deadline)
        watch.reached(Step.FETCH)
        if isinstance(held, Absent):
            return void
        if isinstance(held, Unavailable):
            return Failed(held.stage, held.reason, self._questions.snapshot(question))
        sealed = self._seals.seal(held)
        watch.reached(Step.SEAL)
        if isinstance(sealed, Unavailable):
            return Failed(sealed.stage, sealed.reason, self._questions.snapshot(question))
        if sealed.digest != pending.record_digest:
            return void
        whole = self._questions.about(question, sealed, watch.deadline)
        if isinstance(whole, Unavailable):
            return Failed(whole.stage, whole.reason, self._questions.snapshot(question))
        decision = current.remembered.decide(whole)
        watch.reached(Step.DECIDE)
        snapshot = self._questions.snapshot(whole)
        if not isinstance(decision, Release):
            return denied(decision, snapshot)
        outcome = release(sealed, _narrowed(current.remembered, whole, decision, groups), snapshot)
        if not isinstance(outcome, Released):
            return outcome
        taken_out = tuple(Withheld(group, NOT_APPROVED, None) for group in decision.disclosed - groups)
        return replace(
            outcome,
            withheld=tuple(sorted((*outcome.withheld, *taken_out), key=lambda item: item.group)),
            approvals=tuple(sorted(granted)),
        )


def _narrowed(book: RememberedBook, question: Question, decision: Release, groups: frozenset[str]) -> Release:
    """Give the release of fewer groups: with the obligations of their permits, and nobody else's."""
    kept = decision.disclosed & groups
    if kept == decision.disclosed or not kept:
        return replace(decision, disclosed=kept)
    narrow = book.decide(replace(question, groups=kept))
    if not isinstance(narrow, Release) or narrow.disclosed != kept:
        raise AssertionError("a release of fewer groups is another one")
    return replace(narrow, withheld=decision.withheld)
