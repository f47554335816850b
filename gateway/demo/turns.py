"""The requests of the story as data: who asks whom for what, and why."""

from collections.abc import Callable
from dataclasses import dataclass

from ipx.request import Ask

RecordUrn = Callable[[str, str, str], str]
"""Holder, record type and the holder's own key of a record → its name. A demo asks the gateway's operator: names of
unpublished records are opaque, and a requester learns them from documents it was given (a notice, a court file)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of the story."""

    client: str
    holder: str
    record_type: str
    key: str
    """The holder's own key of the record."""
    purpose: str
    legal_basis: str
    groups: tuple[str, ...] = ()
    case_ref: str | None = None

    def ask(self, record_urn: RecordUrn) -> Ask:
        return Ask(
            record_urn(self.holder, self.record_type, self.key),
            purpose=self.purpose,
            legal_basis=self.legal_basis,
            groups=self.groups,
            case_ref=self.case_ref,
        )


ACTIVE_CASE = "IPC 118/2026"

MARK_AT_THE_BORDER = Turn(
    "customs-xa.intake",
    *("ipo-xa", "trademark", "202400017"),
    purpose="border_enforcement",
    legal_basis="XA Customs Cooperation Agreement 2025, art. 4",
)
RECORDAL = Turn(
    "ipo-xa.exchange",
    *("customs-xa", "customs_recordal", "R2025-0031"),
    purpose="examination",
    legal_basis="XA Customs Cooperation Agreement 2025, art. 6",
)
CONTACT_ABROAD = Turn(
    "arbitration-xa.office",
    *("ipo-xb", "trademark", "2023889012"),
    purpose="arbitration",
    legal_basis="XA Arbitration Act, s. 31",
    groups=("trademark.owner.contact",),
)
MARK_ABROAD = Turn(
    "ipo-xa.exchange",
    *("ipo-xb", "trademark", "2023889012"),
    purpose="examination",
    legal_basis="XA-XB Office Cooperation Protocol 2024, art. 3",
)
OWNER_BEFORE_SEIZURE = Turn(
    "ipo-xa.exchange",
    *("customs-xa", "detention", "D2026-0011"),
    purpose="notify_owner",
    legal_basis="19 CFR 133.25(b)",
)
OWNER_AFTER_SEIZURE = Turn(
    "ipo-xa.exchange",
    *("customs-xa", "detention", "D2026-0015"),
    purpose="notify_owner",
    legal_basis="19 CFR 133.42(d)",
)
DETENTION_WITHOUT_CASE = Turn(
    "court-xa.registry",
    *("customs-xa", "detention", "D2026-0007"),
    purpose="court_proceeding",
    legal_basis="XA Judicial Assistance Act s. 12",
)
DETENTION_FOR_CASE = Turn(
    "court-xa.registry",
    *("customs-xa", "detention", "D2026-0007"),
    purpose="court_proceeding",
    legal_basis="XA Judicial Assistance Act s. 12",
    case_ref=ACTIVE_CASE,
)
SEALED_CASE = Turn(
    "regulator-xa.cases",
    *("court-xa", "court_case", "IPC 24/2026"),
    purpose="market_surveillance",
    legal_basis="XA Market Order Act, s. 40",
)
NO_SUCH_CASE = Turn(
    "regulator-xa.cases",
    *("court-xa", "court_case", "IPC 9999/2026"),
    purpose="market_surveillance",
    legal_basis="XA Market Order Act, s. 40",
)
OPEN_CASE = Turn(
    "regulator-xa.cases",
    *("court-xa", "court_case", "IPC 73/2025"),
    purpose="market_surveillance",
    legal_basis="XA Market Order Act, s. 40",
)
