"""The token debugger for access tokens: which check of a call fails, and how to mend it. It uses nothing up.

Form, signature, claims and time of a token can be checked by anybody who has it. Whether it was revoked, and in which
state its client is, is told to that client and to who may introspect any token.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.oauth.dpop import Call
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.findings import Document, Finding, ProofExaminer, documents, failed, finding
from gateway.oauth.grant import parse_scopes
from gateway.oauth.standing import Standing
from gateway.oauth.tokens import AccessToken, AccessTokens

STEPS: Final = ("structure", "signature", "claims", "time", "state", "proof", "scope")
CALL_METHOD: Final = "POST"
CALL_PATH: Final = "/v1/exchanges"


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """A token, and the call it was sent with; what is absent is not examined.

    Args:
        path: the raw path of the call, without query.
        scope: what the call needs.
    """

    token: str
    proof: str | None = None
    method: str = CALL_METHOD
    path: str = CALL_PATH
    scope: str | None = None

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "TokenQuestion":
        """Read the parameters `token dpop_proof method path scope`.

        Raises:
            RefusedError: `PARAMETERS`: there is no token.
        """
        if "token" not in form:
            raise RefusedError(Reason.PARAMETERS, claim="token")
        return cls(
            form["token"],
            form.get("dpop_proof"),
            form.get("method", CALL_METHOD),
            form.get("path", CALL_PATH),
            form.get("scope"),
        )


class TokenDebugger:
    """Runs all checks that the guard of the API runs."""

    def __init__(
        self, resources: Sequence[str], tokens: AccessTokens, standing: Standing, proofs: ProofExaminer, clock: Clock
    ) -> None:
        self._resources = tuple(resources)
        self._tokens = tokens
        self._standing = standing
        self._proofs = proofs
        self._clock = clock

    def examine(self, question: TokenQuestion, sees_state: Callable[[AccessToken], bool]) -> list[Document]:
        """Examine a token.

        Args:
            question: the token and its call.
            sees_state: whether who asks may learn in which state the token and its client are.
        """
        return documents(self._findings(question, sees_state), STEPS)

    def _findings(self, question: TokenQuestion, sees_state: Callable[[AccessToken], bool]) -> list[Finding]:
        try:
            jws = self._tokens.parse(question.token)
        except RefusedError as refusal:
            return [failed("structure", refusal)]
        structure = Finding("structure", "pass")
        try:
            self._tokens.require_signature(jws)
        except RefusedError as refusal:
            return [structure, failed("signature", refusal)]
        signature = Finding("signature", "pass")
        try:
            token = self._tokens.token_of(jws, question.token)
        except RefusedError as refusal:
            return [structure, signature, failed("claims", refusal)]
        found = [structure, signature, self._claims(token), self._time(token)]
        if sees_state(token):
            found.append(self._state(token))
        if question.proof is not None or token.thumbprint is None:
            found += self._binding(token, question)
        if question.scope is not None:
            found.append(_scope(token, question.scope))
        return found

    def _claims(self, token: AccessToken) -> Finding:
        if token.resource in self._resources:
            return Finding("claims", "pass")
        expected = " or ".join(self._resources)
        return Finding("claims", "fail", Reason.TOKEN_AUDIENCE, "aud", token.resource, expected)

    def _time(self, token: AccessToken) -> Finding:
        now = self._clock().timestamp()
        if token.is_in_time(now):
            return Finding("time", "pass")
        claim = "exp" if token.claims["exp"] <= now else "nbf"
        return Finding("time", "fail", Reason.TOKEN_EXPIRED, claim, token.claims[claim], f"the time here is {int(now)}")

    def _state(self, token: AccessToken) -> Finding:
        ended = self._standing.ended(token)
        if ended is None:
            return Finding("state", "pass")
        return Finding("state", "fail", ended.reason, expected="a token that nothing has ended", got=ended.because)

    def _binding(self, token: AccessToken, question: TokenQuestion) -> list[Finding]:
        if token.thumbprint is None:
            words = "send it as Bearer over the TLS connection of the certificate that cnf names, without a proof"
            return [Finding("proof", "skipped", message=words)]
        call = Call(question.proof, question.method, question.path, token.hash)
        return self._proofs.examine(call, bound_to=token.thumbprint)


def _scope(token: AccessToken, text: str) -> Finding:
    def require() -> None:
        if not token.scopes.issuperset(parse_scopes(text)):
            held = " ".join(sorted(token.scopes))
            raise RefusedError(Reason.SCOPE_INSUFFICIENT, claim="scope", got=held, expected=text)

    return finding("scope", require)
