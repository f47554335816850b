"""The services of this slice, as one value."""

from dataclasses import dataclass

from gateway.auditor.indexing import Indexer
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.saved import SavedSearches
from gateway.auditor.search import Search


@dataclass(frozen=True, slots=True)
class Auditing:
    search: Search
    reader: ExchangeReader
    looks: Looks
    saved: SavedSearches
    indexer: Indexer
