"""A small world for policies: the demo agencies, a catalogue of five record types, records as their facts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from policies import bundle_files
from policies.engine import (
    Agency,
    CaseReference,
    Client,
    Delegation,
    PolicyBook,
    PolicyRef,
    PolicyText,
    Question,
    Record,
    Representation,
    compile_book,
    revision_of,
)
from policies.schema import Attribute, Catalogue, FieldGroup, RecordType

# records.md 4: group, class and personal mark
GROUPS = {
    "trademark": {
        "public": "biblio status mark goods priority owner representative",
        "official+p": "owner.contact",
        "confidential": "examination extensions",
    },
    "customs_recordal": {
        "public": "public biblio",
        "official": "licensees supply_chain recognition undertakings",
        "official+p": "contact",
        "confidential": "risk secret extensions",
    },
    "detention": {
        "official": "core goods classification owner_response outcome",
        "confidential": "value markings transport samples referral extensions",
        "confidential+p": "manufacturer exporter importer declarant officer",
    },
    "court_case": {
        "public": "docket parties relief damages outcome judgment_public",
        "public+p": "counsel",
        "official": "compliance",
        "official+p": "individuals judgment_public_unmasked",
        "confidential": "judgment_party extensions",
        "sealed": "judgment_full sealed_items",
    },
    "patent": {"public": "biblio content status", "sealed": "security"},
    "design": {"public": "biblio content classification", "public+p": "designer"},
    "admin_case": {
        "public": "decision respondents",
        "official": "goods repeat review",
        "confidential": "measures transfer evidence extensions",
        "confidential+p": "individuals complainant",
    },
}
ENVELOPE = tuple(FieldGroup(f"record.{name}", "official", is_personal=False) for name in ("provenance", "links"))
PURPOSES = (
    "border_enforcement",
    "court_proceeding",
    "punitive_damages",
    "market_surveillance",
    "arbitration",
    "examination",
    "notify_owner",
    "public_information",
    "statistics",
)
STAGES = (
    "applied registered granted lapsed suspended detained seized released forfeited destroyed transferred "
    "filed decided revoked settled unknown"
)
KINDS = (
    "ip_office",
    "customs",
    "court",
    "regulator",
    "arbitration",
    "copyright_office",
    "association",
    "foreign_office",
    "public",
)
BOOLEAN_FACTS = ("sealed", "unpublished", "deferred", "notified", "under_appeal", "final", "consent_all")
CATALOGUE = Catalogue(
    record_types=tuple(
        RecordType(
            name,
            tuple(
                FieldGroup(f"{name}.{group}", written.removesuffix("+p"), written.endswith("+p"))
                for written, groups in classes.items()
                for group in groups.split()
            )
            + ENVELOPE,
        )
        for name, classes in GROUPS.items()
    ),
    facts=(
        Attribute("holder", "Agency", is_optional=False),
        Attribute("jurisdiction", "Jurisdiction", is_optional=False),
        Attribute("status", "Status", is_optional=False),
        Attribute("stage", "Stage", is_optional=False),
        *(Attribute(name, "Bool", is_optional=False) for name in BOOLEAN_FACTS),
        Attribute("right_keys", "Set<String>", is_optional=False),
        Attribute("case_numbers", "Set<String>", is_optional=False),
        Attribute("parties", "Set<PartyKey>", is_optional=False),
        Attribute("happened_on", "datetime", is_optional=True),
    ),
    enums={
        "AgencyKind": KINDS,
        "Jurisdiction": ("XA", "XB", "XC", "XD"),
        "Purpose": PURPOSES,
        "Mode": ("single", "bulk", "subscription", "dossier"),
        "Approval": ("sealed_release", "personal_data", "settlement_terms"),
        "Status": ("draft", "active", "superseded", "corrected", "sealed", "recalled", "erased"),
        "Stage": tuple(STAGES.split()),
    },
)
AGENCIES = {
    code: Agency(code, kind, frozenset({code[-2:].upper()}) - {"IC"}, suspended=False)
    for code, kind in {
        "ipo-xa": "ip_office",
        "customs-xa": "customs",
        "court-xa": "court",
        "regulator-xa": "regulator",
        "arbitration-xa": "arbitration",
        "ipo-xb": "foreign_office",
        "court-xb": "court",
        "public": "public",
        "supplier-xa": "association",
    }.items()
}
SOURCES = {
    ("ipo-xa", "trademark"): "ipo-xa-trademarks",
    ("ipo-xa", "design"): "ipo-xa-designs",
    ("ipo-xa", "patent"): "ipo-xa-patents",
    ("ipo-xb", "trademark"): "ipo-xb-trademarks",
    ("customs-xa", "customs_recordal"): "customs-xa-recordals",
    ("customs-xa", "detention"): "customs-xa-detentions",
    ("court-xa", "court_case"): "court-xa-cases",
    ("regulator-xa", "admin_case"): "regulator-xa-cases",
}
STAGE_OF = {"trademark": "registered", "detention": "detained", "court_case": "decided", "admin_case": "decided"}
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def policy(tier: str, owner: str, policy_id: str, cedar: str, annotations: str = "") -> PolicyText:
    """One policy whose text begins with its `@id`."""
    text = cedar if cedar.startswith("@id") else f'@id("{policy_id}") {annotations}\n{cedar}\n'
    return PolicyText(PolicyRef(tier, owner, policy_id, revision_of(text)), text)


def permit(groups: Iterable[str], record_type: str, condition: str = "true") -> str:
    """A permit to acknowledge, to release and for groups of one record type."""
    listed = ", ".join(f'IPX::Action::"{name}"' for name in ("acknowledge", "release", *groups))
    return f"permit (principal, action in [{listed}], resource is IPX::{record_type}) when {{ {condition} }};"


def book(*extra: PolicyText, without: Iterable[str] = (), previous: PolicyBook | None = None) -> PolicyBook:
    """The shipped bundles, the default egress policy of every agency, and what a test adds or leaves out."""
    texts = [
        *bundle_files.load(),
        *(bundle_files.default_egress(code, PURPOSES) for code in AGENCIES),
    ]
    kept = [text for text in texts if text.ref.policy_id not in without and str(text.ref.owner) not in without]
    return compile_book(CATALOGUE, [*kept, *extra], (), previous)


def record(holder: str, record_type: str, /, sealed_groups: Mapping[str, str] | None = None, **facts: object) -> Record:
    base = {
        "holder": holder,
        "jurisdiction": holder[-2:].upper(),
        "status": "active",
        "stage": STAGE_OF.get(record_type, "unknown"),
        **dict.fromkeys(BOOLEAN_FACTS, False),
        "right_keys": frozenset(),
        "case_numbers": frozenset(),
        "parties": frozenset(),
    }
    return Record("sha256-" + "0" * 43, {**base, **facts}, sealed_groups or {})


def question(asking: str, holder: str, record_type: str, purpose: str, **changes: object) -> Question:
    """A question by an agency's client; keyword `facts` changes the record, any other one the question."""
    facts = changes.pop("facts", {})
    asked = Question(
        client=Client(f"{asking}.system", frozenset(), 2, suspended=False),
        asking=AGENCIES[asking],
        supplier=None,
        holder=AGENCIES[holder],
        source=SOURCES[holder, record_type],
        record_type=record_type,
        record=record(holder, record_type, **facts),
        groups=frozenset(),
        purpose=purpose,
        legal_basis="a law",
        mode="single",
        now=NOW,
        approvals=frozenset(),
        case_reference=None,
        representing=None,
        delegation=None,
    )
    return replace(asked, **changes)


def case(number: str = "XA-2026-7", **changes: object) -> CaseReference:
    return replace(CaseReference(number, "XA", active=True, verified=True, defendants=frozenset({"p1"})), **changes)


def owner(*right_keys: str, verified: bool = True) -> Representation:
    return Representation("p9", frozenset(right_keys), verified)


def delegation(*, active: bool = True, covers_purpose: bool = True) -> Delegation:
    return Delegation("supplier-xa", active, covers_purpose)


@pytest.fixture(scope="session")
def shipped() -> PolicyBook:
    """The book of the shipped bundles."""
    return book()


class World(SimpleNamespace):
    def __repr__(self) -> str:
        return "the demo world"


@pytest.fixture(scope="session")
def world(shipped) -> World:
    """Builders of questions, records, policies and books."""
    return World(
        agencies=AGENCIES,
        book=book,
        case=case,
        catalogue=CATALOGUE,
        delegation=delegation,
        now=NOW,
        owner=owner,
        permit=permit,
        policy=policy,
        purposes=PURPOSES,
        question=question,
        record=record,
        shipped=shipped,
        stages=tuple(STAGES.split()),
    )
