"""A real log beside its own checkpoint store, on each database."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.audit.service import AuditTrail
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.keys import HolderKeys
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import checkpoint_metadata
from gateway.keywrap import KeyWrap
from ipx.keys import KeySigner, generate_signer
from ipx.note import NoteSigner

ORIGIN = "gw.example/log"


@pytest.fixture(scope="session")
def log_key() -> KeySigner:
    return generate_signer("Ed25519")


@pytest.fixture
def note_signer(log_key: KeySigner) -> NoteSigner:
    return NoteSigner(ORIGIN, log_key)


@pytest.fixture(scope="session")
def postgres_checkpoint_url(postgres_template: Database) -> Iterator[str]:
    """One database for all tests: another than any log's, emptied before each."""
    name = f"checkpoints_{os.getpid()}"
    with postgres_template.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield postgres_template.url.set(database=name).render_as_string(hide_password=False)
    with postgres_template.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def checkpoint_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of the checkpoint store's own database, of the same kind as the log's."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other-volume' / 'checkpoints.db'}"
        return
    url = request.getfixturevalue("postgres_checkpoint_url")
    database = Database(url)
    checkpoint_metadata.drop_all(database.writer)
    database.dispose()
    yield url


@pytest.fixture
def checkpoint_database(checkpoint_url: str) -> Iterator[Database]:
    database = Database(checkpoint_url)
    yield database
    database.dispose()


@pytest.fixture
def checkpoints(checkpoint_database: Database) -> CheckpointStore:
    store = CheckpointStore(checkpoint_database)
    store.create_table()
    return store


@pytest.fixture
def new_log(database, checkpoints, note_signer, clock) -> Iterator[Callable[..., EvidenceLog]]:
    """Makes log objects over the same two databases, as further processes would; not yet opened."""
    with ExitStack() as stack:

        def make(on: Database = database, store: CheckpointStore = checkpoints, **options) -> EvidenceLog:
            log = EvidenceLog(on, store, options.pop("signer", note_signer), clock, **options)
            stack.callback(log.close)
            return log

        yield make


@pytest.fixture
def log(new_log) -> EvidenceLog:
    log = new_log()
    log.open()
    return log


@pytest.fixture
def acts(log, clock) -> AuditTrail:
    return AuditTrail(log, clock)


@pytest.fixture
def key_wrap() -> KeyWrap:
    return KeyWrap(bytes(range(32)))


@pytest.fixture
def holder_keys(database, key_wrap, acts, clock) -> HolderKeys:
    return HolderKeys(database, key_wrap, acts, clock)
