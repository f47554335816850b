"""Who is calling the API: an access token of ours, bound to a key, proven for this very call (RFC 9449, section 7)."""

import re
from collections.abc import Collection
from dataclasses import field

import flask
from werkzeug.local import LocalProxy

from gateway.agencies.register import RegisterMemory, RegisterView
from gateway.clock import Clock
from gateway.db.group_commit import GroupCommit
from gateway.oauth.certificates import CertificateSource
from gateway.oauth.dpop import DpopVerifier
from gateway.oauth.errors import AccessRefusedError, Reason, RefusedError
from gateway.oauth.form import MEDIA_TYPE, read_form
from gateway.oauth.nonce import Nonces
from gateway.oauth.purpose import Purpose
from gateway.oauth.refusals import UNPROVEN, Refusals, Refused
from gateway.oauth.replay import ReplayedError, ReplayStore, SeenKey
from gateway.oauth.standing import Standing
from gateway.oauth.tokens import AccessToken, AccessTokens
from gateway.oauth.transport import TrustedProxies, call_of
from ipx.values import value

_CREDENTIALS = re.compile(r"(?i:(dpop|bearer)) +([A-Za-z0-9._~+/-]+=*)")
_SCHEME = re.compile(r"(?i)(dpop|bearer)(?: |$)")


@value
class Caller:
    """Who calls, proven.

    Args:
        agency: on whose behalf; access is decided by it and never by the client.
        supplier: the agency of the client where it acts for another one.
        consume: identifiers that this call uses up; empty where the guard has done so.
        register: the register as it was when this call was judged; the rest of the call goes by it.
    """

    client_id: str
    agency: str
    jti: str
    scopes: frozenset[str]
    cnf_jkt: str | None
    authorization_details: tuple[object, ...]
    purpose: Purpose | None
    supplier: str | None
    delegation_id: str | None
    consume: tuple[SeenKey, ...]
    register: RegisterView = field(repr=False, compare=False)

    def require_purpose(self, *, purpose: str, legal_basis: str, case_ref: str | None, record_type: str) -> None:
        """Let a request pass only inside the purpose of the token; whatever releases data needs a token that has one.

        Raises:
            AccessRefusedError: `OUTSIDE_PURPOSE`.
        """
        if self.purpose is None or not self.purpose.covers(
            purpose=purpose, legal_basis=legal_basis, case_ref=case_ref, record_type=record_type
        ):
            raise AccessRefusedError(Reason.OUTSIDE_PURPOSE)


class Guard:
    """Judges calls of one protected resource."""

    def __init__(
        self,
        resource: str,
        *,
        commits: GroupCommit,
        refusals: Refusals,
        proxies: TrustedProxies,
        clock: Clock,
        tokens: AccessTokens,
        memory: RegisterMemory,
        standing: Standing,
        dpop: DpopVerifier,
        nonces: Nonces,
        replay: ReplayStore,
        certificates: CertificateSource | None = None,
    ) -> None:
        self._resource = resource
        self._commits = commits
        self._refusals = refusals
        self._proxies = proxies
        self._clock = clock
        self._tokens = tokens
        self._memory = memory
        self._standing = standing
        self._dpop = dpop
        self._nonces = nonces
        self._replay = replay
        self._certificates = certificates or CertificateSource()

    def authenticate(self, request: flask.Request, scope: str | Collection[str], *, consume: bool = True) -> Caller:
        """Find out who calls.

        Args:
            request: the call, whose body is not read unless it is a form.
            scope: what the token must hold; several mean all of them.
            consume: whether the proof is used up here. Without it the caller of this method passes `Caller.consume` to
                `ReplayStore.consume` in the transaction of whatever the call does, before anything is done.

        Raises:
            AccessRefusedError: with the status, header and problem document that `views` makes of it.
            StoreUnavailableError: it cannot be known who calls; nothing may be done.
        """
        if isinstance(request, LocalProxy):  # the call itself: each look through a proxy costs more than the look
            request = request._get_current_object()  # noqa: SLF001  (its public way)
        wanted = frozenset({scope} if isinstance(scope, str) else scope)
        scheme, text = _credentials(request)
        try:
            token = self._tokens.read(text)
        except RefusedError as refusal:
            self._audit(request, None, refusal.reason)
            raise AccessRefusedError(refusal.reason) from refusal
        try:
            self._require_binding(scheme, request, token)
            register = self._memory.view()
            keys = self._judge(request, token, wanted, register)
            if consume and keys:
                self._use_up(keys)
                keys = ()
        except RefusedError as refusal:
            if refusal.reason is Reason.PROOF_NONCE:
                flask.g.dpop_nonce = self._nonces.current()
            else:
                self._audit(request, token, refusal.reason)
            insufficient = refusal.reason is Reason.SCOPE_INSUFFICIENT
            raise AccessRefusedError(
                refusal.reason, scope=" ".join(sorted(wanted)) if insufficient else None
            ) from refusal
        flask.g.dpop_nonce = self._nonces.current()
        return _caller(token, keys, register)

    def _judge(
        self, request: flask.Request, token: AccessToken, wanted: frozenset[str], register: RegisterView
    ) -> tuple[SeenKey, ...]:
        if token.resource != self._resource:
            raise RefusedError(Reason.TOKEN_AUDIENCE)
        ended = self._standing.of(token, register)
        if ended is not None:
            raise RefusedError(ended.reason)
        keys: tuple[SeenKey, ...] = ()
        if token.thumbprint is not None:
            proof = self._dpop.verify(call_of(request, token_hash=token.hash), bound_to=token.thumbprint)
            keys = (proof.consume,)
        if not wanted <= token.scopes:
            raise RefusedError(Reason.SCOPE_INSUFFICIENT, claim="scope")
        return keys

    def _require_binding(self, scheme: str, request: flask.Request, token: AccessToken) -> None:
        """Let a token bound to a key come as DPoP only, one bound to a certificate as Bearer over its TLS only."""
        if token.certificate is None:
            if scheme != "dpop":
                raise RefusedError(Reason.TOKEN_AS_BEARER)
            return
        certificate = self._certificates.of(request)
        if scheme != "bearer" or certificate is None or certificate.thumbprint != token.certificate:
            raise RefusedError(Reason.TOKEN_BINDING)

    def _use_up(self, keys: tuple[SeenKey, ...]) -> None:
        now = self._clock()
        try:
            self._commits.run(lambda connection: self._replay.consume(connection, keys, now))
        except ReplayedError as error:
            raise RefusedError(Reason.PROOF_REPLAY, claim="jti") from error

    def _audit(self, request: flask.Request, token: AccessToken | None, reason: Reason) -> None:
        address = self._proxies.address_of(request)
        if token is None:
            self._refusals.record(Refused("call.refused", UNPROVEN, "", address, reason))
            return
        client_id = token.client_id
        self._refusals.record(Refused("call.refused", client_id, client_id, address, reason, {"jti": token.jti}))


def _credentials(request: flask.Request) -> tuple[str, str]:
    """Take scheme and token out of the one header they may stand in.

    Raises:
        AccessRefusedError: none, more than one, another scheme, or sent in the address or the body.
    """
    if request.query_string and "access_token" in request.args:
        raise AccessRefusedError(Reason.TOKEN_PLACE)
    if request.mimetype == MEDIA_TYPE:
        try:
            form = read_form(request)
        except RefusedError as refusal:
            raise AccessRefusedError(refusal.reason) from refusal
        if "access_token" in form:
            raise AccessRefusedError(Reason.TOKEN_PLACE)
    header = request.headers.get("Authorization", "")
    credentials = _CREDENTIALS.fullmatch(header)
    if credentials is None:
        raise AccessRefusedError(Reason.TOKEN_MALFORMED if _SCHEME.match(header) else None)
    return credentials[1].lower(), credentials[2]


def _caller(token: AccessToken, keys: tuple[SeenKey, ...], register: RegisterView) -> Caller:
    return Caller(
        client_id=token.client_id,
        agency=token.agency,
        jti=token.jti,
        scopes=token.scopes,
        cnf_jkt=token.thumbprint,
        authorization_details=token.details,
        purpose=token.purpose,
        supplier=token.supplier,
        delegation_id=token.delegation_id,
        consume=keys,
        register=register,
    )
