"""Everything that views and commands may ask for, constructed in the order in which one needs the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

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
from gateway.beats import Beats
from gateway.clock import Clock, utc_now
from gateway.db.company import Crowd
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.bundles import Bundles
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.confirmations import Rounds
from gateway.evidence.containers import Containers
from gateway.evidence.keys import HolderKeys
from gateway.evidence.log import EvidenceLog
from gateway.evidence.payloads import Payloads
from gateway.evidence.published import PublishedLog, PublishedShards
from gateway.evidence.receipts import Receipts
from gateway.evidence.root_key import read_root
from gateway.evidence.shard import current_shard
from gateway.evidence.state import EvidenceState
from gateway.evidence.trust_list import TrustLists
from gateway.evidence.witness_service import WitnessService
from gateway.exchange.approvals import Approvals
from gateway.exchange.cases import CaseHashes
from gateway.exchange.erasure import Erasure
from gateway.exchange.facts import CaseRegister, Representations
from gateway.exchange.finished import FinishedExchanges
from gateway.exchange.holders import Holders
from gateway.exchange.journal import Journal
from gateway.exchange.lifting import Lifting
from gateway.exchange.mutual_log import MutualLog
from gateway.exchange.overdue import OverdueAcknowledgements
from gateway.exchange.past import PastQuestions
from gateway.exchange.queries import Queries
from gateway.exchange.questions import Questions, Registered
from gateway.exchange.recall_statements import RecallStatements
from gateway.exchange.requests import Requests
from gateway.exchange.resumption import Resumption
from gateway.exchange.sealing import RecordSeals
from gateway.exchange.service import Broker
from gateway.exchange.settling import Settling
from gateway.exchange.sight import Sight
from gateway.exchange.steps import Listener
from gateway.governance.books import PolicyBooks
from gateway.governance.collecting import Start, in_a_thread
from gateway.governance.service import Policies
from gateway.governance.shadows import Shadows
from gateway.keywrap import KeyWrap
from gateway.oauth.clients import ClientRegister
from gateway.oauth.delegation import Delegations
from gateway.oauth.keys import KeyTimes, TokenKeys
from gateway.oauth.replay import ReplayStore
from gateway.people.desk import Desk
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from gateway.records.facts import PartyKeys
from gateway.records.policy_catalogue import policy_catalogue
from gateway.recovery import Recovery
from gateway.settings import Settings
from gateway.wiring.auditing import Recalling, build_auditing, build_recalling
from gateway.wiring.derived import derived_key
from gateway.wiring.governance import Governance, build_governance
from gateway.wiring.intake import Intake, build_intake
from gateway.wiring.outsiders import build_confirmations, build_containers, build_witness, read_outsiders
from gateway.wiring.people import build_desk
from gateway.wiring.sign_in import SignIn, build_sign_in, replay_store
from gateway.wiring.signers import own_signers
from gateway.wiring.tables import require_tables
from ipx.note import NoteSigner


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that views and commands may ask for."""

    settings: Settings
    rooted: Settings
    """The same with the root key in place of the key-encryption key that wraps it: keys are derived from it."""
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
    governance: Governance
    sight: Sight
    holder_keys: HolderKeys
    trust_lists: TrustLists
    sign_in: SignIn
    replay: ReplayStore
    crowd: Crowd
    holders: Holders
    intake: Intake
    class_keys: ClassKeys
    payloads: Payloads
    receipts: Receipts
    journal: Journal
    finished: FinishedExchanges
    bundles: Bundles
    containers: Containers
    mutual_log: MutualLog
    auditing: Auditing
    recalling: Recalling
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
    containers = build_containers(settings, outsiders, clock)
    database = Database(settings.database_url, pool=settings.pool)
    with _let_go_on_failure(database):
        require_tables(database)
        rooted = replace(settings, key_encryption_key=read_root(database, settings.key_encryption_key))
        shard = current_shard(database, settings.log_origin, signers.log)
    wrap = KeyWrap(rooted.key_encryption_key)

    checkpoint_database = Database(settings.checkpoint_database_url, pool=settings.pool)
    checkpoints = CheckpointStore(checkpoint_database)
    crowd = Crowd()
    log = EvidenceLog(database, checkpoints, NoteSigner(shard.origin, signers.log), clock, shard=shard, crowd=crowd)
    with _let_go_on_failure(database, checkpoint_database):
        checkpoints.create_table()
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
    sign_in = build_sign_in(rooted, database, memory, token_keys, replay, clients, audit, clock)

    requests = Requests(clients, clock, settings.origin)
    intake = build_intake(rooted, database, wrap, holder_keys, clock)
    holders, sealing = intake.holders, intake.seals
    seals = RecordSeals(sealing, PartyKeys(derived_key(rooted, b"party-keys")), clock)
    questions = Questions(
        database,
        CaseRegister(database, holders, seals),
        Representations(database, holders, seals),
        OverdueAcknowledgements(database, clock),
        catalogue,
        clock,
    )
    class_keys = ClassKeys(database, wrap, clock)
    payloads = Payloads(wrap, class_keys)
    finished = FinishedExchanges(database, log, payloads)
    cases = CaseHashes(derived_key(rooted, b"case-refs"))
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
        crowd,
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
    confirmations = build_confirmations(outsiders, database, log, shards, clock)
    return Services(
        settings=settings,
        rooted=rooted,
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
        witness=build_witness(settings, signers.witness, database, clock),
        audit=audit,
        agencies=Agencies(database, audit, policies, clock),
        quotas=quotas,
        people=people,
        sign_ins=sign_ins,
        desk=build_desk(rooted, database, people, sign_ins, audit, replay, clock),
        client_keys=ClientKeys(database, audit, clock),
        key_sets=key_sets,
        key_warnings=KeyWarnings(database, audit, clock),
        sources=Sources(database, audit, clock),
        policies=policies,
        books=books,
        governance=build_governance(
            database, audit, policies, books, past, registered, shadows, catalogue, clock, start
        ),
        sight=Sight(database, past, questions, registered, holders, seals, books, audit, catalogue, clock),
        holder_keys=holder_keys,
        trust_lists=trust_lists,
        sign_in=sign_in,
        replay=replay,
        crowd=crowd,
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
        auditing=build_auditing(
            rooted,
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
        recalling=build_recalling(
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


@contextmanager
def _let_go_on_failure(*databases: Database) -> Iterator[None]:
    try:
        yield
    except GatewayError:
        for database in databases:
            database.dispose()
        raise
