"""Sending one call as a source file allows: in its turn, with credentials, again where that makes sense."""

from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote

from connectors.deadline import Deadline
from connectors.kinds.http_caller import Answer, Call, CallFailedError, HttpCaller
from connectors.kinds.rest_auth import Authenticator
from connectors.kinds.rest_throttle import Throttle
from connectors.protocol import FailReason

BACK_OFF_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class DeadToken:
    """How else than by 401 a source says that a token has died: a status, and a text in the body."""

    status: int
    text: bytes


class Sender:
    def __init__(
        self,
        caller: HttpCaller,
        auth: Authenticator,
        throttle: Throttle,
        *,
        tries: int,
        headers: tuple[tuple[str, str], ...],
        dead_token: DeadToken | None = None,
    ) -> None:
        self._caller = caller
        self._auth = auth
        self._throttle = throttle
        self._tries = tries
        self._headers = headers
        self._dead_token = dead_token

    def send(self, call: Call, deadline: Deadline) -> Answer:
        """Send, as often as the source file allows and the deadline lets. A token that died is renewed once.

        Raises:
            CallFailedError: no answer came, or the source says that it was asked too much.
        """
        is_renewed = False
        tries_left = self._tries
        pause = BACK_OFF_SECONDS
        while True:
            tries_left -= 1
            try:
                with self._throttle.turn(deadline):
                    used = self._auth.credentials(deadline)
                    headers = (*self._headers, *used.headers, *call.headers)
                    whole = replace(call, url=_with_query(call.url, used.query), headers=headers)
                    answer = self._caller.send(whole, deadline)
            except CallFailedError as error:
                if error.reason is not FailReason.UNREACHABLE or tries_left <= 0:
                    raise
                pause = self._backed_off(pause, error, deadline)
                continue
            self._throttle.heard(answer)
            refusal = self._throttle.refusal(answer)
            if refusal is not None:
                if tries_left <= 0 or refusal.retry_after is None:
                    raise refusal
                self._throttle.sleep(refusal.retry_after, deadline)
                continue
            if self._is_dead(answer) and not is_renewed and self._auth.refused(used):
                is_renewed = True
                tries_left += 1
                continue
            if answer.status in (502, 503, 504) and tries_left > 0:
                wait = self._throttle.wait_said(answer)
                failed = CallFailedError(FailReason.UNREACHABLE, f"status {answer.status}", wait)
                pause = self._backed_off(wait.total_seconds() if wait else pause, failed, deadline)
                continue
            return answer

    def _is_dead(self, answer: Answer) -> bool:
        if answer.status == 401:  # noqa: PLR2004  (unauthorized)
            return True
        dead = self._dead_token
        return dead is not None and answer.status == dead.status and dead.text in answer.body

    def _backed_off(self, pause: float, error: CallFailedError, deadline: Deadline) -> float:
        if pause >= deadline.remaining_seconds:
            raise error
        self._throttle.sleep(timedelta(seconds=pause), deadline)
        return pause * 2


def _with_query(url: str, query: tuple[tuple[str, str], ...]) -> str:
    for name, value in query:
        url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={quote(value, safe='')}"
    return url
