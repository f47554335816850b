"""Who the gateway is to a holder's API: nobody, a password, a key, or a token that it fetches and renews itself."""

import base64
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from connectors.deadline import Deadline
from connectors.formats.json_document import parse_json
from connectors.kinds.http_caller import Call, CallFailedError, HttpCaller
from connectors.protocol import FailReason
from connectors.quarantine import UnreadableError
from connectors.references import Resolver
from connectors.source_file import parse_duration

UNSAID_LIFETIME = 300.0
"""Seconds for which a token is used whose answer says no `expires_in`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one call carries; `token` is the access token among it, so that a dead one can be told from its heir."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)


class Authenticator(Protocol):
    def credentials(self, deadline: Deadline) -> Credentials:
        """Give what the next call carries.

        Raises:
            CallFailedError: a token could not be had.
        """
        ...

    def refused(self, used: Credentials) -> bool:
        """A call with these was answered 401: whether another attempt with newer ones makes sense."""
        ...


class Fixed:
    """The same credentials for every call."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def credentials(self, deadline: Deadline) -> Credentials:
        del deadline
        return self._credentials

    def refused(self, used: Credentials) -> bool:
        del used
        return False


class ClientCredentials:
    """OAuth 2 client credentials (RFC 6749, section 4.4): one token for all threads, renewed before it ends."""

    def __init__(self, document: Mapping[str, Any], resolver: Resolver, caller: HttpCaller) -> None:
        self._caller = caller
        self._url = resolver.resolve(document["token"], "/reach/auth/token")
        client = resolver.resolve(document["client"], "/reach/auth/client")
        secret = resolver.resolve(document["secret"], "/reach/auth/secret")
        form = {"grant_type": "client_credentials"}
        form |= {name: document[name] for name in ("scope", "audience") if name in document}
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        if document.get("send", "basic") == "basic":
            headers.append(("Authorization", _basic(quote(client, safe=""), quote(secret, safe=""), resolver)))
        else:
            form |= {"client_id": client, "client_secret": secret}
        self._call = Call(self._url, tuple(headers), "POST", urlencode(form).encode())
        self._renew_before = parse_duration(document.get("renew_before", "PT60S")).total_seconds()
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def credentials(self, deadline: Deadline) -> Credentials:
        token = self._token if time.monotonic() < self._renew_at else None
        if token is None:
            if not self._lock.acquire(timeout=deadline.remaining_seconds):
                raise CallFailedError(FailReason.TIMEOUT, "waiting for a token")
            try:
                if self._token is None or time.monotonic() >= self._renew_at:
                    self._fetch(deadline)
                token = self._token
            finally:
                self._lock.release()
        return Credentials((("Authorization", f"Bearer {token}"),), (), token)

    def refused(self, used: Credentials) -> bool:
        with self._lock:
            if self._token == used.token:
                self._token = None
        return True

    def _fetch(self, deadline: Deadline) -> None:
        answer = self._caller.send(self._call, deadline)
        if answer.status in (400, 401, 403):
            raise CallFailedError(FailReason.MISCONFIGURED, f"token endpoint: status {answer.status}")
        if answer.status == 429:  # noqa: PLR2004  (too many requests)
            raise CallFailedError(FailReason.THROTTLED, "token endpoint: status 429", timedelta(seconds=30))
        if answer.status != 200:  # noqa: PLR2004  (OK)
            raise CallFailedError(FailReason.UNREACHABLE, f"token endpoint: status {answer.status}")
        try:
            said = parse_json(answer.body.decode("utf-8"), 8)
        except (UnreadableError, UnicodeDecodeError) as error:
            raise CallFailedError(FailReason.BAD_ANSWER, "token endpoint: no JSON") from error
        match said:
            case {"access_token": str(token)} if token.isascii() and token.isprintable() and " " not in token:
                pass
            case _:
                raise CallFailedError(FailReason.BAD_ANSWER, "token endpoint: no access_token")
        if str(said.get("token_type", "bearer")).lower() not in ("bearer", "bearertoken"):  # the latter is Apigee's
            raise CallFailedError(FailReason.BAD_ANSWER, "token endpoint: no bearer token")
        lifetime = _lifetime(said.get("expires_in"))
        self._token = token
        self._renew_at = time.monotonic() + max(lifetime - self._renew_before, lifetime / 2)


def authenticator(document: Mapping[str, Any] | None, resolver: Resolver, caller: HttpCaller) -> Authenticator:
    """Read the `auth` part.

    Raises:
        SourceFileError: a reference without value.
    """
    match document:
        case None:
            return Fixed(Credentials())
        case {"basic": {"user": user, "password": password}}:
            name = resolver.resolve(user, "/reach/auth/basic/user")
            secret = resolver.resolve(password, "/reach/auth/basic/password")
            return Fixed(Credentials((("Authorization", _basic(name, secret, resolver)),)))
        case {"key": key, "header": header}:
            value = document.get("prefix", "") + resolver.resolve(key, "/reach/auth/key")
            return Fixed(Credentials(((header, value),)))
        case {"key": key, "query": name}:
            value = resolver.resolve(key, "/reach/auth/key")
            resolver.keep_secret(quote(value, safe=""))
            return Fixed(Credentials((), ((name, value),)))
        case _:
            return ClientCredentials(document, resolver, caller)


def _basic(user: str, password: str, resolver: Resolver) -> str:
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    resolver.keep_secret(packed)
    return f"Basic {packed}"


def _lifetime(said: Any) -> float:
    """`expires_in` in seconds; some servers send it as a text (`"1199"`)."""
    text = str(said)
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else UNSAID_LIFETIME  # noqa: PLR2004  (digits of thirty years)
