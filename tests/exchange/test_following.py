"""Sources are followed by themselves, as often as their file says; one run at a time; who fails is named."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from click.testing import CliRunner

from connectors.protocol import Failed, FailReason
from gateway.cli import main
from gateway.intake import following, runs
from gateway.worker import Worker
from tests.exchange.servers import environment

NAME = "ipo-xa-trademarks"
SOURCE = """
source: {{name: ipo-xa-trademarks, holder: ipo-xa, record_type: trademark, schema_version: 1, kind: files}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P7D, stale: P3000D{follow}}}
reach: {{location: "{place}", match: "*.json", ready: {{quiet_seconds: 0}}}}
read: {{format: json}}
key: application_number
revised: {{path: at, use: [{{datetime: UTC}}]}}
map:
  application_number: {{path: no, use: [trim], required: true}}
  office: {{const: XA}}
  application_date: {{path: filed, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
  mark_status: {{path: status, use: [{{code: {{R: registered}}}}], required: true}}
"""
on_one_database = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


class Register:
    def __init__(self, gateway, place) -> None:
        self.gateway = gateway
        self.place = place
        place.mkdir()
        self.use("PT15M")

    def use(self, follow, stale="P3000D") -> None:
        text = SOURCE.format(place=self.place, follow=f", follow: {follow}" if follow else "")
        text = text.replace("P3000D", stale).replace("expect: P7D", "expect: P1D")
        self.gateway.services.sources.add(text, actor="test", replace=True)

    def put(self, number, status="R") -> None:
        body = {"no": str(number), "filed": "2024-01-10", "status": status, "at": "2026-01-10T00:00:00Z"}
        (self.place / f"{number}.json").write_text(json.dumps(body))
        time.sleep(0.002)

    @property
    def intake(self):
        return self.gateway.services.intake

    def status(self):
        return next(one for one in self.intake.following.status() if one.source == NAME)


@pytest.fixture
def register(gateway, tmp_path):
    return Register(gateway, tmp_path / "marks")


@pytest.fixture
def later(gateway, monkeypatch):
    """Turn the clock of following forward."""
    ahead = timedelta(0)
    inner = gateway.services.clock

    def clock():
        return inner() + ahead

    def turn(**by):
        nonlocal ahead
        ahead += timedelta(**by)

    service = gateway.services.intake.following
    monkeypatch.setattr(service, "_clock", clock)
    monkeypatch.setattr(service._runs, "_clock", clock)
    return turn


def test_the_worker_follows_what_its_file_says_and_again_when_its_time_has_come(gateway, register, later):
    register.put(1)
    worker = Worker(gateway.services)

    worker.go_round()
    assert register.intake.rounds.wait(20)
    first = register.status()
    register.put(2)
    worker.go_round()
    assert register.intake.rounds.wait(20)
    too_early = register.status()
    later(minutes=16)
    worker.go_round()
    assert register.intake.rounds.wait(20)
    second = register.status()

    assert (first.state, first.mapped, first.follow) == ("ok", 1, timedelta(minutes=15))
    assert too_early.last_run == first.last_run
    assert (second.mapped, second.state) == (1, "ok")
    assert second.next_run - second.last_run >= timedelta(minutes=15)


@on_one_database
def test_a_source_that_says_nothing_is_not_followed_and_a_suspended_one_neither(gateway, register):
    register.use(None)
    unsaid = register.intake.following.due()
    register.use("PT15M")
    gateway.services.sources.suspend(NAME, reason="moving house", actor="test")

    suspended = register.intake.following.due()
    by_hand = register.intake.following.run(NAME)

    assert (unsaid, suspended) == ([], [])
    assert by_hand.failure == following.SUSPENDED
    assert register.status().state == "suspended"


@on_one_database
def test_another_source_file_is_followed_at_once(register, later):
    register.put(1)
    register.intake.following.run(NAME)
    nothing = register.intake.following.due()

    register.use("PT20M")

    assert nothing == []
    assert register.intake.following.due() == [NAME]


def test_one_run_at_a_time_whichever_process_it_is_in(gateway, register):
    for number in range(3):
        register.put(number)
    started, go_on = threading.Event(), threading.Event()

    def hold(record):
        started.set()
        go_on.wait(20)

    results = []
    thread = threading.Thread(target=lambda: results.append(register.intake.following.run(NAME, hold)))
    thread.start()
    assert started.wait(20)
    second = register.intake.following.run(NAME)
    due = register.intake.following.due()
    go_on.set()
    thread.join()

    assert (second.failure, due) == (following.RUNNING, [])
    assert (results[0].mapped, results[0].failure) == (3, None)


def test_a_run_that_died_is_taken_over_and_cannot_write_any_more(gateway, register, later):
    register.put(1)
    service = register.intake.following
    other = None

    def die(record):
        nonlocal other
        later(seconds=runs.CLAIM.total_seconds() + 1)
        if other is None:
            other = service.run(NAME, lambda _: None)

    dead = service.run(NAME, die)

    assert (other.mapped, other.failure) == (1, None)
    assert dead.failure == following.RUNNING
    assert register.status().failure is None


@on_one_database
def test_a_source_that_fails_is_left_alone_longer_each_time_and_named(gateway, register, later, monkeypatch):
    register.intake.following.run(NAME)
    register.place.rename(register.place.with_name("gone"))
    pauses = []

    for _ in range(4):
        later(hours=2)
        assert register.intake.following.run(NAME).failure == "unreachable"
        status = register.status()
        pauses.append(status.next_run - status.last_run)
    ready = gateway.http.get("/readyz")

    assert [round(pause.total_seconds(), -1) for pause in pauses] == [30, 60, 120, 240]
    assert (status.state, status.failures) == ("down", 4)
    assert ready.status_code == 200
    assert ready.json()["sources"] == {"failing": [{"source": NAME, "state": "down", "failure": "unreachable"}]}


@on_one_database
def test_a_source_that_asks_for_time_gets_it(register, later, monkeypatch):
    source = register.gateway.services.holders.opened(
        following.source_ref(register.gateway.services.database, NAME), following.Deadline.within(10)
    )
    asked_for = Failed(FailReason.THROTTLED, timedelta(hours=3))
    monkeypatch.setattr(type(source.connector), "changes", lambda *_: asked_for)

    ran = register.intake.following.run(NAME)

    status = register.status()
    assert ran.failure == "throttled"
    assert status.next_run - status.last_run >= timedelta(hours=3)


@on_one_database
def test_a_source_behind_what_its_file_calls_stale_is_named(gateway, register):
    register.put(1)
    register.use("PT15M", stale="P3D")

    register.intake.following.run(NAME)

    assert register.status().state == "stale"
    assert gateway.http.get("/readyz").json()["sources"]["failing"][0]["state"] == "stale"
    assert register.intake.following.health(NAME).state == "stale"


@on_one_database
def test_a_source_that_hangs_holds_up_neither_the_worker_nor_the_others(gateway, register, monkeypatch):
    register.put(1)
    go_on = threading.Event()
    service = register.intake.following
    inner = service.run

    def run(name, *args, **more):
        if name == "hanging":
            go_on.wait(60)
            raise RuntimeError("hung")
        return inner(name, *args, **more)

    monkeypatch.setattr(service, "run", run)
    monkeypatch.setattr(service, "due", lambda: ["hanging", NAME])
    began = time.monotonic()

    started = register.intake.rounds.go_round()
    again = register.intake.rounds.go_round()

    assert time.monotonic() - began < 15
    assert started == ["hanging", NAME]
    assert "hanging" not in again
    for _ in range(1200):
        if register.status().mapped == 1:
            break
        time.sleep(0.05)
    assert register.status().mapped == 1
    go_on.set()
    assert register.intake.rounds.wait(20)


@on_one_database
def test_a_run_that_is_stopped_ends_after_its_batch_and_goes_on_later(register, monkeypatch):
    for number in range(5):
        register.put(number)
    monkeypatch.setattr("connectors.kinds.files.BATCH_FILES", 2)
    brought = []
    service = register.intake.following

    first = service.run(NAME, brought.append, is_stopping=lambda: len(brought) >= 2)
    second = service.run(NAME, brought.append)

    assert first.mapped == 2
    assert second.mapped == 3
    assert [record.key for record in brought] == ["0", "1", "2", "3", "4"]


@on_one_database
def test_following_is_told_at_the_shell(gateway, register, monkeypatch):
    register.put(1)
    monkeypatch.setattr("gateway.commands.sources.services", lambda: gateway.services)

    followed = CliRunner().invoke(main, ["source", "follow", "--due"])
    nothing_due = CliRunner().invoke(main, ["source", "follow", "--due"])
    told = CliRunner().invoke(main, ["source", "status", "--json"])
    wrong = CliRunner().invoke(main, ["source", "follow"])

    assert (followed.exit_code, nothing_due.exit_code, nothing_due.output) == (0, 0, "")
    assert f"{NAME}   mapped 1   quarantined 0   deleted 0" in followed.output
    row = next(row for row in map(json.loads, told.output.splitlines()) if row["source"] == NAME)
    assert (row["state"], row["every"], row["mapped"], row["failure"]) == ("ok", "0:15:00", 1, None)
    assert wrong.exit_code == 2


@on_one_database
def test_a_worker_process_follows_too_shows_that_it_lives_and_ends_when_it_is_told_to(
    demo, register, settings, tmp_path
):
    register.put(1)
    process = subprocess.Popen(
        [sys.executable, "-c", "from gateway.cli import main; main()", "worker", "--alive", str(tmp_path / "alive")],
        env=environment(demo, settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = process.stdout.readline()
        for _ in range(600):
            if register.status().mapped == 1 and (tmp_path / "alive").exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    finally:
        process.kill()
        process.stdout.close()

    assert "working" in told
    assert (tmp_path / "alive").exists()
    assert register.status().mapped == 1
    assert code == 0
