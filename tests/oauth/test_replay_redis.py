"""Redis as the memory of used identifiers: the same promises as the database's."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gateway.errors import SettingsError, StoreUnavailableError
from gateway.oauth.replay import ReplayedError, SeenKey, assertion_key

redis = pytest.importorskip("redis", reason="the package redis is not installed")
from gateway.oauth.replay_redis import RedisReplayStore  # noqa: E402  (needs the package)

COPIES = 16


@pytest.fixture
def store(redis_server):
    store = RedisReplayStore(redis_server.url)
    yield store
    store.close()


def key(name, until):
    return assertion_key("customs-xa.intake", name, until)


def test_a_key_passes_once(store, clock):
    until = int(clock().timestamp()) + 60
    store.consume(None, [key("the-same-jti", until)], clock())

    with pytest.raises(ReplayedError):
        store.consume(None, [key("the-same-jti", until)], clock())
    assert store.was_used(key("the-same-jti", 0))
    assert not store.was_used(key("another-jti", 0))


def test_all_keys_are_used_up_or_none(store, clock):
    until = int(clock().timestamp()) + 60
    first, second = key("first-jti", until), key("second-jti", until)
    store.consume(None, [second], clock())

    with pytest.raises(ReplayedError) as replay:
        store.consume(None, [first, second], clock())

    assert replay.value.seen is second
    store.consume(None, [first], clock())


def test_what_no_transaction_could_undo_is_used_up_ahead_and_nothing_is_left_for_one(store, clock):
    until = int(clock().timestamp()) + 60
    first, second = key("first-jti", until), key("second-jti", until)

    assert store.use_up_ahead([first], clock()) == ()
    with pytest.raises(ReplayedError):
        store.use_up_ahead([second, first], clock())
    assert (store.was_used(first), store.was_used(second)) == (True, False)
    assert store.use_up_ahead([], clock()) == ()


def test_sixteen_connections_use_one_key_and_one_of_them_wins(redis_server, clock):
    seen = key("the-same-jti", int(clock().timestamp()) + 60)
    gate = threading.Barrier(COPIES)

    def use(_number):
        store = RedisReplayStore(redis_server.url)
        gate.wait()
        try:
            store.consume(None, [seen], clock())
        except ReplayedError:
            return False
        finally:
            store.close()
        return True

    with ThreadPoolExecutor(COPIES) as pool:
        assert list(pool.map(use, range(COPIES))).count(True) == 1


def test_what_was_used_is_refused_after_the_server_was_killed(redis_server, store, clock):
    seen = key("the-same-jti", int(clock().timestamp()) + 60)
    store.consume(None, [seen], clock())

    redis_server.kill()
    with pytest.raises(StoreUnavailableError):
        store.consume(None, [key("another-jti", 0)], clock())
    redis_server.start()
    with redis.Redis.from_url(redis_server.url) as admin:
        until = time.monotonic() + 30
        while admin.info("persistence")["loading"] and time.monotonic() < until:  # and refuses
            time.sleep(0.02)

    with pytest.raises(ReplayedError):
        store.consume(None, [seen], clock())


def test_a_key_is_forgotten_when_age_refuses_it(store, clock):
    store.consume(None, [SeenKey(bytes(32), int(clock().timestamp()) + 1, "proof")], clock())
    deadline = time.monotonic() + 10
    while store.was_used(SeenKey(bytes(32), 0, "proof")):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert store.sweep(clock() + timedelta(days=1)) == 0


def test_a_server_that_forgets_is_not_taken(redis_server):
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.config_set("maxmemory", "100mb")
        admin.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(SettingsError, match="noeviction"):
        RedisReplayStore(redis_server.url)


def test_a_server_that_does_not_answer_is_not_taken():
    with pytest.raises(StoreUnavailableError):
        RedisReplayStore("redis://127.0.0.1:1/0")


@pytest.mark.both_databases
def test_tokens_over_redis(world, intake, redis_server, refused):
    stores = []
    world.make_replay = lambda database: stores.append(RedisReplayStore(redis_server.url)) or stores[-1]
    world.http = world.start().test_client()
    assertion, proof = intake.assertion(), intake.proof()
    forms = [(intake.form(client_assertion=assertion), {"DPoP": intake.proof()}) for _ in range(COPIES)]
    workers = [world.start(), world.start()]  # the first app of the world keeps the database's store

    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(
            pool.map(
                lambda number: (
                    workers[number % 2]
                    .test_client()
                    .post("/oauth/token", data=forms[number][0], headers=forms[number][1])
                ),
                range(COPIES),
            )
        )
    assert [answer.status_code for answer in answers].count(200) == 1
    assert intake.call(intake.token()).status_code == 200

    assert intake.ask(proof).status_code == 200
    refused(intake.ask(proof), "invalid_dpop_proof", "GW-309")
    redis_server.kill()
    refused(intake.ask(), "temporarily_unavailable", "GW-500", 503)
    redis_server.start()
    assert intake.ask().status_code == 200
    for one in stores:
        one.close()
