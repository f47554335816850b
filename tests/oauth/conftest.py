"""Fixtures of the authorization server's tests: databases, Redis, a clock that stands still, worlds."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

import gateway.oauth.models  # noqa: F401
from gateway.db.base import Base
from gateway.db.engine import Database
from tests.oauth.redis_process import RedisServer
from tests.oauth.systems import ORIGIN
from tests.oauth.world import World


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
