"""What the token debugger finds: a step passed, failed or was skipped, what was expected and how to mend it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.oauth.dpop import Call, DpopVerifier, Proof
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.replay import ReplayStore

Result = Literal["pass", "fail", "skipped"]
Document = dict[str, Any]

_SHOWN_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one step, or of one claim in it.

    Args:
        message: how to mend it, where the reason's own words do not say enough.
    """

    step: str
    result: Result
    reason: Reason | None = None
    claim: str | None = None
    got: Any = None
    expected: str | None = None
    message: str | None = None

    def document(self) -> Document:
        """Write it as a JSON object; what does not apply is left out."""
        reason = self.reason
        members = {
            "step": self.step,
            "result": self.result,
            "code": reason.code if reason else None,
            "claim": self.claim,
            "expected": self.expected or (reason.words if reason else None),
            "got": _shown(self.got),
            "message": self.message or (reason.cure if reason else None),
        }
        return {name: value for name, value in members.items() if value is not None}


def failed(step: str, refusal: RefusedError) -> Finding:
    return Finding(step, "fail", refusal.reason, refusal.claim, refusal.got, refusal.expected)


def finding(step: str, check: Callable[[], object]) -> Finding:
    """Run a check that raises what it refuses."""
    try:
        check()
    except RefusedError as refusal:
        return failed(step, refusal)
    return Finding(step, "pass")


def documents(findings: Iterable[Finding], steps: Sequence[str]) -> list[Document]:
    """Write findings in the order of the steps; a step without one was skipped."""
    found = list(findings)
    done = {finding.step for finding in found}
    found += [Finding(step, "skipped") for step in steps if step not in done]
    return [finding.document() for finding in sorted(found, key=lambda finding: steps.index(finding.step))]


class ProofExaminer:
    """Finds all that is wrong with a proof, without using it up."""

    def __init__(self, dpop: DpopVerifier, replay: ReplayStore) -> None:
        self._dpop = dpop
        self._replay = replay

    def examine(self, call: Call, *, bound_to: str | None = None) -> list[Finding]:
        outcome = self._dpop.examine(call, bound_to=bound_to)
        if not isinstance(outcome, Proof):
            return [failed("proof", refusal) for refusal in outcome]
        if self._replay.was_used(outcome.consume):
            return [Finding("proof", "fail", Reason.PROOF_REPLAY, "jti")]
        return [Finding("proof", "pass")]


def _shown(value: Any) -> str | int | float | None:
    """Show a claim if it is a short text or a number; anything else could be anything."""
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value).lower()
    if isinstance(value, int | float):
        return value
    return (
        value[:_SHOWN_LENGTH]
        if isinstance(value, str)
        else f"a JSON {'object' if isinstance(value, dict) else 'array'}"
    )
