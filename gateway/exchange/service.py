"""The way of one exchange: from a signed request to an answer that is in the log. The whole product on one screen.

Refusals and failures are outcomes like releases: each gets a receipt and a leaf. An exception leaves this module only
before the exchange is filed (nothing was asked of anybody), or when its outcome cannot be logged (nothing is released).
"""

from dataclasses import replace

import structlog

from gateway.errors import GatewayError
from gateway.exchange.facts import CaseRegister, Representations
from gateway.exchange.holders import Absent, HeldRecord, Holders, Unavailable
from gateway.exchange.journal import Filed, Finished, Journal
from gateway.exchange.outcomes import NO_INFORMATION, Denied, Failed, Outcome, Released, Withheld
from gateway.exchange.questions import Questions
from gateway.exchange.redaction import release
from gateway.exchange.requests import Requests
from gateway.exchange.seals import Seals, SealError
from gateway.exchange.steps import Step, Stopwatch
from gateway.governance.books import PolicyBooks
from gateway.oauth.guard import Caller
from policies.engine import Denial, Pending, Question, Release, decide, decide_early

log = structlog.get_logger(__name__)


class Broker:
    """Brokers exchanges between agencies; knows the order of the steps and nothing of how each is done."""

    def __init__(
        self,
        requests: Requests,
        questions: Questions,
        journal: Journal,
        books: PolicyBooks,
        cases: CaseRegister,
        representations: Representations,
        holders: Holders,
        seals: Seals,
    ) -> None:
        self._requests = requests
        self._questions = questions
        self._journal = journal
        self._books = books
        self._cases = cases
        self._representations = representations
        self._holders = holders
        self._seals = seals

    def exchange(self, body: bytes, caller: Caller, watch: Stopwatch) -> Finished:
        """Answer one signed request; the same bytes get the same answer again.

        Raises:
            InvalidInputError, RequestSignatureError, StaleRequestError, JtiReusedError, InFlightError: nothing was filed.
            StoreUnavailableError, LogUnavailableError: the outcome could not be written; nothing is released.
        """
        request = self._requests.read(body, caller)
        parties = self._questions.parties(request, caller)
        watch.reached(Step.VERIFY_REQUEST)

        filed = self._journal.open(request, parties, caller)
        watch.reached(Step.WRITE_AHEAD)
        if isinstance(filed, Finished):
            return filed

        outcome = self._outcome(filed, self._questions.ask(request, caller, parties), watch)
        watch.reached(Step.REDACT)

        finished = self._journal.close(filed, outcome, watch)
        watch.reached(Step.LOG)
        return finished

    def _outcome(self, filed: Filed, question: Question, watch: Stopwatch) -> Outcome:
        ...
