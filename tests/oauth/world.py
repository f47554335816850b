"""A gateway that is only its authorization server and one protected address."""

from datetime import timedelta

import flask
import svcs.flask
from sqlalchemy import delete, select, update

import gateway.oauth.models  # noqa: F401
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.key_set_text import Unusable
from gateway.agencies.key_sets import KeySets
from gateway.agencies.models import Agency, Client, ClientKey
from gateway.agencies.register import RegisterMemory
from gateway.audit.models import AuditEntry
from gateway.db.group_commit import GroupCommit
from gateway.keywrap import KeyWrap
from gateway.oauth.audit import RowsOnly
from gateway.oauth.certificates import CertificateSource, ClientCertificates
from gateway.oauth.client_assertion import AssertionVerifier
from gateway.oauth.clients import ClientRegister
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.delegation import Delegations
from gateway.oauth.dpop import DpopVerifier
from gateway.oauth.findings import ProofExaminer
from gateway.oauth.guard import Guard
from gateway.oauth.key_service import KeySelfService
from gateway.oauth.keys import TokenKeys
from gateway.oauth.metadata import Metadata
from gateway.oauth.nonce import Nonces
from gateway.oauth.refusals import Refusals
from gateway.oauth.replay import DatabaseReplayStore
from gateway.oauth.server import GatewayAuthorizationServer, Parts
from gateway.oauth.standing import Standing
from gateway.oauth.throttle import Throttle
from gateway.oauth.token_debugger import TokenDebugger
from gateway.oauth.tokens import AccessTokens
from gateway.oauth.transport import TrustedProxies
from gateway.oauth.views import blueprint
from gateway.web import problem
from tests.oauth import signing
from tests.oauth.signing import ABSENT, jwk_of, new_key, thumbprint
from tests.oauth.systems import ORIGIN, System


class World:
    ORIGIN = ORIGIN
    ABSENT = ABSENT
    signed = staticmethod(signing.signed)
    jwk_of = staticmethod(jwk_of)
    new_key = staticmethod(new_key)
    thumbprint = staticmethod(thumbprint)
    b64url = staticmethod(signing.b64url)
    segment = staticmethod(signing.segment)
    raw_signature = staticmethod(signing.raw_signature)

    failures_per_minute = 1000
    make_replay = staticmethod(DatabaseReplayStore)
    questions_per_minute = 30
    fetch = staticmethod(lambda uri: Unusable("no answer"))  # of a key set; tests put a server in its place

    def __init__(self, database, clock, kek=bytes(32), origin=ORIGIN):
        self.database, self.clock, self.origin, self.kek = database, clock, origin, kek
        self.systems = {}
        self.app = self.start()
        self.http = self.app.test_client()

    def start(self):
        """One worker over the world's database; start another and they are two workers, or one after a restart."""
        resource, others = f"{self.origin}/v1", [f"{self.origin}/v2"]
        database, clock = self.database, self.clock
        self.acts = RowsOnly(clock)
        self.keys = TokenKeys(database, KeyWrap(self.kek), clock, acts=self.acts)
        self.keys.ensure_active()
        self.nonces = Nonces(bytes(32), clock)
        self.replay = self.make_replay(database)
        self.tokens = AccessTokens(self.origin, self.keys, clock)
        self.delegations = Delegations(database, clock, acts=self.acts)
        self.key_sets = KeySets(database, self.acts, clock, self.fetch)
        memory = RegisterMemory(database)
        register = ClientRegister(database, memory, self.key_sets, clock)
        standing = Standing(database, memory, clock)
        proxies = TrustedProxies(["192.0.2.0/24"])
        commits = GroupCommit(database)
        self.refusals = Refusals(commits, clock)
        certificates = CertificateSource("Client-Cert", proxies)
        self.client_certificates = ClientCertificates(database, clock, acts=self.acts)
        dpop = DpopVerifier(self.origin, self.nonces, clock)
        self.assertions = AssertionVerifier(self.origin, clock)
        server = GatewayAuthorizationServer(
            Parts(
                issuer=self.origin,
                resources=[resource, *others],
                commits=commits,
                refusals=self.refusals,
                proxies=proxies,
                clock=clock,
                register=register,
                assertions=self.assertions,
                dpop=dpop,
                nonces=self.nonces,
                replay=self.replay,
                delegations=self.delegations,
                tokens=self.tokens,
                standing=standing,
                certificates=certificates,
                client_certificates=self.client_certificates,
                failures=Throttle(self.failures_per_minute, clock),
                token_debugger=TokenDebugger(
                    [resource], self.tokens, standing, ProofExaminer(dpop, self.replay), clock
                ),
            )
        )
        questions = Throttle(self.questions_per_minute, clock)
        proofs = ProofExaminer(dpop, self.replay)
        debugger = AssertionDebugger(self.assertions, register, proofs, self.replay, questions)
        self.guard = guard = Guard(
            resource,
            commits=commits,
            refusals=self.refusals,
            proxies=proxies,
            clock=clock,
            tokens=self.tokens,
            memory=memory,
            standing=standing,
            dpop=dpop,
            nonces=self.nonces,
            replay=self.replay,
            certificates=certificates,
        )
        app = flask.Flask(__name__)
        svcs.flask.init_app(app)
        svcs.flask.register_value(app, GatewayAuthorizationServer, server)
        svcs.flask.register_value(app, AssertionDebugger, debugger)
        client_keys = ClientKeys(database, self.acts, clock)
        self_service = KeySelfService(self.origin, client_keys, database=database, replay=self.replay, clock=clock)
        svcs.flask.register_value(app, KeySelfService, self_service)
        svcs.flask.register_value(app, Guard, guard)
        svcs.flask.register_value(app, TokenKeys, self.keys)
        svcs.flask.register_value(app, Metadata, Metadata(self.origin, [resource, *others]))
        problem.install(app, self.origin)
        app.register_blueprint(blueprint())

        @app.route("/v1/whoami", methods=["GET", "POST"])
        @app.route("/v1/<path:path>", methods=["GET", "POST"])
        def whoami(path=""):
            caller = guard.authenticate(flask.request, "exchange:request")
            return {"client": caller.client_id, "agency": caller.agency, "supplier": caller.supplier}

        @app.get("/v1/administration")
        def administration():
            return {"client": guard.authenticate(flask.request, ["exchange:request", "admin:all"]).client_id}

        return app

    def nonce(self):
        return self.nonces.current()

    def agency(self, code, scopes=("exchange:request",), purposes=("border_enforcement",)):
        with self.database.write() as session:
            session.add(
                Agency(
                    code=code,
                    kind="customs",
                    name=code,
                    jurisdictions=["XA"],
                    scopes=list(scopes),
                    purposes=list(purposes),
                    created_at=self.clock(),
                )
            )

    def system(self, client_id, alg="ES256", scopes=("exchange:request",), bits=2048):
        """Register a client with one key; its agency must exist."""
        system = System(self, client_id, new_key(alg, bits), alg, new_key("ES256"))
        with self.database.write() as session:
            session.add(
                Client(
                    id=client_id,
                    agency_code=client_id.partition(".")[0],
                    name=client_id,
                    scopes=list(scopes),
                    created_at=self.clock(),
                )
            )
        self.add_key(client_id, system.key, alg)
        self.systems[client_id] = system
        return system

    def add_key(self, client_id, key, alg):
        self.register_jwk(client_id, jwk_of(key), alg)

    def set_only_key(self, client_id, jwk, alg):
        with self.database.write() as session:
            session.execute(delete(ClientKey).where(ClientKey.client_id == client_id))
        self.register_jwk(client_id, jwk, alg)

    def register_jwk(self, client_id, jwk, alg):
        with self.database.write() as session:
            session.add(
                ClientKey(
                    client_id=client_id,
                    kid=thumbprint(jwk),
                    alg=alg,
                    jwk=jwk,
                    valid_from=self.clock(),
                    valid_until=self.clock() + timedelta(days=365),
                )
            )

    def set(self, model, where, **values):
        with self.database.write() as session:
            session.execute(update(model).where(where).values(**values))

    def audit(self, act=None):
        with self.database.read() as session:
            rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [row for row in rows if act is None or row.act == act]
