"""The only place that constructs services; everything else takes what it needs."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import svcs
from flask import Flask

from connectors.tools import MappingTools
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.key_set_fetch import KeySetFetcher
from gateway.agencies.key_sets import KeySets
from gateway.agencies.key_warnings import KeyWarnings
from gateway.agencies.quotas import Quotas
from gateway.agencies.register import RegisterMemory
from gateway.agencies.service import Agencies
from gateway.agencies.sources import Sources
from gateway.agencies.trusted_keys import requester_keys
from gateway.audit.service import AuditTrail
from gateway.auditor.auditing import Auditing
from gateway.auditor.decided import Decisions
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
from gateway.beats import Beats
from gateway.clock import Clock, utc_now
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.errors import GatewayError, SettingsError
from gateway.evidence.bundles import Bundles
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.confirmations import Confirmations, Rounds
from gateway.evidence.containers import Containers, read_seal
from gateway.evidence.keys import HolderKeys
from gateway.evidence.log import EvidenceLog
from gateway.evidence.outsiders import Authority, Outsiders, Witness, read_roots
from gateway.evidence.payloads import Payloads
from gateway.evidence.published import PublishedLog, PublishedShards
from gateway.evidence.receipts import Receipts
from gateway.evidence.seals import Seals
from gateway.evidence.shard import current_shard
from gateway.evidence.signers import read_signer, require_apart
from gateway.evidence.state import EvidenceState
from gateway.evidence.timestamps import TimestampClient
from gateway.evidence.trust_list import TrustLists
from gateway.evidence.witness_service import WitnessService
from gateway.evidence.witnesses import WitnessClient
from gateway.exchange.approvals import Approvals
from gateway.exchange.cases import CaseHashes
from gateway.exchange.erasure import Erasure
from gateway.exchange.facts import CaseRegister, Representations
from gateway.exchange.finished import FinishedExchanges
from gateway.exchange.holders import Holders
from gateway.exchange.journal import Journal
from gateway.exchange.large_records import LargeRecords
from gateway.exchange.lifting import Lifting
from gateway.exchange.mutual_log import MutualLog
from gateway.exchange.padding import Padding
from gateway.exchange.past import PastQuestions
from gateway.exchange.queries import Queries
from gateway.exchange.questions import Questions, Registered
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_statements import RecallStatements
from gateway.exchange.recalls import Recalls
from gateway.exchange.requests import Requests
from gateway.exchange.resumption import Resumption
from gateway.exchange.sealing import RecordSeals
from gateway.exchange.service import Broker
from gateway.exchange.settling import Settling
from gateway.exchange.sight import Sight
from gateway.exchange.steps import Listener
from gateway.governance.activations import Activations
from gateway.governance.books import PolicyBooks
from gateway.governance.changes import Changes
from gateway.governance.collecting import Collecting, Start, in_a_thread
from gateway.governance.emergencies import Emergencies
from gateway.governance.evidence import EvidenceRuns
from gateway.governance.folders import Folders
from gateway.governance.replays import Replays
from gateway.governance.reviews import Reviews
from gateway.governance.rights import Rights
from gateway.governance.service import Policies
from gateway.governance.shadows import Shadows
from gateway.intake.deliveries import DeliveredRecords
from gateway.intake.following import Following
from gateway.intake.pushed import PushedRecords
from gateway.intake.quarantine import Quarantine, Redrive
from gateway.intake.rounds import FollowingRounds
from gateway.keywrap import KeyWrap
from gateway.oauth.certificates import CertificateSource, ClientCertificates
from gateway.oauth.client_assertion import AssertionVerifier
from gateway.oauth.clients import ClientRegister
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.delegation import Delegations
from gateway.oauth.dpop import DpopVerifier
from gateway.oauth.findings import ProofExaminer
from gateway.oauth.guard import Guard
from gateway.oauth.key_service import KeySelfService
from gateway.oauth.keys import KeyTimes, TokenKeys
from gateway.oauth.metadata import Metadata
from gateway.oauth.nonce import Nonces
from gateway.oauth.refusals import Refusals
from gateway.oauth.replay import DatabaseReplayStore, ReplayStore
from gateway.oauth.server import GatewayAuthorizationServer, Parts
from gateway.oauth.standing import Standing
from gateway.oauth.throttle import Throttle
from gateway.oauth.token_debugger import TokenDebugger
from gateway.oauth.tokens import AccessTokens
from gateway.oauth.transport import TrustedProxies
from gateway.people.datastore import PeopleDatastore
from gateway.people.desk import FAILURES_PER_MINUTE, Desk
from gateway.people.locks import Locks
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from gateway.people.upstream import Provider, Upstream
from gateway.policy_api.repeats import Repeats
from gateway.records.codes import code
from gateway.records.facts import PartyKeys
from gateway.records.identifiers import canonical
from gateway.records.policy_catalogue import policy_catalogue
from gateway.records.validation import oddities, validate
from gateway.recovery import Recovery
from gateway.settings import Settings, variables_in_environment
from gateway.web.cursors import Cursors
from ipx.keys import Signer
from ipx.note import COSIGNATURE, NoteSigner
from policies.schema import Catalogue as PolicyCatalogue

FAILED_SIGN_INS_PER_MINUTE = 60
DEBUGGED_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that views and commands may ask for."""

    settings: Settings
    clock: Clock
    listener: Listener | None
    database: Database
    checkpoint_database: Database
    log: EvidenceLog
    checkpoints: CheckpointStore
    published: PublishedLog
    shards: PublishedShards
    confirmations: Rounds
    evidence_state: EvidenceState
    witness: WitnessService
    audit: AuditTrail
    agencies: Agencies
    quotas: Quotas
    people: People
    sign_ins: SignIns
    desk: Desk
    client_keys: ClientKeys
    key_sets: KeySets
    key_warnings: KeyWarnings
    sources: Sources
    policies: Policies
    books: PolicyBooks
    governance: "Governance"
    sight: Sight
    holder_keys: HolderKeys
    trust_lists: TrustLists
    sign_in: "SignIn"
    replay: ReplayStore
    holders: Holders
    intake: "Intake"
    class_keys: ClassKeys
    payloads: Payloads
    receipts: Receipts
    journal: Journal
    finished: FinishedExchanges
    bundles: Bundles
    containers: Containers
    mutual_log: MutualLog
    auditing: Auditing
    recalling: "Recalling"
    broker: Broker
    settling: Settling
    approvals: Approvals
    recovery: Recovery
    beats: Beats

    @property
    def erasure(self) -> Erasure:
        return self.recalling.erasure

    def close(self) -> None:
        """Settle the log, close sources and databases."""
        self.intake.rounds.close()
        self.log.close()
        self.holders.close()
        self.confirmations.close()
        self.replay.close()
        self.database.dispose()
        self.checkpoint_database.dispose()


def build(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    listener: Listener | None = None,
    key_times: KeyTimes | None = None,
    start: Start = in_a_thread,
) -> Services:
    """Construct all services.

    Args:
        settings: what the environment says.
        clock: tells the time to all of them.
        listener: is told of each step of an exchange.
        key_times: how long token keys and tokens live, where not as usual: a drill has no hours.
        start: how long work beside requests is begun; tests have it done at once.

    Raises:
        SettingsError: tables are missing or of another version, a key file cannot be used.
        LogForkedError: the log is shorter than or different from what was published: the server must not start.
        StoreUnavailableError: a database cannot be reached.
    """
    signers = own_signers(settings)
    outsiders = read_outsiders(settings)
    containers = _containers(settings, outsiders, clock)
    database = Database(settings.database_url, pool=settings.pool)
    _require_tables(database)
    wrap = KeyWrap(settings.key_encryption_key)
    try:
        shard = current_shard(database, settings.log_origin, signers.log)
    except GatewayError:
        database.dispose()
        raise

    checkpoint_database = Database(settings.checkpoint_database_url, pool=settings.pool)
    checkpoints = CheckpointStore(checkpoint_database)
    checkpoints.create_table()
    log = EvidenceLog(database, checkpoints, NoteSigner(shard.origin, signers.log), clock, shard=shard)
    log.open()
    audit = AuditTrail(log, clock)
    holder_keys = HolderKeys(database, wrap, audit, clock)
    trust_lists = TrustLists(
        database,
        requester_keys=requester_keys,
        receipt_signer=signers.receipt,
        log_key=log.key,
        issuer=settings.origin,
        acts=audit,
        clock=clock,
        signer=signers.trust,
        outsiders=outsiders,
    )
    evidence_state = EvidenceState(
        database,
        shard,
        outsiders.demands,
        clock,
        overdue=timedelta(hours=settings.evidence_overdue_hours),
    )

    catalogue = policy_catalogue()
    policies = Policies(database, audit, clock, catalogue)
    books = PolicyBooks(policies, catalogue)
    shadows = Shadows(database, policies, books, clock)

    replay = replay_store(settings, database)
    key_sets = KeySets(database, audit, clock, KeySetFetcher(private=settings.is_key_set_private))
    memory = RegisterMemory(database)
    clients = ClientRegister(database, memory, key_sets, clock)
    token_keys = TokenKeys(database, wrap, clock, acts=audit, times=key_times)
    sign_in = _sign_in(settings, database, memory, token_keys, replay, clients, audit, clock)

    requests = Requests(clients, clock, settings.origin)
    intake = _intake(settings, database, wrap, holder_keys, clock)
    holders, sealing = intake.holders, intake.seals
    seals = RecordSeals(sealing, PartyKeys(_derived(settings, b"party-keys")), clock)
    questions = Questions(
        database,
        CaseRegister(database, holders, seals),
        Representations(database, holders, seals),
        catalogue,
        clock,
    )
    class_keys = ClassKeys(database, wrap, clock)
    payloads = Payloads(wrap, class_keys)
    finished = FinishedExchanges(database, log, payloads)
    cases = CaseHashes(_derived(settings, b"case-refs"))
    receipts = Receipts(signers.receipt, settings.origin, log.origin, clock)
    journal = Journal(
        database,
        log,
        receipts,
        payloads,
        class_keys,
        finished,
        cases,
        books,
        requests,
        replay,
        clock,
        evidence_state,
        node=settings.node,
        exchange_seconds=settings.exchange_seconds,
    )
    delegations = Delegations(database, clock, acts=audit)
    resumption = Resumption(requests, questions, books, holders, seals, delegations)
    past = PastQuestions(database, payloads)
    registered = Registered(database)
    settling = Settling(database, journal, resumption, clock, listener=listener, holder_seconds=settings.holder_seconds)
    people, sign_ins, quotas = (
        People(database, audit, clock),
        SignIns(database, audit, clock),
        Quotas(database, audit, clock),
    )
    shards = PublishedShards(database, checkpoints, trust_lists.demands, clock)
    confirmations = _confirmations(outsiders, database, log, shards, clock)
    return Services(
        settings=settings,
        clock=clock,
        listener=listener,
        database=database,
        checkpoint_database=checkpoint_database,
        log=log,
        checkpoints=checkpoints,
        published=shards.number(shard.number),
        shards=shards,
        confirmations=confirmations,
        evidence_state=evidence_state,
        witness=_witness(settings, signers.witness, database, clock),
        audit=audit,
        agencies=Agencies(database, audit, policies, clock),
        quotas=quotas,
        people=people,
        sign_ins=sign_ins,
        desk=_desk(settings, database, people, sign_ins, audit, replay, clock),
        client_keys=ClientKeys(database, audit, clock),
        key_sets=key_sets,
        key_warnings=KeyWarnings(database, audit, clock),
        sources=Sources(database, audit, clock),
        policies=policies,
        books=books,
        governance=_governance(database, audit, policies, books, past, registered, shadows, catalogue, clock, start),
        sight=Sight(database, past, questions, registered, holders, seals, books, audit, catalogue, clock),
        holder_keys=holder_keys,
        trust_lists=trust_lists,
        sign_in=sign_in,
        replay=replay,
        holders=holders,
        intake=intake,
        class_keys=class_keys,
        payloads=payloads,
        receipts=receipts,
        journal=journal,
        finished=finished,
        bundles=Bundles(shards, finished.documents, clock),
        containers=containers,
        mutual_log=MutualLog(database, cases),
        auditing=_auditing(
            settings,
            database,
            log,
            audit,
            finished,
            payloads,
            cases,
            shards.number(shard.number),
            evidence_state,
            clock,
        ),
        recalling=_recalling(
            database, RecallStatements(clients, clock, settings.origin), payloads, class_keys, audit, clock
        ),
        broker=Broker(
            requests,
            questions,
            journal,
            books,
            holders,
            seals,
            Lifting(database, clock),
            Queries(questions, holders, seals, shadows),
            shadows,
            quotas,
        ),
        settling=settling,
        approvals=Approvals(database, requests, resumption, settling, audit, clock),
        recovery=Recovery(database, journal, clock, settings.node),
        beats=Beats(database, clock, node=settings.node),
    )


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


def _governance(
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


@dataclass(frozen=True, slots=True)
class Intake:
    """What comes in from holders: fetched, pushed, quarantined, followed."""

    holders: Holders
    large: LargeRecords
    seals: Seals
    pushed: PushedRecords
    quarantine: Quarantine
    redrive: Redrive
    following: Following
    rounds: FollowingRounds


def _intake(settings: Settings, database: Database, wrap: KeyWrap, holder_keys: HolderKeys, clock: Clock) -> Intake:
    tools = mapping_tools()
    seals = Seals(holder_keys, clock)
    large = LargeRecords()
    pushed = PushedRecords(
        database,
        wrap,
        seals,
        holder_keys,
        tools.validate,
        clock,
        digest_key=_derived(settings, b"pushed-records"),
    )
    quarantine = Quarantine(database, wrap, clock, digest_key=_derived(settings, b"quarantined-records"))
    holders = Holders(
        database,
        holder_keys,
        tools,
        clock,
        large,
        secrets=settings.secrets,
        variables={**variables_in_environment(), "IPX_SOURCES": str(settings.sources)},
        state=settings.source_state,
        inbox=pushed,
        deliveries=DeliveredRecords(database, wrap, clock, digest_key=_derived(settings, b"delivered-records")),
        keep=quarantine.keep,
    )
    following = Following(database, holders, quarantine, clock)
    return Intake(
        holders,
        large,
        seals,
        pushed,
        quarantine,
        Redrive(database, quarantine, holders, clock),
        following,
        FollowingRounds(following),
    )


def _desk(
    settings: Settings,
    database: Database,
    people: People,
    sign_ins: SignIns,
    audit: AuditTrail,
    replay: ReplayStore,
    clock: Clock,
) -> Desk:
    return Desk(
        database=database,
        people=people,
        sign_ins=sign_ins,
        locks=Locks(database, audit, clock),
        failures=Throttle(FAILURES_PER_MINUTE, clock),
        used=replay,
        proxies=TrustedProxies(settings.trusted_proxies),
        clock=clock,
        datastore=PeopleDatastore(database, audit, clock),
        upstream=_upstream(settings, clock),
        origin=settings.origin,
        console_origin=settings.console_origin,
        secret=_derived(settings, b"people"),
        is_second_factor_required=settings.people.is_second_factor_required,
    )


def _upstream(settings: Settings, clock: Clock) -> Upstream | None:
    named = settings.people
    issuer, client_id, secret = named.upstream_issuer, named.upstream_client_id, named.upstream_client_secret
    if issuer is None or client_id is None or secret is None:
        return None
    name = named.upstream_name or urlsplit(issuer).netloc
    return Upstream(Provider(issuer, client_id, secret, name, named.upstream_acr), settings.console_origin, clock)


def _auditing(
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
    recalls = RecallReader(database, payloads, clock)
    rights = RightHashes(_derived(settings, b"rights"))
    return Auditing(
        search=Search(database, cases, rights),
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
        subjects=Subjects(database, PartyKeys(_derived(settings, b"party-keys")), audit, clock),
        recalls=RecallSearch(database, recalls, clock),
    )


@dataclass(frozen=True, slots=True)
class Recalling:
    """What becomes of exchanges that are over: fields erased, records called back by their holders."""

    erasure: Erasure
    statements: RecallStatements
    reader: RecallReader
    recalls: Recalls


def _recalling(
    database: Database,
    statements: RecallStatements,
    payloads: Payloads,
    class_keys: ClassKeys,
    audit: AuditTrail,
    clock: Clock,
) -> Recalling:
    erasure = Erasure(database, payloads, class_keys, audit, clock)
    reader = RecallReader(database, payloads, clock)
    recalls = Recalls(database, statements, reader, payloads, erasure, audit, clock)
    return Recalling(erasure, statements, reader, recalls)


def read_outsiders(settings: Settings) -> Outsiders:
    """Name who confirms checkpoints.

    Raises:
        SettingsError: an authority without roots, or a quorum that cannot be reached.
    """
    if (settings.tsa_url is None) != (settings.tsa_roots is None):
        raise SettingsError("IPX_TSA_URL and IPX_TSA_ROOTS go together: stamps that nobody can judge prove nothing")
    authority = None
    if settings.tsa_url is not None and settings.tsa_roots is not None:
        authority = Authority(settings.tsa_url, read_roots(settings.tsa_roots), settings.tsa_policy)
    if settings.witness_quorum > len(settings.witnesses):
        raise SettingsError(
            f"IPX_WITNESS_QUORUM is {settings.witness_quorum}, and IPX_WITNESSES names {len(settings.witnesses)}"
        )
    witnesses = tuple(Witness(key, url) for key, url in settings.witnesses)
    return Outsiders(witnesses, settings.witness_quorum, authority)


def _confirmations(
    outsiders: Outsiders, database: Database, log: EvidenceLog, shards: PublishedShards, clock: Clock
) -> Rounds:
    if not outsiders.witnesses and outsiders.authority is None:
        return Rounds([])
    http = httpx.Client()
    return Rounds(
        [
            Confirmations(
                database,
                log,
                shards.number(number),
                clock=clock,
                witnesses=[WitnessClient(witness, http, clock) for witness in outsiders.witnesses],
                quorum=outsiders.quorum,
                authority=TimestampClient(outsiders.authority, http, clock) if outsiders.authority else None,
            )
            for number in range(1, log.shard.number + 1)
        ],
        http.close,
    )


def _containers(settings: Settings, outsiders: Outsiders, clock: Clock) -> Containers:
    """Take the seal certificate.

    Raises:
        SettingsError: only one of the two settings is there, or they cannot be used.
    """
    key, certificate, authority = settings.container_key, settings.container_certificate, outsiders.authority
    if key is None or certificate is None:
        if key is not certificate:
            raise SettingsError("IPX_CONTAINER_KEY and IPX_CONTAINER_CERTIFICATE go together")
        return Containers(None, clock)

    def stamp(message: bytes) -> bytes:
        if authority is None:
            raise AssertionError("there is no authority to ask")
        with httpx.Client() as http:
            return TimestampClient(authority, http, clock).stamp(message).token

    return Containers(read_seal(key, certificate), clock, stamp=stamp if authority else None)


def _witness(settings: Settings, key: Signer | None, database: Database, clock: Clock) -> WitnessService:
    signer = NoteSigner(settings.witness_name, key, COSIGNATURE) if key is not None else None
    return WitnessService(database, signer, settings.witnessed_logs, clock)


@dataclass(frozen=True, slots=True)
class OwnSigners:
    """The server's own private keys, one for each purpose."""

    receipt: Signer
    log: Signer
    trust: Signer | None
    witness: Signer | None


def own_signers(settings: Settings) -> OwnSigners:
    """Take the server's keys from where its settings say they are.

    Raises:
        KeyFileError: one cannot be used, or serves two purposes.
        SignerUnavailableError: a token does not answer.
    """
    signers = OwnSigners(
        receipt=read_signer(settings.receipt_key),
        log=read_signer(settings.log_key, "Ed25519"),
        trust=read_signer(settings.trust_key) if settings.trust_key else None,
        witness=read_signer(settings.witness_key, "Ed25519") if settings.witness_key else None,
    )
    require_apart(
        {
            "IPX_RECEIPT_KEY": signers.receipt,
            "IPX_LOG_KEY": signers.log,
            "IPX_TRUST_KEY": signers.trust,
            "IPX_WITNESS_KEY": signers.witness,
        }
    )
    return signers


@dataclass(frozen=True, slots=True)
class SignIn:
    """The authorization server, and the guard of what it protects."""

    keys: TokenKeys
    metadata: Metadata
    server: GatewayAuthorizationServer
    debugger: AssertionDebugger
    token_debugger: TokenDebugger
    guard: Guard
    refusals: Refusals


def _sign_in(
    settings: Settings,
    database: Database,
    memory: RegisterMemory,
    keys: TokenKeys,
    replay: ReplayStore,
    clients: ClientRegister,
    audit: AuditTrail,
    clock: Clock,
) -> SignIn:
    keys.ensure_active()
    standing = Standing(database, memory, clock)
    tokens = AccessTokens(settings.origin, keys, clock)
    nonces = Nonces(_derived(settings, b"dpop-nonce"), clock)
    dpop = DpopVerifier(settings.origin, nonces, clock)
    assertions = AssertionVerifier(settings.origin, clock)
    proxies = TrustedProxies(settings.trusted_proxies)
    certificates = CertificateSource(settings.client_certificate_header, proxies)
    commits = GroupCommit(database)
    refusals = Refusals(commits, clock)
    metadata = Metadata(settings.origin, [settings.resource], has_mutual_tls=settings.has_mutual_tls)
    proofs = ProofExaminer(dpop, replay)
    token_debugger = TokenDebugger(metadata.resources, tokens, standing, proofs, clock)
    parts = Parts(
        issuer=settings.origin,
        resources=metadata.resources,
        commits=commits,
        refusals=refusals,
        proxies=proxies,
        clock=clock,
        register=clients,
        assertions=assertions,
        dpop=dpop,
        nonces=nonces,
        replay=replay,
        delegations=Delegations(database, clock, acts=audit),
        tokens=tokens,
        standing=standing,
        certificates=certificates,
        client_certificates=ClientCertificates(database, clock, acts=audit),
        failures=Throttle(FAILED_SIGN_INS_PER_MINUTE, clock),
        token_debugger=token_debugger,
    )
    guard = Guard(
        settings.resource,
        commits=commits,
        refusals=refusals,
        proxies=proxies,
        clock=clock,
        tokens=tokens,
        memory=memory,
        standing=standing,
        dpop=dpop,
        nonces=nonces,
        replay=replay,
        certificates=certificates,
    )
    debugger = AssertionDebugger(assertions, clients, proofs, replay, Throttle(DEBUGGED_PER_MINUTE, clock))
    return SignIn(keys, metadata, GatewayAuthorizationServer(parts), debugger, token_debugger, guard, refusals)


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
        (PushedRecords, services.intake.pushed),
        (Following, services.intake.following),
        (FinishedExchanges, services.finished),
        (Bundles, services.bundles),
        (Containers, services.containers),
        (MutualLog, services.mutual_log),
        (Search, services.auditing.search),
        (ExchangeReader, services.auditing.reader),
        (Looks, services.auditing.looks),
        (SavedSearches, services.auditing.saved),
        (RecallSearch, services.auditing.recalls),
        (Indexer, services.auditing.indexer),
        (Statistics, services.auditing.statistics),
        (LogChecks, services.auditing.log_checks),
        (Flags, services.auditing.flags),
        (Subjects, services.auditing.subjects),
        (Cursors, Cursors(_derived(services.settings, b"cursors"))),
        (Padding, Padding()),
        (LargeRecords, services.intake.large),
    ]
    for kind, service in provided:
        svcs.flask.register_value(app, kind, service)
    app.extensions["step_listener"] = services.listener


def mapping_tools(clock: Clock = utc_now) -> MappingTools:
    """Hand the record catalogue's rules to the connectors, which know nothing of it."""
    return MappingTools(
        number=canonical,
        code=code,
        validate=lambda record_type, fields: validate(record_type, fields, today=clock().date()),
        oddities=lambda record_type, fields: oddities(record_type, fields, today=clock().date()),
    )


def replay_store(settings: Settings, database: Database) -> ReplayStore:
    if settings.redis_url is None:
        return DatabaseReplayStore(database)
    try:
        from gateway.oauth.replay_redis import RedisReplayStore  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise SettingsError(
            "IPX_REDIS_URL is set, but the package is missing: pip install ipx-gateway[redis]"
        ) from error
    return RedisReplayStore(settings.redis_url)


def _require_tables(database: Database) -> None:
    """Make sure that this program can work with the tables; those that a later one has expanded will do.

    Raises:
        SettingsError: they are too old or too new; the message says what to do.
    """
    fit = migrate.fit(database)
    if fit in {migrate.Fit.EXACT, migrate.Fit.NEWER}:
        return
    present, needed = migrate.current(database), migrate.newest()
    tables = f"the tables of {database.url.render_as_string(hide_password=True)} are at {present or 'nothing'}"
    if fit is migrate.Fit.TOO_NEW:
        raise SettingsError(
            f"{tables}: a later version has changed them so that this one, which knows {needed}, cannot work with "
            "them; run the later version, or restore a backup from before its `ipx-gateway db upgrade`"
        )
    raise SettingsError(f"{tables}, this version needs {needed}: run `ipx-gateway db upgrade`")


def _derived(settings: Settings, label: bytes) -> bytes:
    """Derive a key of its own purpose from the key-encryption key (HMAC as in HKDF-Expand, RFC 5869)."""
    return hmac.digest(settings.key_encryption_key, b"ipx/" + label + b"\x01", "sha256")
