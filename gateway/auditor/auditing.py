"""The services of this slice, as one value."""

from dataclasses import dataclass

from gateway.auditor.decision_search import DecisionSearch
from gateway.auditor.flag_finding import FlagFinder
from gateway.auditor.flags import Flags
from gateway.auditor.indexing import Indexer
from gateway.auditor.log_checks import LogChecks
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.recalls import RecallSearch
from gateway.auditor.saved import SavedSearches
from gateway.auditor.search import Search
from gateway.auditor.statistics import Statistics
from gateway.auditor.subjects import Subjects


@dataclass(frozen=True, slots=True)
class Auditing:
    search: Search
    decisions: DecisionSearch
    reader: ExchangeReader
    looks: Looks
    saved: SavedSearches
    indexer: Indexer
    statistics: Statistics
    log_checks: LogChecks
    flags: Flags
    flag_finder: FlagFinder
    subjects: Subjects
    recalls: RecallSearch
