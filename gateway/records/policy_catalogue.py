"""The catalogue as policies see it: record types with their groups, facts, the words of facts and questions."""

from collections.abc import Iterable

from gateway.records.catalogue import CATALOGUE, Catalogue
from gateway.records.codes import code_table
from policies.schema import Attribute, FieldGroup
from policies.schema import Catalogue as PolicyCatalogue
from policies.schema import RecordType as PolicyRecordType

FACTS = (
    Attribute("holder", "Agency", is_optional=False),
    Attribute("jurisdiction", "Jurisdiction", is_optional=False),
    Attribute("status", "Status", is_optional=False),
    Attribute("stage", "Stage", is_optional=False),
    *(
        Attribute(name, "Bool", is_optional=False)
        for name in ("sealed", "unpublished", "deferred", "notified", "under_appeal", "final", "consent_all")
    ),
    Attribute("right_keys", "Set<String>", is_optional=False),
    Attribute("case_numbers", "Set<String>", is_optional=False),
    Attribute("parties", "Set<PartyKey>", is_optional=False),
    Attribute("happened_on", "datetime", is_optional=True),
)
"""Every record type has the same, so that one guardrail covers all of them; `facts` computes exactly these."""


def policy_catalogue(
    catalogue: Catalogue = CATALOGUE, *, jurisdictions: Iterable[str] | None = None
) -> PolicyCatalogue:
    """Give policies what they may know of records.

    Args:
        catalogue: of record types.
        jurisdictions: the codes policies may name; without them, all of ST.3.
    """
    return PolicyCatalogue(
        record_types=tuple(
            PolicyRecordType(
                name,
                tuple(FieldGroup(group, about.classification, about.personal) for group, about in known.groups.items()),
            )
            for name, known in catalogue.types.items()
        ),
        facts=FACTS,
        enums={
            "AgencyKind": _words("agency-kind"),
            "Jurisdiction": tuple(jurisdictions or _words("st3")),
            "Purpose": _words("purpose"),
            "Mode": _words("mode"),
            "Approval": _words("approval"),
            "Status": _words("record-status"),
            "Stage": _words("stage"),
        },
    )


def _words(table: str) -> tuple[str, ...]:
    return tuple(code_table(table).words)
