"""Why a record, a field or a single text cannot be taken: one closed list, shared with the quarantine of sources."""

from typing import Literal, NamedTuple, get_args

Reason = Literal[
    "not_parseable",
    "wrong_encoding",
    "too_large",
    "too_deep",
    "forbidden_xml",
    "unknown_schema",
    "wrong_namespace",
    "wrong_type",
    "missing_required",
    "more_than_one",
    "bad_identifier",
    "bad_check_digit",
    "bad_date",
    "bad_number",
    "unknown_code",
    "bad_hs_edition",
    "contradictory",
    "duplicate_in_batch",
    "older_revision",
    "future_date",
    "key_mismatch",
    "signature_invalid",
    "signer_revoked",
    "class_conflict",
    "individual_in_parties",
]
REASONS: frozenset[Reason] = frozenset(get_args(Reason))


class IdentifierError(ValueError):
    """A text that is no identifier or no code of the kind asked for.

    A `ValueError`, so that mappings, which know nothing of this room, can catch it. `detail` names the rule, not the
    text: an identifier of a person must not travel in an error.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Finding(NamedTuple):
    """Something wrong or odd about a record: its top-level field, the reason, and for operators where and what."""

    field: str
    reason: Reason
    detail: str
