"""The health page names the part that fails, why, and nothing that a stranger should not know."""

from types import SimpleNamespace

import pytest
from sqlalchemy import text

from gateway import draining
from gateway.errors import StoreUnavailableError
from gateway.evidence.errors import LogForkedError
from gateway.evidence.state import Confirmation, Standing
from gateway.governance.books import PolicyBooks


@pytest.fixture
def health(one_gateway):
    def ask(path="/health"):
        answer = one_gateway.http.get(path)
        return answer.status_code, answer.json()

    one_gateway.services.beats._next_at = float("-inf")
    one_gateway.services.beats.beat()
    return ask


def part(document, name):
    [found] = [part for part in document["parts"] if part["part"] == name]
    return found


def test_every_part_works(health):
    status, document = health()

    assert (status, document["state"]) == (200, "working")
    assert [part["part"] for part in document["parts"]] == [
        *("database", "replay store", "log", "witnesses", "receipt key", "policy"),
        *("evidence", "background work", "sources", "holders", "clock"),
    ]


@pytest.mark.parametrize(
    ("standing", "status", "words"),
    [
        (Confirmation.UNWITNESSED, 200, "too few witnesses"),
        (Confirmation.LATE, 200, "late"),
        (Confirmation.OVERDUE, 503, "no new exchange is taken"),
        (Confirmation.CONTRADICTED, 503, "stopped for good"),
    ],
)
def test_what_outsiders_do_not_confirm(health, one_gateway, monkeypatch, standing, status, words):
    monkeypatch.setattr(
        one_gateway.services.evidence_state, "now", lambda: Standing(standing, reasons=("secret.host",))
    )

    told, document = health()

    assert told == status
    assert words in str(document)
    assert "secret.host" not in str(document)


def test_silent_workers_and_a_failing_policy(health, one_gateway, monkeypatch):
    with one_gateway.services.database.write() as session:
        session.execute(text("UPDATE worker_beat SET at = '2020-01-01 00:00:00'"))

    status, document = health()
    assert (status, document["state"], document["degraded"]) == (200, "degraded", ["background work"])

    def broken(self):
        raise LogForkedError("postgresql://user:password@host")

    monkeypatch.setattr(PolicyBooks, "current", broken)
    status, document = health()
    assert (status, document["failing"]) == (503, ["policy"])
    assert "password" not in str(document)
    assert health("/readyz") == (503, {"ready": False, "failing": "policy"})


def test_a_node_that_was_told_to_end_is_not_ready_and_still_works(health, monkeypatch):
    monkeypatch.setattr(draining, "has_begun", lambda: True)

    assert health("/readyz") == (503, {"ready": False, "failing": "draining"})
    assert health()[1]["failing"] == ["draining"]
    assert health("/livez")[0] == 200


def test_a_database_that_is_gone_is_named_before_what_rests_on_it(health, one_gateway, monkeypatch):
    def gone():
        raise StoreUnavailableError("connection to 10.0.0.7 refused")

    for way in ("read", "read_connection", "write", "write_connection"):
        monkeypatch.setattr(one_gateway.services.database, way, gone)

    status, document = health()

    assert (status, document["failing"][:2]) == (503, ["database", "replay store"])
    assert part(document, "database")["reason"] == "it cannot be reached, read or written"
    assert "10.0.0.7" not in str(document)


def test_a_disk_without_room_is_named_although_small_writes_still_find_some(health, monkeypatch):
    monkeypatch.setattr("gateway.db.engine.disk_usage", lambda folder: SimpleNamespace(free=(8 << 20) - 1))

    assert health("/readyz") == (503, {"ready": False, "failing": "database"})

    monkeypatch.undo()
    assert health("/readyz")[0] == 200
