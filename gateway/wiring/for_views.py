"""Which services views may ask for, by their type."""

from typing import Any

import svcs
from flask import Flask

from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.quotas import Quotas
from gateway.agencies.service import Agencies
from gateway.agencies.sources import Sources
from gateway.auditor.decision_search import DecisionSearch
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
from gateway.beats import Beats
from gateway.db.company import Crowd
from gateway.db.engine import Database
from gateway.evidence.bundles import Bundles
from gateway.evidence.containers import Containers
from gateway.evidence.log import EvidenceLog
from gateway.evidence.published import PublishedShards
from gateway.evidence.receipts import Receipts
from gateway.evidence.state import EvidenceState
from gateway.evidence.trust_list import TrustLists
from gateway.evidence.witness_service import WitnessService
from gateway.exchange.approvals import Approvals
from gateway.exchange.finished import FinishedExchanges
from gateway.exchange.large_records import LargeRecords
from gateway.exchange.mutual_log import MutualLog
from gateway.exchange.padding import Padding
from gateway.exchange.questions import Registered
from gateway.exchange.recall_list import RecallList
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_statements import RecallStatements
from gateway.exchange.recalls import Recalls
from gateway.exchange.releases import Releases
from gateway.exchange.service import Broker
from gateway.exchange.settling import Settling
from gateway.exchange.sight import Sight
from gateway.governance.activations import Activations
from gateway.governance.books import PolicyBooks
from gateway.governance.changes import Changes
from gateway.governance.collecting import Collecting
from gateway.governance.emergencies import Emergencies
from gateway.governance.evidence import EvidenceRuns
from gateway.governance.folders import Folders
from gateway.governance.replays import Replays
from gateway.governance.reviews import Reviews
from gateway.governance.rights import Rights
from gateway.governance.service import Policies
from gateway.governance.shadows import Shadows
from gateway.intake.following import Following
from gateway.intake.pushed import PushedRecords
from gateway.intake.quarantine import Quarantine, Redrive
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.guard import Guard
from gateway.oauth.key_service import KeySelfService
from gateway.oauth.keys import TokenKeys
from gateway.oauth.metadata import Metadata
from gateway.oauth.replay import ReplayStore
from gateway.oauth.server import GatewayAuthorizationServer
from gateway.oauth.token_debugger import TokenDebugger
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from gateway.policy_api.repeats import Repeats
from gateway.settings import Settings
from gateway.web.cursors import Cursors
from gateway.wiring.derived import derived_key
from gateway.wiring.services import Services


def register(app: Flask, services: Services) -> None:
    """Let views ask for services by their type."""
    provided: list[tuple[type[Any], Any]] = [
        (Settings, services.settings),
        (Database, services.database),
        (EvidenceLog, services.log),
        (PublishedShards, services.shards),
        (EvidenceState, services.evidence_state),
        (Beats, services.beats),
        (ReplayStore, services.replay),
        (Receipts, services.receipts),
        (WitnessService, services.witness),
        (TrustLists, services.trust_lists),
        (PolicyBooks, services.books),
        (Policies, services.policies),
        (EvidenceRuns, services.governance.runs),
        (Replays, services.governance.replays),
        (Changes, services.governance.changes),
        (Collecting, services.governance.collecting),
        (Reviews, services.governance.reviews),
        (Activations, services.governance.activations),
        (Emergencies, services.governance.emergencies),
        (Shadows, services.governance.shadows),
        (Folders, services.governance.folders),
        (Registered, services.governance.registered),
        (Sight, services.sight),
        (Rights, Rights(services.books, services.clock)),
        (Sources, services.sources),
        (Agencies, services.agencies),
        (Quotas, services.quotas),
        (Repeats, Repeats(services.database, services.clock)),
        (ClientKeys, services.client_keys),
        (Quarantine, services.intake.quarantine),
        (Redrive, services.intake.redrive),
        (TokenDebugger, services.sign_in.token_debugger),
        (People, services.people),
        (SignIns, services.sign_ins),
        (TokenKeys, services.sign_in.keys),
        (Metadata, services.sign_in.metadata),
        (GatewayAuthorizationServer, services.sign_in.server),
        (AssertionDebugger, services.sign_in.debugger),
        (
            KeySelfService,
            KeySelfService(
                services.settings.origin,
                services.client_keys,
                database=services.database,
                replay=services.replay,
                clock=services.clock,
            ),
        ),
        (Guard, services.sign_in.guard),
        (Broker, services.broker),
        (Settling, services.settling),
        (Approvals, services.approvals),
        (RecallStatements, services.recalling.statements),
        (RecallReader, services.recalling.reader),
        (Recalls, services.recalling.recalls),
        (Releases, services.recalling.releases),
        (RecallList, RecallList(services.database, services.receipts)),
        (PushedRecords, services.intake.pushed),
        (Following, services.intake.following),
        (FinishedExchanges, services.finished),
        (Bundles, services.bundles),
        (Containers, services.containers),
        (MutualLog, services.mutual_log),
        (Search, services.auditing.search),
        (DecisionSearch, services.auditing.decisions),
        (ExchangeReader, services.auditing.reader),
        (Looks, services.auditing.looks),
        (SavedSearches, services.auditing.saved),
        (RecallSearch, services.auditing.recalls),
        (Indexer, services.auditing.indexer),
        (Statistics, services.auditing.statistics),
        (LogChecks, services.auditing.log_checks),
        (Flags, services.auditing.flags),
        (Subjects, services.auditing.subjects),
        (Cursors, Cursors(derived_key(services.rooted, b"cursors"))),
        (Padding, Padding()),
        (LargeRecords, services.intake.large),
        (Crowd, services.crowd),
    ]
    for kind, service in provided:
        svcs.flask.register_value(app, kind, service)
    app.extensions["step_listener"] = services.listener
