"""What looks back at exchanges that are over, and calls them back, constructed."""

from dataclasses import dataclass

from gateway.audit.service import AuditTrail
from gateway.auditor.auditing import Auditing
from gateway.auditor.decided import Decisions
from gateway.auditor.decision_search import DecisionSearch
from gateway.auditor.flag_finding import FlagFinder
from gateway.auditor.flags import Flags
from gateway.auditor.hashes import RightHashes
from gateway.auditor.indexing import Indexer
from gateway.auditor.log_checks import LogChecks
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.recalls import RecallSearch
from gateway.auditor.saved import SavedSearches
from gateway.auditor.search import Search
from gateway.auditor.statistics import Statistics
from gateway.auditor.subjects import Subjects
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.log import EvidenceLog
from gateway.evidence.payloads import Payloads
from gateway.evidence.published import PublishedLog
from gateway.evidence.state import EvidenceState
from gateway.exchange.cases import CaseHashes
from gateway.exchange.erasure import Erasure
from gateway.exchange.finished import FinishedExchanges
from gateway.exchange.past import PastQuestions
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_statements import RecallStatements
from gateway.exchange.recalls import Recalls
from gateway.exchange.releases import Releases
from gateway.records.facts import PartyKeys
from gateway.records.policy_catalogue import policy_catalogue
from gateway.settings import Settings
from gateway.wiring.derived import derived_key


def build_auditing(
    settings: Settings,
    database: Database,
    log: EvidenceLog,
    audit: AuditTrail,
    finished: FinishedExchanges,
    payloads: Payloads,
    cases: CaseHashes,
    published: PublishedLog,
    state: EvidenceState,
    clock: Clock,
) -> Auditing:
    """Construct what auditors look with."""
    recalls = RecallReader(database, payloads, clock)
    rights = RightHashes(derived_key(settings, b"rights"))
    search = Search(database, cases, rights)
    return Auditing(
        search=search,
        decisions=DecisionSearch(database, search),
        reader=ExchangeReader(
            database, log, finished, Decisions(database, PastQuestions(database, payloads), policy_catalogue()), recalls
        ),
        looks=Looks(database, audit),
        saved=SavedSearches(database, clock),
        indexer=Indexer(database, payloads, rights),
        statistics=Statistics(database),
        log_checks=LogChecks(database, log, published, state),
        flags=Flags(database, audit, clock),
        flag_finder=FlagFinder(database, audit, clock),
        subjects=Subjects(database, PartyKeys(derived_key(settings, b"party-keys")), audit, clock),
        recalls=RecallSearch(database, recalls, search, clock),
    )


@dataclass(frozen=True, slots=True)
class Recalling:
    """What becomes of exchanges that are over: fields erased, records called back by their holders."""

    erasure: Erasure
    statements: RecallStatements
    reader: RecallReader
    recalls: Recalls
    releases: Releases


def build_recalling(
    database: Database,
    statements: RecallStatements,
    payloads: Payloads,
    class_keys: ClassKeys,
    audit: AuditTrail,
    clock: Clock,
) -> Recalling:
    """Construct what erases, and what calls records back."""
    erasure = Erasure(database, payloads, class_keys, audit, clock)
    reader = RecallReader(database, payloads, clock)
    recalls = Recalls(database, statements, reader, payloads, erasure, audit, clock)
    return Recalling(erasure, statements, reader, recalls, Releases(database, payloads, clock))
