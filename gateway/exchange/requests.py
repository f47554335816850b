"""From the bytes of a signed request to a checked value: signature, form, audience, names, freshness."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError

from gateway.clock import Clock
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.errors import RequestSignatureError, RequestTooLargeError, StaleRequestError
from gateway.exchange.schemas import RequestSchema, faults_of
from gateway.oauth.clients import ClientRegister
from gateway.oauth.guard import Caller
from gateway.records.catalogue import CATALOGUE
from gateway.records.record_ids import RecordId, parse_record_id
from ipx import jws
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError, SignatureError
from ipx.keys import Role, TrustedKey

REQUEST_BYTES = 65_536
LIFETIME = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)
"""How far a request's clock may run ahead of ours."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose signature and form hold."""

    raw: str
    sha256: bytes
    client_id: str
    jti: str
    issued_at: datetime
    expires_at: datetime
    holder: str
    record: str
    record_id: RecordId
    groups: frozenset[str]
    """Field groups asked for; empty means all of the record type."""
    purpose: str
    legal_basis: str
    case_ref: str | None

    @property
    def record_type(self) -> str:
        return self.record_id.record_type

    @property
    def record_sha256(self) -> bytes:
        return hashlib.sha256(self.record.encode()).digest()


class Requests:
    def __init__(self, clients: ClientRegister, clock: Clock, origin: str) -> None:
        self._clients = clients
        self._clock = clock
        self._origin = origin
        self._schema = RequestSchema()

    def read(self, body: bytes, caller: Caller) -> SignedRequest:
        """Check everything about a request that does not change with time.

        Raises:
            RequestTooLargeError, InvalidInputError, RequestSignatureError: as their names say; nothing was written.
        """
        if len(body) > REQUEST_BYTES:
            raise RequestTooLargeError(f"{len(body)} bytes")
        try:
            raw = body.decode("ascii")
            keys = _KeysOfClient(self._clients, self._clock, caller)
            verified = jws.verify(raw, keys, roles=frozenset({"requester"}), typ="ipx-request+jwt")
        except (UnicodeDecodeError, FormatError) as error:
            raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
        except SignatureError as error:
            raise RequestSignatureError(str(error)) from error
        members = self._members(verified.payload)
        self._check_names(members)
        return _signed(raw, caller.client_id, members)

    def reread(self, raw: str, client_id: str) -> SignedRequest:
        """Read a request that `read` took before: its signature was checked then, with the keys of that time.

        Raises:
            InvalidInputError: the catalogue changed so that it cannot be asked any more.
        """
        members = self._members(jws.parse_object(b64url_bytes(raw.split(".")[1])))
        self._check_names(members)
        return _signed(raw, client_id, members)

    def require_fresh(self, request: SignedRequest) -> None:
        """Refuse a request that is filed too late or too early.

        Raises:
            StaleRequestError: `exp` is past, or `iat` is more than five seconds ahead.
        """
        now = self._clock()
        if now >= request.expires_at:
            raise StaleRequestError("exp is past")
        if request.issued_at > now + AHEAD:
            raise StaleRequestError("iat is in the future")

    def _members(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        try:
            members: dict[str, Any] = self._schema.load(payload)
        except ValidationError as error:
            raise InvalidInputError(faults_of(error)) from error
        return members

    def _check_names(self, members: Mapping[str, Any]) -> None:
        faults = []
        if members["aud"] != self._origin:
            faults.append(Fault("/aud", "not_for_us", f"must be {self._origin}"))
        lifetime = members["exp"] - members["iat"]
        if not 0 < lifetime <= LIFETIME.total_seconds():
            faults.append(Fault("/exp", "lifetime", f"must be 1 to {LIFETIME.seconds} seconds after iat"))
        if not all(0 <= members[name] < 1 << 40 for name in ("iat", "exp")):
            faults.append(Fault("/iat", "not_a_time", "must be seconds since 1970"))
        record = parse_record_id(members["record"])
        record_type = record.record_type
        if record.agency != members["holder"]:
            faults.append(Fault("/record", "not_of_holder", "names another holder than /holder"))
        known = CATALOGUE.types.get(record_type)
        if known is None:
            known_types = ", ".join(sorted(CATALOGUE.types))
            faults.append(Fault("/record", "unknown_record_type", f"the catalogue has: {known_types}"))
        else:
            faults += [
                Fault(f"/groups/{index}", "unknown_group", f"{record_type} has no field group of this name")
                for index, group in enumerate(members.get("groups", ()))
                if group not in known.groups
            ]
        if faults:
            raise InvalidInputError(faults)


class _KeysOfClient:
    """Finds the caller's own live key by its name; another client's key is never tried.

    The name is the thumbprint even where a client's key set has another one: a request is verified for years, by people
    who know the trust list and nothing else.
    """

    def __init__(self, clients: ClientRegister, clock: Clock, caller: Caller) -> None:
        self._clients = clients
        self._clock = clock
        self._caller = caller

    def key(self, roles: frozenset[Role], kid: str) -> TrustedKey:
        del roles  # a client's key has one role
        client_id = self._caller.client_id
        key = self._clients.find_key(client_id, kid, self._caller.register)
        now = self._clock()
        if key is None or key.revoked_at is not None or not key.is_in_time(now):
            raise SignatureError("the key is not registered for this client, expired, suspended or revoked")
        if key.is_lost(now):
            raise SignatureError("the key comes from the client's key set, which cannot be read any more")
        return TrustedKey("requester", kid, client_id, key.public)


def _signed(raw: str, client_id: str, members: Mapping[str, Any]) -> SignedRequest:
    return SignedRequest(
        raw=raw,
        sha256=hashlib.sha256(raw.encode("ascii")).digest(),
        client_id=client_id,
        jti=members["jti"],
        issued_at=_instant(members["iat"]),
        expires_at=_instant(members["exp"]),
        holder=members["holder"],
        record=members["record"],
        record_id=parse_record_id(members["record"]),
        groups=frozenset(members.get("groups", ())),
        purpose=members["purpose"],
        legal_basis=members["legal_basis"],
        case_ref=members.get("case_ref"),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
