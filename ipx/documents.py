"""The two documents that every exchange leaves behind, as values: what was asked, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from ipx.commitment import Outcome
from ipx.errors import FormatError
from ipx.jws import Json, instant, text
from ipx.query import Query

REQUEST_TYP: Final = "ipx-request+jwt"
RECORD_TYP: Final = "ipx-record+sd-jwt"
RECEIPT_TYP: Final = "ipx-receipt+jwt"
RECALLS_TYP: Final = "ipx-recalls+jwt"

_OUTCOMES: Final = frozenset[Outcome](get_args(Outcome))


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for and why, under its signature."""

    token: str
    issuer: str
    audience: str
    issued_at: int
    expires_at: int
    holder: str
    record: str | None
    """Name of the record asked for; None where a query asks for several."""
    query: Query | None
    purpose: str
    legal_basis: str
    case_ref: str | None

    @classmethod
    def read(cls, token: str, payload: Mapping[str, Json]) -> "Request":
        """Read a verified payload.

        Raises:
            FormatError: a member is missing or of another type; a record and a query, or neither.
        """
        text(payload, "jti")
        if ("query" in payload) == ("record" in payload):
            raise FormatError("The request asks for a record and by a query, or for neither.")
        return cls(
            token=token,
            issuer=text(payload, "iss"),
            audience=text(payload, "aud"),
            issued_at=instant(payload, "iat"),
            expires_at=instant(payload, "exp"),
            holder=text(payload, "holder"),
            record=text(payload, "record") if "record" in payload else None,
            query=Query.read(payload["query"]) if "query" in payload else None,
            purpose=text(payload, "purpose"),
            legal_basis=text(payload, "legal_basis"),
            case_ref=text(payload, "case_ref") if "case_ref" in payload else None,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an exchange ended, under the gateway's signature."""

    token: str
    issuer: str
    exchange: str
    issued_at: int
    req_hash: str
    rec_hash: str
    disclosed: tuple[str, ...]
    """Digests of the disclosures handed over, sorted, each once."""
    holder: str
    outcome: Outcome
    sealed_by: str | None
    stage: str | None
    reason: str | None
    obligations: dict[str, Json]
    withheld: tuple[dict[str, Json], ...]
    """Field groups not handed over: `{group, reason}` and what else the gateway states of each."""
    prior: str | None
    log: str
    records: tuple[tuple[dict[str, Json], ...], ...] | None
    """Of a query's answer: for each record, in their order, the field groups not handed over."""
    page: dict[str, Json] | None
    """Of a query's answer: what it is of the whole."""

    @classmethod
    def read(cls, token: str, payload: Mapping[str, Json]) -> "Receipt":
        """Read a verified payload.

        Raises:
            FormatError: a member is missing, of another type, or has no place in a receipt of this outcome.
        """
        outcome = next((outcome for outcome in _OUTCOMES if outcome == payload.get("outcome")), None)
        if outcome is None:
            raise FormatError("The receipt names no outcome that exists.")
        sealed_by = _optional(payload, "sealed_by")
        disclosed = _digests(payload.get("disclosed"))
        if outcome != "released" and (sealed_by is not None or disclosed):
            raise FormatError("The receipt releases nothing and yet names fields, or who sealed them.")
        if ("records" in payload) != ("page" in payload) or (outcome != "released" and "records" in payload):
            raise FormatError("The receipt says of several records what they are, or what page of them, and not both.")
        return cls(
            token=token,
            issuer=text(payload, "iss"),
            exchange=text(payload, "jti"),
            issued_at=instant(payload, "iat"),
            req_hash=text(payload, "req_hash"),
            rec_hash=text(payload, "rec_hash"),
            disclosed=disclosed,
            holder=text(payload, "holder"),
            outcome=outcome,
            sealed_by=sealed_by,
            stage=_optional(payload, "stage"),
            reason=_optional(payload, "reason"),
            obligations=obligations_of(payload),
            withheld=withheld_of(payload),
            prior=_optional(payload, "prior"),
            log=text(payload, "log"),
            records=records_of(payload),
            page=page_of(payload),
        )


def obligations_of(members: Mapping[str, Json]) -> dict[str, Json]:
    """Read the obligations that come with a release; absent means none.

    Raises:
        FormatError: not an object.
    """
    value = members.get("obligations", {})
    if not isinstance(value, dict):
        raise FormatError("The member 'obligations' is not an object.")
    return value


def withheld_of(members: Mapping[str, Json]) -> tuple[dict[str, Json], ...]:
    """Read the field groups withheld; absent means none.

    Raises:
        FormatError: not a list of objects that name a group and a reason.
    """
    value = members.get("withheld", [])
    if not isinstance(value, list):
        raise FormatError("The member 'withheld' is not a list.")
    groups: list[dict[str, Json]] = []
    for item in value:
        if not isinstance(item, dict):
            raise FormatError("The member 'withheld' holds something else than field groups.")
        text(item, "group")
        text(item, "reason")
        groups.append(item)
    return tuple(groups)


def records_of(members: Mapping[str, Json]) -> tuple[tuple[dict[str, Json], ...], ...] | None:
    """Read of each record of a query's answer which field groups were withheld; None where it is no such answer.

    Raises:
        FormatError: not a list of objects with withheld groups.
    """
    value = members.get("records")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise FormatError("The member 'records' is not a list of objects.")
    return tuple(withheld_of(item) for item in value if isinstance(item, dict))


def page_of(members: Mapping[str, Json]) -> dict[str, Json] | None:
    """Read what a query's answer is of the whole; None where it is no such answer.

    Raises:
        FormatError: not an object.
    """
    value = members.get("page")
    if value is not None and not isinstance(value, dict):
        raise FormatError("The member 'page' is not an object.")
    return value


def _digests(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FormatError("The receipt does not list the fields disclosed.")
    digests = tuple(digest for digest in value if isinstance(digest, str))
    if len(digests) != len(value) or list(digests) != sorted(set(digests)):
        raise FormatError("The receipt's digests of fields are not texts, sorted, each once.")
    return digests


def _optional(members: Mapping[str, Json], name: str) -> str | None:
    return text(members, name) if name in members else None
