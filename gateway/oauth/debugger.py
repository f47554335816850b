"""The token debugger: which checks an assertion and a proof pass, and how to mend those that fail. It uses nothing up.

What can be read off the input or the public metadata is told to anybody. Whether the client exists, which keys it has
and in which state it is, is told only to who signed with one of those keys.
"""

from collections.abc import Mapping
from typing import Final

from gateway.oauth.client_assertion import Assertion, AssertionVerifier
from gateway.oauth.clients import ClientRegister, RegisteredClient, RegisteredKey
from gateway.oauth.dpop import Call
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.findings import Document, Finding, ProofExaminer, documents, finding
from gateway.oauth.grant import parse_scopes
from gateway.oauth.jose import Jws
from gateway.oauth.replay import ReplayStore, assertion_key
from gateway.oauth.throttle import Throttle

STEPS: Final = ("structure", "claims", "key", "signature", "state", "replay", "scope", "proof")
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  (an address)


class AssertionDebugger:
    """Runs all checks of a token request without issuing, consuming or recording anything."""

    def __init__(
        self,
        assertions: AssertionVerifier,
        register: ClientRegister,
        proofs: ProofExaminer,
        replay: ReplayStore,
        questions: Throttle,
    ) -> None:
        """Take the parts of the authorization server.

        Args:
            assertions: judges assertions.
            register: knows the clients.
            proofs: judges proofs.
            replay: knows what was used.
            questions: how often one address may ask.
        """
        self._assertions = assertions
        self._register = register
        self._proofs = proofs
        self._replay = replay
        self._questions = questions

    def examine(self, form: Mapping[str, str], address: str) -> list[Document]:
        """Examine an assertion, a proof, or both.

        Args:
            form: `client_assertion` with the `scope` to be asked for, `dpop_proof` with the `method` and `path` of its
                call (else those of the token endpoint).
            address: who asks.

        Raises:
            RefusedError: `PARAMETERS`: there is neither; `THROTTLED`.
        """
        if self._questions.is_exhausted(address):
            raise RefusedError(Reason.THROTTLED)
        self._questions.count(address)
        return self.steps(form)

    def steps(self, form: Mapping[str, str], *, tells_all: bool = False) -> list[Document]:
        """Examine, whoever asks.

        Args:
            form: as for `examine`.
            tells_all: for operators: also whether the client exists, and which keys it has.
        """
        if not {"client_assertion", "dpop_proof"} & form.keys():
            raise RefusedError(Reason.PARAMETERS, claim="client_assertion")
        found = [*self._assertion(form["client_assertion"], form, tells_all)] if "client_assertion" in form else []
        return documents([*found, *self._proof(form)], STEPS)

    def _assertion(self, text: str, form: Mapping[str, str], tells_all: bool) -> list[Finding]:  # noqa: FBT001
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
            message = _why_unsigned(jws, client) if tells_all else None
            return [*findings, Finding("key", "fail", Reason.CLIENT_AUTHENTICATION, message=message)]
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
        findings = [finding("state", lambda: self._assertions.require_state(client, key))]
        was_used = self._replay.was_used(assertion_key(client.id, assertion.jti, 0))
        findings.append(Finding("replay", "fail", Reason.REPLAY, "jti") if was_used else Finding("replay", "pass"))
        if "scope" in form:
            findings.append(finding("scope", lambda: _require_scopes(client, form["scope"])))
        return findings

    def _proof(self, form: Mapping[str, str]) -> list[Finding]:
        if "dpop_proof" not in form:
            return []
        method, path = form.get("method", "POST"), form.get("path", TOKEN_PATH)
        return self._proofs.examine(Call(form["dpop_proof"], method, path))


def _why_unsigned(jws: Jws, client: RegisteredClient | None) -> str:
    """Say to an operator what a stranger must not learn."""
    if client is None:
        return "No client of this id is registered."
    kids = [f"{key.kid} ({key.public.alg})" for key in client.keys if key.revoked_at is None]
    named = client.key_named(str(jws.header.get("kid")), jws.alg)
    if named is not None and named.public.alg == jws.alg:
        return "The client has this key, and another key has signed, or the text was changed."
    return f"The client has no key of this name and algorithm; it has: {', '.join(kids) or 'none'}."


def _require_scopes(client: RegisteredClient, text: str) -> None:
    scopes = parse_scopes(text)
    if not client.scopes.issuperset(scopes):
        raise RefusedError(Reason.SCOPE_NOT_ON_CLIENT, claim="scope")
    if not client.agency_scopes.issuperset(scopes):
        raise RefusedError(Reason.SCOPE_NOT_GRANTED, claim="scope")
