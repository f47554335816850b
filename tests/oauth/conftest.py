"""A gateway that is only its authorization server and one protected address, and agencies' systems that call it."""

import base64
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import flask
import pytest
import svcs.flask
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sqlalchemy import delete, select, update

import gateway.oauth.models  # noqa: F401
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.key_set_text import Unusable
from gateway.agencies.key_sets import KeySets
from gateway.agencies.models import Agency, Client, ClientKey
from gateway.agencies.register import RegisterMemory
from gateway.audit.models import AuditEntry
from gateway.db.base import Base
from gateway.db.engine import Database
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

ORIGIN = "https://gw.example"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RSA_KEYS = {}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def new_key(alg, bits=2048):
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if alg == "PS256":
        # Making an RSA key takes long; which one it is matters to no test.
        if bits not in RSA_KEYS:
            RSA_KEYS[bits] = rsa.generate_private_key(65537, bits)
        return RSA_KEYS[bits]
    return ed25519.Ed25519PrivateKey.generate()


def jwk_of(key):
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw())}


def thumbprint(jwk):
    members = {name: jwk[name] for name in sorted(jwk) if name in {"kty", "crv", "x", "y", "n", "e"}}
    return b64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def raw_signature(key, data):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(data)


def segment(value):
    return b64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(header, claims, key):
    """A compact JWS; header and claims may be bytes, to be signed as they are, right or wrong."""
    text = f"{segment(header)}.{segment(claims)}"
    return f"{text}.{b64url(raw_signature(key, text.encode()))}"


ABSENT = object()


def changed(members, changes):
    merged = {**members, **changes}
    return {name: value for name, value in merged.items() if value is not ABSENT}


@dataclass
class System:
    """A system of an agency: its registered key, the key it proves calls with, and what it sends."""

    world: "World"
    client_id: str
    key: object
    alg: str
    dpop_key: object
    dpop_alg: str = "ES256"
    nonce: str = field(default="")

    @property
    def kid(self):
        return thumbprint(jwk_of(self.key))

    @property
    def jkt(self):
        return thumbprint(jwk_of(self.dpop_key))

    def assertion(self, header=(), claims=(), key=None):
        now = int(self.world.clock().timestamp())
        base = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ORIGIN,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
        }
        head = {"alg": self.alg, "kid": self.kid, "typ": "JWT"}
        return signed(changed(head, dict(header)), changed(base, dict(claims)), key or self.key)

    def proof(self, method="POST", url=f"{ORIGIN}/oauth/token", token=None, *, header=(), claims=(), key=None):
        base = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": url,
            "iat": int(self.world.clock().timestamp()),
            "nonce": self.world.nonce(),
        }
        if token is not None:
            base["ath"] = b64url(hashlib.sha256(token.encode()).digest())
        key = key or self.dpop_key
        head = {"typ": "dpop+jwt", "alg": self.dpop_alg, "jwk": jwk_of(key)}
        return signed(changed(head, dict(header)), changed(base, dict(claims)), key)

    def form(self, **changes):
        base = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "scope": "exchange:request",
        }
        if "client_assertion" not in changes:
            base["client_assertion"] = self.assertion()
        return changed(base, changes)

    def ask(self, proof=None, headers=(), **form):
        """POST /oauth/token; whatever is not given is right."""
        sent = changed({"DPoP": self.proof() if proof is None else proof}, dict(headers))
        return self.world.http.post("/oauth/token", data=self.form(**form), headers=sent)

    def token(self, **form):
        answer = self.ask(**form)
        assert answer.status_code == 200, answer.text
        return answer.json["access_token"]

    def call(self, token, proof=None, method="GET", path="/v1/whoami", headers=(), **more):
        if proof is None:
            proof = self.proof(method, f"{ORIGIN}{path.partition('?')[0]}", token)
        sent = changed({"Authorization": f"DPoP {token}", "DPoP": proof}, dict(headers))
        return self.world.http.open(path, method=method, headers=sent, **more)

    def post(self, path, /, **form):
        """POST to introspection, revocation or the debugger."""
        return self.world.http.post(path, data=self.form(**{"grant_type": ABSENT, "scope": ABSENT, **form}))


class World:
    ORIGIN = ORIGIN
    ABSENT = ABSENT
    signed = staticmethod(signed)
    jwk_of = staticmethod(jwk_of)
    new_key = staticmethod(new_key)
    thumbprint = staticmethod(thumbprint)
    b64url = staticmethod(b64url)
    segment = staticmethod(segment)
    raw_signature = staticmethod(raw_signature)

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


def pytest_configure(config):
    config.addinivalue_line("markers", "both_databases: the store matters to this test, so it runs on each kind")


def pytest_generate_tests(metafunc):
    """Let a test of form run on SQLite only, and one marked `both_databases` on each; all with IPX_TEST_ALL=1."""
    if "database_url" in metafunc.fixturenames:
        matters = metafunc.definition.get_closest_marker("both_databases") or os.environ.get("IPX_TEST_ALL")
        kinds = ["sqlite", "postgresql"] if matters else ["sqlite"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(scope="session")
def engines():
    """Engines by address, kept for the whole run: each has to learn every statement anew."""
    kept = {}
    yield kept
    for database in kept.values():
        database.dispose()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "gateway.db"


@pytest.fixture
def sqlite_url(sqlite_template, sqlite_file):
    """The address of an empty SQLite database: one file, overwritten for each test while its engine stays."""
    with closing(sqlite3.connect(sqlite_template)) as template, closing(sqlite3.connect(sqlite_file)) as file:
        template.backup(file)
    return f"sqlite:///{sqlite_file}"


@pytest.fixture
def database(database_url, engines):
    if database_url not in engines:
        engines[database_url] = Database(database_url)
    database = engines[database_url]
    yield database
    if not database.is_sqlite:
        database.dispose()  # whoever empties it puts everybody off


class RedisServer:
    """A Redis server of a test's own, which writes every command to disk."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.process = folder, None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return

    def kill(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def redis_server(tmp_path):
    if shutil.which("redis-server") is None or os.environ.get("IPX_TEST_REDIS") == "skip":
        pytest.skip("no redis-server on this machine")
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


class StillClock:
    def __init__(self):
        self.now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def world_class():
    return World


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory):
    """One world on SQLite for all tests of a module: for those that change nothing and ask no database of its own."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'gateway.db'}")
    Base.metadata.create_all(database.writer)
    world = World(database, StillClock())
    world.agency("customs-xa")
    world.agency("court-xa", purposes=("court_proceeding",))
    world.intake = world.system("customs-xa.intake")
    world.registry = world.system("court-xa.registry", "Ed25519")
    yield world
    database.dispose()


@pytest.fixture
def world(database, clock):
    """Two agencies of customs and a court with a system each, on each database."""
    world = World(database, clock)
    world.agency("customs-xa")
    world.agency("court-xa", purposes=("court_proceeding",))
    return world


@pytest.fixture
def intake(world):
    """customs-xa.intake, ES256."""
    return world.system("customs-xa.intake")


@pytest.fixture
def registry(world):
    """court-xa.registry, Ed25519."""
    return world.system("court-xa.registry", "Ed25519")


@pytest.fixture
def refused():
    """Tell whether an answer of the authorization server is this refusal, in its registered form."""

    def check(answer, error, code=None, status=400):
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json["error"] == error, answer.json
        if code is not None:
            assert answer.json["error_description"].startswith(f"{code}: "), answer.json
        assert answer.json["error_uri"] == f"{ORIGIN}/oauth/errors/{answer.json['error_description'][:6]}"
        assert "access_token" not in answer.json

    return check


@pytest.fixture
def shut_out():
    """Tell whether an answer of the API is this refusal: a challenge in the header, a problem document in the body."""

    def check(answer, error, code, status=401):
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.content_type == "application/problem+json"
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('DPoP algs="')
        assert f'error="{error}"' in challenge, challenge
        assert answer.json["code"] == code

    return check
