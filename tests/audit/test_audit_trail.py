"""An act, its audit entry and its leaf stand or fall together."""

import pytest
from sqlalchemy import select

from gateway.agencies.models import Agency
from gateway.audit.models import AuditEntry
from gateway.audit.service import AuditTrail, entry_bytes
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.errors import LogUnavailableError
from gateway.evidence.log import EvidenceLog
from ipx.commitment import act_commitment, entry
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.note import Checkpoint, NoteSigner, open_note


@pytest.fixture
def checkpoints(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'other-volume' / 'checkpoints.db'}")
    store = CheckpointStore(database)
    store.create_table()
    yield store
    database.dispose()


@pytest.fixture
def log(database, checkpoints, clock):
    log = EvidenceLog(database, checkpoints, NoteSigner("gw.example/log", generate_signer("Ed25519")), clock)
    log.open()
    yield log
    log.close()


@pytest.fixture
def trail(log, clock):
    return AuditTrail(log, clock)


def agency(clock, code="customs-xa") -> Agency:
    return Agency(code=code, kind="customs", name="Customs", jurisdictions=["XA"], created_at=clock())


def test_an_act_and_its_leaf_are_written_with_what_was_done(trail, log, database, clock):
    with database.write() as session:
        session.add(agency(clock))
        trail.record(
            session, "operator", "agency.added", "customs-xa", {"kind": "customs", "regions": ["ÉÄ", 1, None, True]}
        )

    with database.read() as session:
        row = session.scalars(select(AuditEntry)).one()
        assert session.get(Agency, "customs-xa") is not None
    assert (row.actor, row.act, row.subject, row.at) == ("operator", "agency.added", "customs-xa", clock())
    assert row.log_index == 0


def test_a_leaf_opens_to_the_audit_entry_as_read_back(trail, log, database, clock):
    with database.write() as session:
        trail.record(session, "operator", "agency.added", "customs-xa", {"b": {"z": 1, "a": "ÉÄ\n"}, "a": [True, None]})
    with database.read() as session:
        row = session.scalars(select(AuditEntry)).one()

    leaf = entry(act_commitment(row.salt, entry_bytes(row)), "act", int(clock().timestamp()))
    logged = log.logged(f"act:{row.id}")
    root = Checkpoint.parse(open_note(logged.checkpoint_note, [log.key]).text).root
    verify_inclusion(row.log_index, logged.size, leaf_hash(leaf), logged.proof, root)


def test_the_bytes_of_an_audit_entry_are_fixed(clock):
    row = AuditEntry(id="1", at=clock(), actor="o", act="a.b", subject="s", detail={"z": "é", "a": 1})

    assert entry_bytes(row).decode() == (
        '{"act":"a.b","actor":"o","at":"2026-11-25T08:00:00.000000Z","detail":{"a":1,"z":"é"},"id":"1","subject":"s"}'
    )


def test_an_act_that_is_rolled_back_leaves_nothing(trail, log, database, clock):
    def act_and_fail() -> None:
        with database.write() as session:
            session.add(agency(clock))
            trail.record(session, "operator", "agency.added", "customs-xa", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act_and_fail()

    with database.read() as session:
        assert session.scalars(select(AuditEntry)).all() == []
        assert session.scalars(select(Agency)).all() == []
    log.audit()


def test_without_a_writable_log_nothing_is_done(database, checkpoints, clock):
    unopened = EvidenceLog(database, checkpoints, NoteSigner("gw.example/log", generate_signer("Ed25519")), clock)
    trail = AuditTrail(unopened, clock)

    def act() -> None:
        with database.write() as session:
            session.add(agency(clock))
            trail.record(session, "operator", "agency.added", "customs-xa", {})

    with pytest.raises(LogUnavailableError):
        act()
    with database.read() as session:
        assert session.scalars(select(Agency)).all() == []


def test_an_act_is_published_without_anybody_waiting(trail, log, checkpoints, database):
    with database.write() as session:
        trail.record(session, "operator", "a.b", "s", {})
        trail.record(session, "operator", "a.c", "s", {})
    log.close()

    assert checkpoints.get(log.origin).split("\n")[1] == "2"


def test_an_act_without_a_leaf_is_an_entry_only(trail, log, database, checkpoints):
    with database.write() as session:
        trail.record(session, "customs-xa.intake", "token.issued", "token:1", {}, leaf=False)
    log.close()

    with database.read() as session:
        row = session.scalars(select(AuditEntry)).one()
    assert (row.salt, row.log_index) == (None, None)
    assert checkpoints.get(log.origin).split("\n")[1] == "0"


@pytest.mark.parametrize("detail", [{"a": 1.5}, {"a": [{"b": 0.0}]}, {"a": float("nan")}])
def test_numbers_that_two_databases_spell_differently_are_refused(trail, database, detail):
    with pytest.raises(ValueError, match="floating-point"), database.write() as session:
        trail.record(session, "operator", "a.b", "s", detail)
