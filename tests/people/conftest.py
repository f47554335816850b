"""The register of people on either database, with the real log below it."""

import pytest
from sqlalchemy import select

from gateway.agencies.models import Agency
from gateway.audit.models import AuditEntry
from gateway.audit.service import AuditTrail
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.log import EvidenceLog
from gateway.people.locks import Locks
from gateway.people.service import People
from gateway.people.sign_ins import SignIns
from ipx.keys import generate_signer
from ipx.note import NoteSigner


@pytest.fixture
def trail(database, tmp_path, clock):
    checkpoints = Database(f"sqlite:///{tmp_path / 'other-volume' / 'checkpoints.db'}")
    store = CheckpointStore(checkpoints)
    store.create_table()
    log = EvidenceLog(database, store, NoteSigner("gw.example/log", generate_signer("Ed25519")), clock)
    log.open()
    yield AuditTrail(log, clock)
    log.close()
    checkpoints.dispose()


@pytest.fixture
def people(database, trail, clock):
    """The register with two agencies, a chief administrator, and an administrator of an agency."""
    with database.write() as session:
        for code, kind in (("ipo-xa", "ip_office"), ("customs-xa", "customs")):
            session.add(Agency(code=code, kind=kind, name=code, jurisdictions=["XA"], created_at=clock()))
    people = People(database, trail, clock)
    people.add("alice", name="Alice", roles=["administrator"], actor="operator:root")
    people.add("adam", name="Adam", agency="ipo-xa", roles=["administrator"], actor="person:alice")
    return people


@pytest.fixture
def sign_ins(database, trail, clock):
    return SignIns(database, trail, clock)


@pytest.fixture
def locks(database, trail, clock):
    return Locks(database, trail, clock)


@pytest.fixture
def begin(database, people, sign_ins):
    """Sign somebody in; gives the token of the cookie."""

    def put(username, via="passkey"):
        with database.write() as session:
            return sign_ins.begin(session, people.person(username), via=via, address="192.0.2.7", agent="tests")

    return put


@pytest.fixture
def acts(database):
    """The audit entries so far: act, actor, subject."""

    def read(act=None):
        with database.read() as session:
            found = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [entry for entry in found if act is None or entry.act == act]

    return read
