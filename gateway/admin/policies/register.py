"""The register as pages about policies need it: agencies and sources by name, and whose policies a person may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import svcs

from gateway.agencies.models import Agency as AgencyRow
from gateway.agencies.models import Source
from gateway.agencies.service import Agencies
from gateway.agencies.sources import Sources
from gateway.people.access import SignedIn
from policies.engine import Agency, PolicyRef
from policies.reference import GATEWAY_AUTHORITY


@dataclass(frozen=True, slots=True)
class Register:
    """Agencies by code and the sources they hold, as they are at this moment."""

    rows: Mapping[str, AgencyRow]
    sources: Sequence[Source]

    @property
    def names(self) -> Mapping[str, str]:
        """Names of agencies and sources by their codes, for cards."""
        return {row.code: row.name for row in self.rows.values()}

    @property
    def agencies(self) -> Mapping[str, Agency]:
        """The agencies as the engine knows them."""
        return {
            row.code: Agency(row.code, row.kind, frozenset(row.jurisdictions), row.suspended_at is not None)
            for row in self.rows.values()
        }

    def held(self) -> Sequence[tuple[str, str, str]]:
        """Give holder, record type and source of everything that is offered here."""
        return [(source.holder, source.record_type, source.name) for source in self.sources]


def register() -> Register:
    agencies, sources = svcs.flask.get(Agencies, Sources)
    return Register({row.code: row for row in agencies.agencies()}, sources.sources())


def may_see(person: SignedIn, ref: PolicyRef) -> bool:
    """Guardrails bind everybody, so everybody sees them; other policies are their owner's business."""
    return ref.tier == "guardrail" or person.covers(ref.owner)


def may_edit(person: SignedIn, tier: str, owner: str) -> bool:
    """Tell whether a person's drafts may change the policies of an owner: their own agency's, or all."""
    if not person.may("policy_editor"):
        return False
    return person.is_national or (tier != "guardrail" and owner == person.agency and owner != GATEWAY_AUTHORITY)
