"""What an auditor may ask for: the same filter in the address of a page, of the API and in a saved search."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, validate
from marshmallow import fields as ma

from gateway.auditor.filter_fields import Instant, Several
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.models import OUTCOMES
from gateway.exchange.recall_statements import KINDS
from gateway.records.catalogue import CATALOGUE

TEXT_CHARACTERS: Final = 500
RECALL_STATES: Final = ("open", "overdue", "acknowledged", "disputed", "told")
SIGN_INS: Final = {
    "signed_in": "person.signed_in",
    "refused": "person.sign_in_refused",
    "signed_out": "person.signed_out",
    "ended": "person.sign_ins_ended",
}
"""What a sign-in can come to, and how the audit trail calls it."""
REPORT_DAYS: Final = 30
MOST_REPORT_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class ExchangeFilter:
    """Each member that is given narrows; a member with several values takes any of them."""

    id: str | None = None
    requester: str | None = None
    holder: str | None = None
    client: str | None = None
    record_type: str | None = None
    record: str | None = None
    right: str | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    case: str | None = None
    outcome: tuple[str, ...] = ()
    reason: str | None = None
    withheld: str | None = None
    book: str | None = None
    person: str | None = None
    """Who asked, as the signed request names them, or the officer who gave a verdict on it, for those who may know."""
    policy_version: str | None = None
    """`<owner>@<8 digits>`, of whichever tier."""
    since: datetime | None = None
    """From this instant on, by when the request came."""
    until: datetime | None = None
    """Before this instant."""

    @property
    def record_sha256(self) -> bytes | None:
        return None if self.record is None else hashlib.sha256(self.record.encode()).digest()

    def parameters(self) -> dict[str, str]:
        return _parameters(self)


@dataclass(frozen=True, slots=True)
class RecallFilter:
    id: str | None = None
    holder: str | None = None
    addressee: str | None = None
    kind: str | None = None
    record_type: str | None = None
    record: str | None = None
    state: str | None = None
    """Of an addressee: one of `RECALL_STATES`."""
    right: str | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    case: str | None = None
    person: str | None = None
    policy_version: str | None = None
    """These six: of an exchange by which the record had been given out, as `ExchangeFilter` has them."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def record_sha256(self) -> bytes | None:
        return None if self.record is None else hashlib.sha256(self.record.encode()).digest()

    @property
    def given_out(self) -> ExchangeFilter | None:
        """By which exchanges the record had been given out; None where nothing is said of them."""
        said = {name: getattr(self, name) for name in GIVEN_OUT if getattr(self, name)}
        return ExchangeFilter(**said) if said else None

    def parameters(self) -> dict[str, str]:
        return _parameters(self)


@dataclass(frozen=True, slots=True)
class ActFilter:
    agency: str | None = None
    """Done by its systems or people, or to it and what is its own."""
    actor: str | None = None
    act: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, str]:
        return _parameters(self)


@dataclass(frozen=True, slots=True)
class SignInFilter:
    person: str | None = None
    agency: str | None = None
    """Whose people; those of the gateway's authority belong to none."""
    outcome: tuple[str, ...] = ()
    """Of `SIGN_INS`."""
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, str]:
        return _parameters(self)


AnyFilter = ExchangeFilter | ActFilter | SignInFilter | RecallFilter
GIVEN_OUT: Final = ("right", "purpose", "legal_basis", "case", "person", "policy_version")


def _parameters(wanted: AnyFilter) -> dict[str, str]:
    """Give a filter as parameters of an address; read again, they give the same filter."""
    given: dict[str, str] = {}
    for field in fields(wanted):
        value = getattr(wanted, field.name)
        if isinstance(value, datetime):
            given[field.name] = value.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif value:
            given[field.name] = ",".join(value) if isinstance(value, tuple) else value
    return given


def _text() -> ma.String:
    return ma.String(validate=validate.Length(1, TEXT_CHARACTERS))


def _version() -> ma.String:
    error = "as receipts name it: ipo-xa@1a2b3c4d"
    return ma.String(validate=validate.Regexp(r"[A-Za-z0-9-]{1,63}@[0-9a-f]{8}\Z", error=error))


class ExchangeFilterSchema(Schema):
    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    id = _text()
    requester = _text()
    holder = _text()
    client = _text()
    record_type = ma.String(validate=validate.OneOf(sorted(CATALOGUE.types)))
    record = _text()
    right = _text()
    purpose = _text()
    legal_basis = _text()
    case = _text()
    outcome = Several(OUTCOMES)
    reason = _text()
    withheld = _text()
    book = ma.String(validate=validate.Regexp(r"[0-9a-f]{8,64}\Z", error="8 to 64 hexadecimal digits of a book"))
    person = _text()
    policy_version = _version()
    since = Instant()
    until = Instant(is_end=True)


class ActFilterSchema(Schema):
    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    agency = _text()
    actor = _text()
    act = _text()
    subject = _text()
    since = Instant()
    until = Instant(is_end=True)


class SignInFilterSchema(Schema):
    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    person = _text()
    agency = _text()
    outcome = Several(tuple(SIGN_INS))
    since = Instant()
    until = Instant(is_end=True)


class RecallFilterSchema(Schema):
    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    id = _text()
    holder = _text()
    addressee = _text()
    kind = ma.String(validate=validate.OneOf(KINDS))
    record_type = ma.String(validate=validate.OneOf(sorted(CATALOGUE.types)))
    record = _text()
    state = ma.String(validate=validate.OneOf(RECALL_STATES))
    right = _text()
    purpose = _text()
    legal_basis = _text()
    case = _text()
    person = _text()
    policy_version = _version()
    since = Instant()
    until = Instant(is_end=True)


def exchange_filter(given: Mapping[str, str]) -> ExchangeFilter:
    """Read a filter from the parameters of an address; empty ones, as a form sends them, count as not given.

    Raises:
        InvalidInputError: names each parameter that is unknown, with the nearest that exists, or cannot be used.
    """
    return ExchangeFilter(**_loaded(ExchangeFilterSchema(), given))


def report_span(wanted: ExchangeFilter) -> tuple[datetime, datetime]:
    """Give the time that a report is of: from `since`, before `until`; the last thirty days where neither is said.

    Raises:
        InvalidInputError: other members are given, or the time is longer than 400 days.
    """
    unknown = wanted.parameters().keys() - {"since", "until"}
    if unknown:
        raise InvalidInputError([Fault(f"/{name}", "unknown", "since and until only") for name in sorted(unknown)])
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = wanted.until or today + timedelta(days=1)
    since = wanted.since or until - timedelta(days=REPORT_DAYS)
    if until - since > timedelta(days=MOST_REPORT_DAYS):
        raise InvalidInputError([Fault("/since", "span", f"at most {MOST_REPORT_DAYS} days")])
    return since, until


def act_filter(given: Mapping[str, str]) -> ActFilter:
    """Read a filter of acts, as `exchange_filter`."""
    return ActFilter(**_loaded(ActFilterSchema(), given))


def sign_in_filter(given: Mapping[str, str]) -> SignInFilter:
    """Read a filter of sign-ins, as `exchange_filter`."""
    return SignInFilter(**_loaded(SignInFilterSchema(), given))


def recall_filter(given: Mapping[str, str]) -> RecallFilter:
    """Read a filter of recalls, as `exchange_filter`."""
    return RecallFilter(**_loaded(RecallFilterSchema(), given))


def _loaded(schema: Schema, given: Mapping[str, str]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load({name: value.strip() for name, value in given.items() if value.strip()})
    except ValidationError as error:
        told = error.messages_dict
        raise InvalidInputError([_fault(str(name), said, schema) for name, said in told.items()]) from error
    since, until = loaded.get("since"), loaded.get("until")
    if since is not None and until is not None and since >= until:
        raise InvalidInputError([Fault("/until", "order", "lies after /since")])
    return loaded


def _fault(name: str, told: Any, schema: Schema) -> Fault:
    if name not in schema.fields:
        near = get_close_matches(name, schema.fields, 1)
        said = f"did you mean {near[0]}?" if near else f"there are {', '.join(schema.fields)}"
        return Fault(f"/{name}", "unknown", f"no such parameter; {said}")
    detail = "; ".join(map(str, told)) if isinstance(told, list) else str(told)
    return Fault(f"/{name}", "value", detail)
