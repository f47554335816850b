"""The authorization server and what guards the API, constructed."""

from dataclasses import dataclass

from gateway.agencies.register import RegisterMemory
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.errors import SettingsError
from gateway.oauth.certificates import CertificateSource, ClientCertificates
from gateway.oauth.client_assertion import AssertionVerifier
from gateway.oauth.clients import ClientRegister
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.delegation import Delegations
from gateway.oauth.dpop import DpopVerifier
from gateway.oauth.findings import ProofExaminer
from gateway.oauth.guard import Guard
from gateway.oauth.keys import TokenKeys
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
from gateway.settings import Settings
from gateway.wiring.derived import derived_key

FAILED_SIGN_INS_PER_MINUTE = 60
DEBUGGED_PER_MINUTE = 60


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


def build_sign_in(
    settings: Settings,
    database: Database,
    memory: RegisterMemory,
    keys: TokenKeys,
    replay: ReplayStore,
    clients: ClientRegister,
    audit: AuditTrail,
    clock: Clock,
) -> SignIn:
    """Construct the authorization server and its guard."""
    keys.ensure_active()
    standing = Standing(database, memory, clock)
    tokens = AccessTokens(settings.origin, keys, clock)
    nonces = Nonces(derived_key(settings, b"dpop-nonce"), clock)
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


def replay_store(settings: Settings, database: Database) -> ReplayStore:
    """Construct what remembers used identifiers: in Redis where there is one, else in the database.

    Raises:
        SettingsError: Redis is set, and its package is missing.
    """
    if settings.redis_url is None:
        return DatabaseReplayStore(database)
    try:
        from gateway.oauth.replay_redis import RedisReplayStore  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise SettingsError(
            "IPX_REDIS_URL is set, but the package is missing: pip install ipx-gateway[redis]"
        ) from error
    return RedisReplayStore(settings.redis_url)
