"""From the bytes of a signed request to a checked value: signature, form, audience, names, freshness."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from gateway.clock import Clock
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.errors import RequestSignatureError, RequestTooLargeError, StaleRequestError
from gateway.exchange.schemas import RequestSchema, faults_of
from gateway.oauth.clients import ClientRegister
from gateway.oauth.guard import Caller
from gateway.records.catalogue import CATALOGUE
from gateway.records.declarations import RecordType
from gateway.records.record_ids import RecordId, parse_record_id
from ipx import jws
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError, SignatureError
from ipx.keys import Role, TrustedKey
from ipx.query import Query
from ipx.values import value

REQUEST_BYTES = 65_536
LIFETIME = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)
"""How far a request's clock may run ahead of ours."""


@value
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
    """Name of the record; of a query, what would be the beginning of all its records' names, and `*`."""
    record_id: RecordId
    """Of a query, with the local part `*`, which no record has."""
    groups: frozenset[str]
    """Field groups asked for; empty means all of the record type."""
    purpose: str
    legal_basis: str
    case_ref: str | None
    query: Query | None = None
    """Several records instead of one."""

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
            keys = KeysOfClient(self._clients, self._clock, caller)
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
            return self._schema.read(payload)
        except ValidationError as error:
            raise InvalidInputError(faults_of(error)) from error

    def _check_names(self, members: Mapping[str, Any]) -> None:
        faults = []
        if members["aud"] != self._origin:
            faults.append(Fault("/aud", "not_for_us", f"must be {self._origin}"))
        lifetime = members["exp"] - members["iat"]
        if not 0 < lifetime <= LIFETIME.total_seconds():
            faults.append(Fault("/exp", "lifetime", f"must be 1 to {LIFETIME.seconds} seconds after iat"))
        if not all(0 <= members[name] < 1 << 40 for name in ("iat", "exp")):
            faults.append(Fault("/iat", "not_a_time", "must be seconds since 1970"))
        query: Query | None = members.get("query")
        record: RecordId | None
        if query is None:
            pointer, record = "/record", members["record"]
            record_type = members["record"].record_type
        else:
            pointer, record = "/query/after", parse_record_id(query.after) if query.after is not None else None
            record_type = query.record_type
        if record is not None and record.agency != members["holder"]:
            faults.append(Fault(pointer, "not_of_holder", "names another holder than /holder"))
        if record is not None and record.record_type != record_type:
            faults.append(Fault(pointer, "another_type", f"names no {record_type}"))
        known = CATALOGUE.types.get(record_type)
        if known is None:
            known_types = ", ".join(sorted(CATALOGUE.types))
            where = "/record" if query is None else "/query/record_type"
            faults.append(Fault(where, "unknown_record_type", f"the catalogue has: {known_types}"))
        else:
            faults += _selector_faults(query, known) if query is not None else []
            faults += [
                Fault(f"/groups/{index}", "unknown_group", f"{record_type} has no field group of this name")
                for index, group in enumerate(members.get("groups", ()))
                if group not in known.groups
            ]
        if faults:
            raise InvalidInputError(faults)


class KeysOfClient:
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


def _selector_faults(query: Query, known: RecordType) -> list[Fault]:
    """Find selectors of fields that are not there, or that hold nothing a selector could compare."""
    faults = []
    for selector in query.where:
        name = selector.field.replace("~", "~0").replace("/", "~1")
        pointer, field = f"/query/where/{name}", known.schema.fields.get(selector.field)
        if field is None:
            faults.append(Fault(pointer, "unknown_field", f"{known.name} has no field of this name"))
        elif isinstance(field.inner if isinstance(field, fields.List) else field, fields.Nested | fields.List):
            faults.append(Fault(pointer, "not_comparable", "holds objects; choose by a field that holds single values"))
        elif isinstance(field, fields.List) != (selector.op == "contains"):
            faults.append(Fault(pointer, "selector", "a list is asked for with contains, and nothing else is"))
    return faults


def _signed(raw: str, client_id: str, members: Mapping[str, Any]) -> SignedRequest:
    query: Query | None = members.get("query")
    record_id: RecordId = members["record"] if query is None else RecordId(members["holder"], query.record_type, "*")
    return SignedRequest(
        raw=raw,
        sha256=hashlib.sha256(raw.encode("ascii")).digest(),
        client_id=client_id,
        jti=members["jti"],
        issued_at=_instant(members["iat"]),
        expires_at=_instant(members["exp"]),
        holder=members["holder"],
        record=str(record_id),
        record_id=record_id,
        groups=frozenset(members.get("groups", ())),
        purpose=members["purpose"],
        legal_basis=members["legal_basis"],
        case_ref=members.get("case_ref"),
        query=query,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
