"""What changes policies, constructed."""

from dataclasses import dataclass

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.past import PastQuestions
from gateway.exchange.questions import Registered
from gateway.governance.activations import Activations
from gateway.governance.books import PolicyBooks
from gateway.governance.changes import Changes
from gateway.governance.collecting import Collecting, Start
from gateway.governance.emergencies import Emergencies
from gateway.governance.evidence import EvidenceRuns
from gateway.governance.folders import Folders
from gateway.governance.replays import Replays
from gateway.governance.reviews import Reviews
from gateway.governance.service import Policies
from gateway.governance.shadows import Shadows
from policies.schema import Catalogue as PolicyCatalogue


@dataclass(frozen=True, slots=True)
class Governance:
    """How policies change."""

    runs: EvidenceRuns
    replays: Replays
    changes: Changes
    collecting: Collecting
    reviews: Reviews
    activations: Activations
    emergencies: Emergencies
    shadows: Shadows
    folders: Folders
    registered: Registered


def build_governance(
    database: Database,
    audit: AuditTrail,
    policies: Policies,
    books: PolicyBooks,
    past: PastQuestions,
    registered: Registered,
    shadows: Shadows,
    catalogue: PolicyCatalogue,
    clock: Clock,
    start: Start,
) -> Governance:
    """Construct what changes policies."""
    replays = Replays(past, books, catalogue, clock)
    runs = EvidenceRuns(books, replays, catalogue, registered)
    changes = Changes(database, policies, runs, audit, clock)
    return Governance(
        runs,
        replays,
        changes,
        Collecting(database, changes, clock, start),
        Reviews(database, policies, audit, clock),
        Activations(database, policies, audit, clock),
        Emergencies(database, policies, audit, clock),
        shadows,
        Folders(database, policies, changes),
        registered,
    )
