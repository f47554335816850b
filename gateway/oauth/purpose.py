"""Purpose binding: a token that says what it is for (RFC 9396), and whether a request falls inside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.oauth.errors import Reason, RefusedError
from ipx.errors import FormatError
from ipx.jws import parse_json

TYPE: Final = "ipx_purpose"
DETAILS_BYTES: Final = 2048
"""The token travels in a header; web servers take about 8 KiB of it."""

_TEXT_LENGTH: Final = 256
_RECORD_TYPES: Final = 32
_MEMBERS: Final = frozenset({"type", "purpose", "legal_basis", "case_ref", "record_types"})


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a token is for. Absent members bind nothing."""

    purpose: str
    legal_basis: str
    case_ref: str | None = None
    record_types: frozenset[str] | None = None

    def covers(self, *, purpose: str, legal_basis: str, case_ref: str | None, record_type: str) -> bool:
        """Whether a request with these members falls inside it."""
        return (
            purpose == self.purpose
            and legal_basis == self.legal_basis
            and (self.case_ref is None or case_ref == self.case_ref)
            and (self.record_types is None or record_type in self.record_types)
        )


def parse_details(text: str, registered: frozenset[str]) -> list[Mapping[str, Any]]:
    """Read the parameter `authorization_details`.

    Args:
        text: a JSON array, as it was sent.
        registered: purposes of the agency on whose behalf the token is asked for.

    Returns:
        The array as it goes into the token.

    Raises:
        RefusedError: `DETAILS_*` or `PURPOSE_NOT_REGISTERED`.
    """
    try:
        data = text.encode("utf-8")
        details = parse_json(data)
    except FormatError as error:
        raise RefusedError(Reason.DETAILS_MALFORMED) from error
    if len(data) > DETAILS_BYTES or not isinstance(details, list) or len(details) != 1:
        raise RefusedError(Reason.DETAILS_MALFORMED)
    detail = details[0]
    if not isinstance(detail, dict):
        raise RefusedError(Reason.DETAILS_MALFORMED)
    if detail.get("type") != TYPE:
        reason = Reason.DETAILS_TYPE if isinstance(detail.get("type"), str) else Reason.DETAILS_MALFORMED
        raise RefusedError(reason, claim="type")
    if not detail.keys() <= _MEMBERS:
        raise RefusedError(Reason.DETAILS_MEMBER)
    purpose = _purpose(detail)
    if purpose.purpose not in registered:
        raise RefusedError(Reason.PURPOSE_NOT_REGISTERED, claim="purpose")
    return [detail]


def purpose_of(details: Sequence[Mapping[str, Any]]) -> Purpose | None:
    """Give the purpose a token is bound to; None where it is bound to none."""
    return next((_purpose(detail) for detail in details), None)


def _purpose(detail: Mapping[str, Any]) -> Purpose:
    for name in ("purpose", "legal_basis"):
        if not _is_text(detail.get(name)):
            raise RefusedError(Reason.DETAILS_MALFORMED, claim=name)
    if "case_ref" in detail and not _is_text(detail["case_ref"]):
        raise RefusedError(Reason.DETAILS_MALFORMED, claim="case_ref")
    types = detail.get("record_types")
    if "record_types" in detail and not (
        isinstance(types, list) and 0 < len(types) <= _RECORD_TYPES and all(_is_text(name) for name in types)
    ):
        raise RefusedError(Reason.DETAILS_MALFORMED, claim="record_types")
    return Purpose(
        purpose=detail["purpose"],
        legal_basis=detail["legal_basis"],
        case_ref=detail.get("case_ref"),
        record_types=frozenset(types) if types is not None else None,
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LENGTH
