"""The token debugger: which checks an assertion and a proof pass, and how to mend those that fail. It uses nothing up.

What can be read off the input or the public metadata is told to anybody. Whether the client exists, which keys it has
and in which state it is, is told only to who signed with one of those keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.oauth.client_assertion import Assertion, AssertionVerifier
from gateway.oauth.clients import ClientRegister, RegisteredClient, RegisteredKey
from gateway.oauth.dpop import Call, DpopVerifier
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.grant import parse_scopes
from gateway.oauth.jose import Jws
from gateway.oauth.replay import ReplayStore, assertion_key
from gateway.oauth.throttle import Throttle

STEPS: Final = ("structure", "claims", "key", "signature", "state", "replay", "scope", "proof")
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  (an address)

_SHOWN_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one step, or of one claim in it."""

    step: str
    result: str
    reason: Reason | None = None
    claim: str | None = None
    got: Any = None
    expected: str | None = None

    def document(self) -> dict[str, Any]:
        """Write it as a JSON object; what does not apply is left out."""
        reason = self.reason
        members = {
            "step": self.step,
            "result": self.result,
            "code": reason.code if reason else None,
            "claim": self.claim,
            "expected": self.expected or (reason.words if reason else None),
            "got": _shown(self.got),
            "message": reason.cure if reason else None,
        }
        return {name: value for name, value in members.items() if value is not None}


class AssertionDebugger:
    """Runs all checks of a token request without issuing, consuming or recording anything."""

    def __init__(
        self,
        assertions: AssertionVerifier,
        register: ClientRegister,
        dpop: DpopVerifier,
        replay: ReplayStore,
        questions: Throttle,
    ) -> None:
        """Take the parts of the authorization server.

        Args:
            assertions: judges assertions.
            register: knows the clients.
            dpop: judges proofs.
            replay: knows what was used.
            questions: how often one address may ask.
        """
        self._assertions = assertions
        self._register = register
        self._dpop = dpop
        self._replay = replay
        self._questions = questions

    def examine(self, form: Mapping[str, str], address: str) -> list[dict[str, Any]]:
        """Examine an assertion, and a proof for the token endpoint where one is sent.

        Args:
            form: `client_assertion`, and optionally `dpop_proof` and `scope`.
            address: who asks.

        Raises:
            RefusedError: `PARAMETERS`: there is no assertion; `THROTTLED`.
        """
        if self._questions.is_exhausted(address):
            raise RefusedError(Reason.THROTTLED)
        self._questions.count(address)
        text = form.get("client_assertion")
        if text is None:
            raise RefusedError(Reason.PARAMETERS, claim="client_assertion")
        findings = [*self._assertion(text, form), self._proof(form)]
        done = {finding.step for finding in findings}
        findings += [Finding(step, "skipped") for step in STEPS if step not in done]
        return [finding.document() for finding in sorted(findings, key=lambda finding: STEPS.index(finding.step))]

    def _assertion(self, text: str, form: Mapping[str, str]) -> list[Finding]:
        try:
            jws = self._assertions.parse(text)
        except RefusedError as refusal:
            return [Finding("structure", "fail", refusal.reason, refusal.claim)]
        findings = [Finding("structure", "pass"), *self._claims(jws)]
        subject = jws.claims.get("sub")
        if not isinstance(subject, str):
            return findings
        client = self._register.find_for_key(subject, jws.header.get("kid"), jws.alg)
        assertion = Assertion(jws, subject, str(jws.claims.get("jti")), 0)
        key = self._assertions.signed_by(assertion, client)
        if client is None or key is None:
            return [*findings, Finding("key", "fail", Reason.CLIENT_AUTHENTICATION)]
        return [
            *findings,
            Finding("key", "pass"),
            Finding("signature", "pass"),
            *self._proven(assertion, client, key, form),
        ]

    def _claims(self, jws: Jws) -> list[Finding]:
        failing = self._assertions.failing_claims(jws.claims)
        if not failing:
            return [Finding("claims", "pass")]
        return [
            Finding(
                "claims",
                "fail",
                refusal.reason,
                refusal.claim,
                got=jws.claims.get(refusal.claim or ""),
                expected=self._assertions.issuer if refusal.reason is Reason.AUDIENCE else None,
            )
            for refusal in failing
        ]

    def _proven(
        self, assertion: Assertion, client: RegisteredClient, key: RegisteredKey, form: Mapping[str, str]
    ) -> list[Finding]:
        findings = [_finding("state", lambda: self._assertions.require_state(client, key))]
        was_used = self._replay.was_used(assertion_key(client.id, assertion.jti, 0))
        findings.append(Finding("replay", "fail", Reason.REPLAY, "jti") if was_used else Finding("replay", "pass"))
        if "scope" in form:
            findings.append(_finding("scope", lambda: _require_scopes(client, form["scope"])))
        return findings

    def _proof(self, form: Mapping[str, str]) -> Finding:
        if "dpop_proof" not in form:
            return Finding("proof", "skipped")
        call = Call(form["dpop_proof"], "POST", TOKEN_PATH)
        return _finding("proof", lambda: self._dpop.verify(call))


def _finding(step: str, check: Any) -> Finding:
    try:
        check()
    except RefusedError as refusal:
        return Finding(step, "fail", refusal.reason, refusal.claim)
    return Finding(step, "pass")


def _require_scopes(client: RegisteredClient, text: str) -> None:
    scopes = parse_scopes(text)
    if not client.scopes.issuperset(scopes):
        raise RefusedError(Reason.SCOPE_NOT_ON_CLIENT, claim="scope")
    if not client.agency_scopes.issuperset(scopes):
        raise RefusedError(Reason.SCOPE_NOT_GRANTED, claim="scope")


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
