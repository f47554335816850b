"""Why a record cannot be served: the closed list of reasons, and the value that carries all of one record's."""

from dataclasses import dataclass
from enum import StrEnum

from connectors.errors import ConnectorError


class Reason(StrEnum):
    """Closed: stored with quarantined records, counted in metrics and shown to operators under these words."""

    NOT_PARSEABLE = "not_parseable"
    WRONG_ENCODING = "wrong_encoding"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    FORBIDDEN_XML = "forbidden_xml"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_NAMESPACE = "wrong_namespace"
    WRONG_TYPE = "wrong_type"
    MISSING_REQUIRED = "missing_required"
    MORE_THAN_ONE = "more_than_one"
    BAD_IDENTIFIER = "bad_identifier"
    BAD_CHECK_DIGIT = "bad_check_digit"
    BAD_DATE = "bad_date"
    BAD_NUMBER = "bad_number"
    UNKNOWN_CODE = "unknown_code"
    BAD_HS_EDITION = "bad_hs_edition"
    CONTRADICTORY = "contradictory"
    DUPLICATE_IN_BATCH = "duplicate_in_batch"
    OLDER_REVISION = "older_revision"
    FUTURE_DATE = "future_date"
    KEY_MISMATCH = "key_mismatch"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNER_REVOKED = "signer_revoked"
    CLASS_CONFLICT = "class_conflict"
    INDIVIDUAL_IN_PARTIES = "individual_in_parties"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One thing wrong with one record.

    `field` is the catalogue's name with its place (`goods_services[2].class_number`), empty when the whole document is
    at fault; `where` the place in the source as the source file writes it. Neither holds a value of the record;
    `detail` is for operators.
    """

    field: str
    reason: Reason
    where: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is kept and counted, and never served. `key` is None where it could not be read."""

    source_ref: str
    key: str | None
    reasons: tuple[Rejection, ...]


class UnreadableError(ConnectorError):
    """Bytes in which no record can be read; `apply` turns it into `Quarantined`."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class UnfitValueError(ConnectorError):
    """A value that a transform or an identifier rule refuses. The message never holds the value."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
