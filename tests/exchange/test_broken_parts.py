"""Each part of the gateway that breaks: nothing is released, what was begun has its receipt, /health names the part,
and what is repaired is taken up again without hands.

How holders fail is in test_fault_classes.py; witnesses and time-stamps in test_confirmation.py; a server that is killed
at each step in test_crashes.py.
"""

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.db import engine
from gateway.demo.run import free_port
from ipx.answers import Failed, Released
from ipx.problems import TokenRefusedError, UnavailableError
from tests.exchange.breaking import (
    Clock,
    database_down,
    database_full,
    database_read_only,
    failing,
    health,
    redis_at,
)
from tests.exchange.world import Gateway

GONE = "it cannot be reached, read or written"


@pytest.fixture
def calls(gateway, monkeypatch):
    """How often a holder was asked."""
    asked, holders = [], gateway.services.broker._holders
    fetch = holders.fetch
    monkeypatch.setattr(holders, "fetch", lambda *given: asked.append(given) or fetch(*given))
    return asked


@pytest.fixture
def on_a_volume(settings, tmp_path):
    """The same database, with the files of SQLite in a folder of their own."""
    if not settings.database_url.startswith("sqlite"):
        return settings
    (tmp_path / "volume").mkdir()
    (tmp_path / "gateway.db").rename(tmp_path / "volume" / "gateway.db")
    return replace(settings, database_url=f"sqlite:///{tmp_path / 'volume' / 'gateway.db'}")


def refused(gateway, request):
    """Send a request that is answered by no outcome; gives the problem's kind."""
    reply = gateway.post(request.encode())
    assert reply.status == 503
    assert "Retry-After" in reply.headers
    assert "record" not in reply.json()
    return reply.json()["type"].rpartition("/")[2]


def released_and_whole(gateway, request=None):
    """Check that exchanges go on; the request that was refused is answered as if it came for the first time."""
    answer = gateway.client().send(request or gateway.sign())
    assert isinstance(answer, Released)
    assert not answer.evidence.is_replayed
    assert gateway.receipt(answer)["outcome"] == "released"
    assert failing(gateway) == (200, {})
    assert gateway.http.get("/readyz").status_code == 200
    gateway.services.log.audit()


def test_a_database_that_is_down_is_named_and_taken_up_again(demo, on_a_volume):
    gateway = Gateway(demo, on_a_volume)
    assert isinstance(gateway.ask(), Released)
    filed, request = gateway.count("exchange"), gateway.sign()

    with database_down(gateway.services.database):
        assert refused(gateway, request) == "store-unavailable"
        assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "database"}
        status, parts = health(gateway)

    assert (status, next(iter(parts))) == (503, "database")
    assert gateway.count("exchange") == filed
    released_and_whole(gateway, request)
    gateway.close()


@pytest.mark.parametrize("name", ["database", "checkpoint_database"])
def test_a_database_that_cannot_be_written_stops_exchanges_before_the_holder_is_called(gateway, calls, name):
    assert isinstance(gateway.ask(), Released)
    asked, request = len(calls), gateway.sign()

    with database_read_only(getattr(gateway.services, name)):
        gateway.services.log._writable.expire()  # five seconds later
        assert refused(gateway, request) in {"store-unavailable", "log-unavailable"}
        assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "log"}
        status, parts = health(gateway)

    assert (status, parts["log"]) == (503, "the log or its checkpoint store cannot be written")
    assert len(calls) == asked
    released_and_whole(gateway, request)


def test_a_full_disk_releases_nothing_is_named_and_room_lets_exchanges_go_on(gateway, monkeypatch):
    assert isinstance(gateway.ask(), Released)
    released, last = 1, gateway.sign()

    with database_full(gateway.services.database):
        for _ in range(50):  # the last pages of SQLite still have room for some
            if gateway.post(last.encode()).status != 200:
                break
            released, last = released + 1, gateway.sign()
        assert refused(gateway, gateway.sign()) in {"store-unavailable", "log-unavailable"}
        assert gateway.count("exchange WHERE state = 'released'") == released
        assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "database"}
        status, parts = health(gateway)

    assert (status, next(iter(parts))) == (503, "database")
    gateway.services.recovery.close_own()  # as a start does, or the sweep when its time is up
    monkeypatch.setattr(engine, "FULL_SECONDS", 0.0)  # half a minute later
    assert gateway.receipt(gateway.client().send(last))["outcome"] in {"released", "failed"}
    released_and_whole(gateway)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_disk_that_is_full_when_the_outcome_is_to_be_logged_releases_nothing_and_the_sweep_makes_it_a_receipt(
    gateway, monkeypatch
):
    request = gateway.sign()

    with database_full(gateway.services.database, "log_entry"):
        assert refused(gateway, request) == "log-unavailable"
        assert failing(gateway)[1]["database"] == GONE

    monkeypatch.setattr(engine, "FULL_SECONDS", 0.0)  # half a minute later
    assert gateway.services.recovery.close_own() == 1
    answer = gateway.client().send(request)
    assert isinstance(answer, Failed)
    assert (answer.reason, gateway.receipt(answer)["outcome"]) == ("interrupted", "failed")
    released_and_whole(gateway)


def test_a_replay_store_that_is_down_lets_nobody_in_and_is_named(demo, settings):
    if shutil.which("redis-server") is None or os.environ.get("IPX_TEST_REDIS") == "skip":
        pytest.skip("no redis-server on this machine")
    port = free_port()
    with redis_at(port):
        gateway = Gateway(demo, replace(settings, redis_url=f"redis://127.0.0.1:{port}/0"))
        assert isinstance(gateway.ask(), Released)
    filed = gateway.count("exchange")

    with pytest.raises(UnavailableError):
        gateway.ask()
    assert gateway.count("exchange") == filed
    assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "replay store"}
    assert failing(gateway) == (503, {"replay store": GONE})

    with redis_at(port):
        released_and_whole(gateway)
    gateway.close()


def test_a_proof_that_redis_keeps_pays_for_one_exchange_and_leaves_no_row(demo, settings):
    if shutil.which("redis-server") is None or os.environ.get("IPX_TEST_REDIS") == "skip":
        pytest.skip("no redis-server on this machine")
    port, sent = free_port(), []
    with redis_at(port):
        gateway = Gateway(demo, replace(settings, redis_url=f"redis://127.0.0.1:{port}/0"))
        client = gateway.client()
        client._channel._http.event_hooks = {"request": [sent.append]}
        assert isinstance(gateway.ask(), Released)
        filed = gateway.count("exchange")

        [call] = [one for one in sent if one.url.path == "/v1/exchanges"][-1:]
        again = gateway.http.post(call.url, headers=call.headers, content=gateway.sign())
        assert again.status_code == 401
        assert "DPoP" in again.headers["WWW-Authenticate"]
        assert gateway.count("exchange") == filed
        assert gateway.count("seen") == 0
        released_and_whole(gateway)
    gateway.close()


@pytest.fixture
def clock():
    return Clock()


@contextmanager
def timed(demo, settings, clock):
    gateway = Gateway(demo, settings, clock=clock)
    yield gateway
    gateway.close()


def test_a_node_whose_clock_is_behind_releases_nothing_and_is_named(demo, settings, clock):
    with timed(demo, settings, clock) as gateway:
        assert isinstance(gateway.ask(), Released)
        filed, request = gateway.count("exchange"), gateway.sign()

        clock.ahead = -timedelta(minutes=5)
        gateway._clients.clear()
        with pytest.raises(TokenRefusedError, match="in the future"):
            gateway.client(verified=False).send(request)
        status, parts = failing(gateway)

        assert gateway.count("exchange") == filed
        assert status == 200
        assert ("the database's" if "postgresql" in settings.database_url else "signed already") in parts["clock"]
        clock.ahead = timedelta(0)
        gateway._clients.clear()
        released_and_whole(gateway)


def test_what_a_killed_worker_left_is_named_and_closed_by_another_when_its_time_is_up(
    demo, settings, clock, monkeypatch
):
    class Killed(BaseException):
        """Stands for a worker that died: nothing of it goes on."""

    def die(*_, **__):
        raise Killed

    with timed(demo, settings, clock) as gateway:
        request = gateway.sign()
        with monkeypatch.context() as patch:
            patch.setattr(gateway.services.journal, "close", die)
            with pytest.raises(Killed):
                gateway.client().send(request)
        assert gateway.services.recovery.close_overdue() == 0

        clock.ahead = timedelta(minutes=5)
        assert failing(gateway)[1]["background work"] == "an exchange that was interrupted is closed by nobody"
        assert gateway.services.recovery.close_overdue() == 1
        assert "background work" not in failing(gateway)[1]
        clock.ahead = timedelta(0)

        gateway._clients.clear()  # one that does not mind that the receipt is of five minutes later
        answer = gateway.client(verified=False).send(request)
        assert isinstance(answer, Failed)
        assert (answer.reason, gateway.receipt(answer)["outcome"]) == ("interrupted", "failed")
        gateway.services.log.audit()
