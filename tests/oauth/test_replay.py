"""Each identifier passes once: under races, in two workers, after a restart; none passes where it cannot be known."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.db.engine import Database
from gateway.oauth.models import Seen
from gateway.oauth.replay import DatabaseReplayStore, ReplayedError, SeenKey, assertion_key, consume, proof_key

pytestmark = pytest.mark.both_databases

COPIES = 16


def at_once(action, copies=COPIES):
    """Run an action in threads that start together; each gets its own number."""
    gate = threading.Barrier(copies)

    def run(number):
        gate.wait()
        return action(number)

    with ThreadPoolExecutor(copies) as pool:
        return list(pool.map(run, range(copies)))


def test_sixteen_copies_of_one_assertion_give_exactly_one_token(world, intake):
    assertion = intake.assertion()
    workers = [world.app, world.start()]
    forms = [(intake.form(client_assertion=assertion), {"DPoP": intake.proof()}) for _ in range(COPIES)]

    def post(number):
        form, headers = forms[number]
        return workers[number % 2].test_client().post("/oauth/token", data=form, headers=headers)

    answers = at_once(post)

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json.get("error") for answer in answers if answer.status_code != 200} == {"invalid_client"}
    assert len(world.audit("token.issued")) == 1


def test_sixteen_copies_of_one_proof_give_exactly_one_answer_at_the_api(world, intake):
    token = intake.token()
    proof = intake.proof("GET", f"{world.ORIGIN}/v1/whoami", token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    workers = [world.app, world.start()]

    answers = at_once(lambda number: workers[number % 2].test_client().get("/v1/whoami", headers=headers))

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json.get("code") for answer in answers if answer.status_code != 200} == {"GW-309"}


def test_sixteen_proofs_and_one_assertion_use_up_one_proof_only(world, intake):
    assertion = intake.assertion()
    proofs = [intake.proof() for _ in range(COPIES)]
    forms = [intake.form(client_assertion=assertion) for _ in range(COPIES)]

    at_once(
        lambda number: world.app.test_client().post(
            "/oauth/token", data=forms[number], headers={"DPoP": proofs[number]}
        )
    )

    with world.database.read() as session:
        assert session.query(Seen).count() == 2


def test_sixteen_connections_insert_one_key_and_one_of_them_wins(database):
    key = assertion_key("customs-xa.intake", "the-same-jti", 10)

    def insert(_number):
        try:
            with database.write_connection() as connection:
                consume(connection, [key], None)
        except ReplayedError:
            return False
        return True

    for _ in range(5):
        with database.write_connection() as connection:
            connection.execute(text("DELETE FROM seen"))
        assert at_once(insert).count(True) == 1


def test_what_was_used_before_a_restart_is_refused_after_it(world, intake, refused):
    assertion, proof = intake.assertion(), intake.proof()
    assert intake.ask(proof, client_assertion=assertion).status_code == 200

    world.database = Database(world.database.url.render_as_string(hide_password=False))
    world.http = world.start().test_client()

    refused(intake.ask(client_assertion=assertion), "invalid_client", "GW-116")
    refused(intake.ask(proof), "invalid_dpop_proof", "GW-309")
    world.database.dispose()


def test_a_token_issued_before_a_restart_counts_after_it(world, intake):
    token = intake.token()

    world.http = world.start().test_client()

    assert intake.call(token).status_code == 200


def test_one_assertion_passes_at_one_endpoint_only(intake, refused):
    assertion = intake.assertion()
    assert intake.post("/oauth/introspect", client_assertion=assertion, token="any").status_code == 200

    refused(intake.ask(client_assertion=assertion), "invalid_client", "GW-116")
    refused(intake.post("/oauth/revoke", client_assertion=assertion, token="any"), "invalid_client", "GW-116")
    refused(intake.post("/oauth/introspect", client_assertion=assertion, token="any"), "invalid_client", "GW-116")


def test_all_keys_are_used_up_or_none(database):
    first, second = (SeenKey(bytes([n]) * 32, 10, "proof") for n in (1, 2))
    with database.write_connection() as connection:
        consume(connection, [second], None)

    with pytest.raises(ReplayedError) as replay, database.write_connection() as connection:
        consume(connection, [first, second], None)

    assert replay.value.seen is second
    with database.write_connection() as connection:
        consume(connection, [first], None)


def test_names_do_not_run_into_each_other():
    keys = {
        assertion_key("a.b", "cccccccc", 0).key,
        assertion_key("a.bc", "ccccccc", 0).key,
        proof_key("a.b", "c", "cccccccc", 0).key,
        proof_key("a", "b:c", "cccccccc", 0).key,
    }

    assert len(keys) == 4


def test_what_age_refuses_anyway_is_swept(database, clock):
    store = DatabaseReplayStore(database)
    now = int(clock().timestamp())
    with database.write_connection() as connection:
        consume(connection, [SeenKey(bytes([n]) * 32, now + n - 3, "proof") for n in range(6)], None)

    assert store.sweep(clock()) == 3
    assert store.sweep(clock() + timedelta(seconds=10)) == 3
    assert store.sweep(clock()) == 0


@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_an_unavailable_store_gives_no_token_and_no_answer(world, intake, refused, moment):
    token = intake.token()
    form, headers = intake.form(), {"DPoP": intake.proof()}
    call = intake.proof("GET", f"{world.ORIGIN}/v1/whoami", token)
    broken = world.database
    engines = ["reader", "_glancer"] if moment == "reading" else ["writer"]
    whole = {engine: getattr(broken, engine) for engine in engines if hasattr(broken, engine)}
    unreachable = Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    for engine in whole:
        setattr(broken, engine, unreachable.writer)
    try:
        answer = world.http.post("/oauth/token", data=form, headers=headers)
        refused(answer, "temporarily_unavailable", "GW-500", 503)
        assert answer.headers["Retry-After"]
        answer = intake.call(token, call)
        assert answer.status_code == 503
        assert answer.json["type"].endswith("/problems/store-unavailable")
    finally:
        for engine, usable in whole.items():
            setattr(broken, engine, usable)

    assert world.http.post("/oauth/token", data=form, headers=headers).status_code == 200
    assert intake.call(token, call).status_code == 200
