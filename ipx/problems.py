"""What can go wrong between a client and its gateway, as one tree of exceptions.

A refusal or a failed holder is not here: those are outcomes with a receipt (`ipx.answers`). Here stands what left no
outcome behind, each with a sentence about what to do next.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ipx.jws import Json


class ClientError(Exception):
    """Root of everything the client raises on purpose. `next_step` tells a person what to do about it."""

    next_step = "Try again; if it stays, show this message to the gateway's operator."

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        if next_step is not None:
            self.next_step = next_step


class AskError(ClientError):
    """What is asked for cannot be put into a request (a malformed record name, an empty purpose)."""

    next_step = "Correct the argument and run the command again."


class KeyFileError(ClientError):
    """A key file cannot be read or holds no key that this gateway takes."""

    next_step = "Make a key with `ipx keygen` and have its public half registered."


class AddressError(ClientError):
    """The address of the gateway is not one that a secret may be sent to."""

    next_step = "Give the gateway's https:// address without a path; http:// is taken on loopback only."


class UnreachableError(ClientError):
    """No answer came in the time allowed. Whether the gateway has the request is unknown.

    A request keeps its `jti` and may be sent again byte for byte: the gateway answers it once.
    """

    next_step = "Check the address and the network, then repeat the same request; it will not be counted twice."


class MalformedAnswerError(ClientError):
    """Something answered that does not speak this protocol."""

    next_step = "Check that the address is the gateway's and not that of a proxy or a sign-in page."


class DiscoveryError(ClientError):
    """The gateway's metadata (RFC 8414) is missing, contradicts its address, or lacks what this client needs."""

    next_step = "Check the address with the gateway's operator before you send anything to it."


class TokenRefusedError(ClientError):
    """The token endpoint refused (RFC 6749, section 5.2). `code` is the registered error code."""

    next_step = "Compare client id and key with what is registered; the gateway's operator sees the refusal too."

    def __init__(self, code: str, description: str, *, explained_at: str | None = None) -> None:
        super().__init__(
            f"no access token: {code}" + (f" ({description})" if description else ""),
            next_step=f"Read {explained_at}" if explained_at else None,
        )
        self.code = code
        self.description = description


class UnprovenError(ClientError):
    """An answer arrived whose evidence does not hold. `raw` is the answer as carried, kept to be shown to others."""

    next_step = "Do not use this answer. Keep it, and ask the gateway's operator and the holder why."

    def __init__(self, reason: str, raw: bytes) -> None:
        super().__init__(f"the answer does not prove what it says: {reason}")
        self.reason = reason
        self.raw = raw


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457) without a receipt: nothing was released and no outcome was recorded."""

    slug: str
    """Last part of its `type`, such as `jti-reused`."""
    status: int
    title: str
    detail: str
    trace_id: str | None
    errors: tuple[tuple[str, str], ...]
    """Failing members of the request: JSON Pointer and what to do about it."""
    retry_after_seconds: float | None


class ProblemError(ClientError):
    """The gateway answered with a problem. `problem` holds it as a value; the subclass says which family."""

    def __init__(self, problem: Problem) -> None:
        lines = [f"{problem.title} ({problem.slug}, HTTP {problem.status})"]
        lines += [f"  {pointer}: {detail}" for pointer, detail in problem.errors]
        if problem.trace_id:
            lines.append(f"  trace id {problem.trace_id}")
        super().__init__("\n".join(lines), next_step=problem.detail or None)
        self.problem = problem


class InvalidRequestError(ProblemError):
    """A member of the request cannot be taken, or its signature does not hold."""


class StaleRequestError(InvalidRequestError):
    """The request came too late or from the future, and no exchange was opened for it: ask anew."""


class UnauthenticatedError(ProblemError):
    """The token or its proof was refused, also after a fresh one."""


class ForbiddenError(ProblemError):
    """The token does not cover this call."""


class NotFoundError(ProblemError):
    """There is nothing at this address, or not for this client."""


class ConflictError(ProblemError):
    """The call contradicts an earlier one."""


class InFlightError(ConflictError):
    """The same request is still being answered."""


class RequestIdReusedError(ConflictError):
    """Other bytes were sent under the same `jti` before."""


class AnswerGoneError(ProblemError):
    """The answer was erased, sealed or recalled; its receipt stays readable."""


class TooManyRequestsError(ProblemError):
    """A quota is used up or the rate is too high, for longer than this client was willing to wait."""


class UnavailableError(ProblemError):
    """The gateway cannot answer now, for longer than this client was willing to wait. Nothing was released."""


_BY_SLUG: Mapping[str, type[ProblemError]] = {
    "stale-request": StaleRequestError,
    "in-flight": InFlightError,
    "jti-reused": RequestIdReusedError,
}
_BY_STATUS: Mapping[int, type[ProblemError]] = {
    400: InvalidRequestError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: AnswerGoneError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
}
_SERVER_FAULT = 500


def error_of(problem: Problem) -> ProblemError:
    """Give a problem its place in the tree: by slug, else by status, else the root."""
    kind = _BY_SLUG.get(problem.slug) or _BY_STATUS.get(problem.status)
    if kind is None:
        kind = UnavailableError if problem.status >= _SERVER_FAULT else ProblemError
    return kind(problem)


def read_problem(document: Mapping[str, Json], status: int, retry_after_seconds: float | None) -> Problem:
    """Read a problem document leniently: it explains, it proves nothing."""
    errors = document.get("errors")
    trace_id = document.get("trace_id")
    return Problem(
        slug=_text(document, "type").rstrip("/").rpartition("/")[2] or "about:blank",
        status=status,
        title=_text(document, "title") or f"the gateway answered HTTP {status}",
        detail=_text(document, "detail"),
        trace_id=trace_id if isinstance(trace_id, str) else None,
        errors=tuple(
            (_text(fault, "pointer"), _text(fault, "detail"))
            for fault in (errors if isinstance(errors, list) else [])
            if isinstance(fault, dict)
        ),
        retry_after_seconds=retry_after_seconds,
    )


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
