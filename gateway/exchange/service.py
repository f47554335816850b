"""The way of one exchange: from a signed request to an answer that is in the log. The whole product on one screen.

Refusals and failures are outcomes like releases: each gets a receipt and a leaf. An exception leaves this module only
before the exchange is filed (nothing was asked of anybody), or when its outcome cannot be logged (nothing is released).
"""

import structlog

from connectors.protocol import Absent
from gateway.agencies.quotas import Quotas
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.finished import Finished
from gateway.exchange.holders import Holders, Unavailable
from gateway.exchange.journal import Journal
from gateway.exchange.lifting import Lifting
from gateway.exchange.outcomes import NO_INFORMATION, Denied, Failed, Outcome
from gateway.exchange.queries import Queries
from gateway.exchange.questions import Parties, Questions
from gateway.exchange.redaction import denied, release
from gateway.exchange.requests import Requests, SignedRequest
from gateway.exchange.sealing import RecordSeals
from gateway.exchange.steps import Step, Stopwatch
from gateway.governance.books import Consulted, PolicyBooks
from gateway.governance.shadows import Shadows
from gateway.oauth.guard import Caller
from policies.engine import Denial, Release

log = structlog.get_logger(__name__)


class Broker:
    """Brokers exchanges between agencies: knows the order of the steps, and nothing of how each is done."""

    def __init__(
        self,
        requests: Requests,
        questions: Questions,
        journal: Journal,
        books: PolicyBooks,
        holders: Holders,
        seals: RecordSeals,
        lifting: Lifting,
        queries: Queries,
        shadows: Shadows,
        quotas: Quotas,
    ) -> None:
        self._requests = requests
        self._questions = questions
        self._journal = journal
        self._books = books
        self._holders = holders
        self._seals = seals
        self._lifting = lifting
        self._queries = queries
        self._shadows = shadows
        self._quotas = quotas

    def exchange(self, body: bytes, caller: Caller, watch: Stopwatch) -> Finished:
        """Answer one signed request; the same bytes get the same answer again.

        Raises:
            InvalidInputError, RequestSignatureError, StaleRequestError: nothing was filed.
            QuotaExhaustedError: nothing was filed, and nothing will be before the next minute or day.
            JtiReusedError, InFlightError: it was filed before, with other bytes or without an outcome yet.
            StoreUnavailableError, LogUnavailableError: the outcome could not be written; nothing is released.
        """
        request = self._requests.read(body, caller)
        parties = self._questions.parties(request, caller)
        self._take_of_quota(request, caller)
        watch.reached(Step.VERIFY_REQUEST)

        filed = self._journal.open(request, parties, caller)
        watch.reached(Step.WRITE_AHEAD)
        if isinstance(filed, Finished):
            return filed
        structlog.contextvars.bind_contextvars(exchange=filed.exchange_id)

        books = self._books.consulted()
        try:
            outcome = self._outcome(request, parties, books, watch)
        except Exception:
            log.exception("exchange broke")
            outcome = Failed(watch.stage, "internal")
        watch.reached(Step.REDACT)

        also = self._lifting.opening(filed, outcome) or self._queries.listing(filed, outcome)
        finished = self._journal.close(filed, outcome, watch, also, by=books.last)
        watch.reached(Step.LOG)
        return finished

    def _take_of_quota(self, request: SignedRequest, caller: Caller) -> None:
        allowance = self._quotas.allowance(caller.register, caller.agency, caller.client_id)
        most = allowance.query_records
        if most is not None and request.query is not None and request.query.limit > most:
            raise InvalidInputError([Fault("/query/limit", "quota", f"at most {most} records for each query of yours")])
        if allowance.exchanges and not self._journal.is_known(request):
            self._quotas.take(allowance)

    def _outcome(  # noqa: C901, PLR0911  (every way an exchange can end is a return)
        self, request: SignedRequest, parties: Parties, books: Consulted, watch: Stopwatch
    ) -> Outcome:
        if request.query is not None:
            return self._queries.outcome(request, request.query, parties, books, watch)
        book = books.current().remembered
        question = self._questions.ask(request, parties, watch.deadline)
        if isinstance(question, Unavailable):
            return Failed(question.stage, question.reason)
        early = book.decide_early(question)
        watch.reached(Step.DECIDE_EARLY)
        if isinstance(early, Denial) and not book.may_be_lifted(question):
            self._shadows.beside(question, early)
            return denied(early, self._questions.snapshot(question))
        if not parties.is_open:
            return Failed("holder", "suspended", self._questions.snapshot(question))

        held = self._holders.fetch(request.record_id, parties.source, watch.deadline)
        watch.reached(Step.FETCH)
        if isinstance(held, Absent):
            return Denied(NO_INFORMATION, snapshot=self._questions.snapshot(question))
        if isinstance(held, Unavailable):
            return Failed(held.stage, held.reason, self._questions.snapshot(question))

        sealed = self._seals.seal(held)
        del held  # the record as its holder gave it may have megabytes
        watch.reached(Step.SEAL)
        if isinstance(sealed, Unavailable):
            return Failed(sealed.stage, sealed.reason, self._questions.snapshot(question))

        whole = self._questions.about(question, sealed, watch.deadline)
        if isinstance(whole, Unavailable):
            return Failed(whole.stage, whole.reason, self._questions.snapshot(question))
        current = books.current()  # the holder may have taken its time
        decision = current.remembered.decide(whole)
        watch.reached(Step.DECIDE)
        self._shadows.beside(whole, decision)
        match decision:
            case Denial():
                return self._lifting.seek(current, whole, decision, sealed, self._questions.snapshot(whole))
            case Release():
                return release(sealed, decision, self._questions.snapshot(whole))
