"""The keys that sign tokens: one is active, rotation loses no call, an emergency kills at once."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from gateway.keywrap import KeyWrap, KeyWrapError
from gateway.oauth.audit import RowsOnly
from gateway.oauth.keys import KeyState, KeyTimes, TokenKeyError, TokenKeys
from gateway.oauth.models import TokenKey

pytestmark = pytest.mark.both_databases


@pytest.fixture
def keys(database, clock):
    keys = TokenKeys(database, KeyWrap(bytes(32)), clock, acts=RowsOnly(clock))
    keys.ensure_active()
    return keys


def states(keys):
    return {row.kid: row.state for row in keys.states()}


def kid_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]


def test_workers_that_start_together_end_with_one_active_key(database, clock):
    workers = [TokenKeys(database, KeyWrap(bytes(32)), clock, acts=RowsOnly(clock)) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda worker: worker.ensure_active(), workers))

    assert len({worker.signer().kid for worker in workers}) == 1


def test_a_second_active_key_cannot_be_stored(keys, database):
    with pytest.raises(IntegrityError), database.write_connection() as connection:
        connection.execute(
            TokenKey.__table__.insert().values(
                kid="x", alg="ES256", jwk={}, state="active", active_slot=1, created_at=keys.states()[0].created_at
            )
        )


def test_an_active_key_outside_the_slot_cannot_be_stored(keys, database):
    with pytest.raises(IntegrityError), database.write_connection() as connection:
        connection.execute(text("UPDATE token_key SET active_slot = NULL"))


def test_the_private_key_is_wrapped_and_opens_with_its_own_kek_only(keys, database, clock):
    with database.read() as session:
        wrapped = session.scalar(select(TokenKey.wrapped))
    assert b"PRIVATE" not in wrapped

    with pytest.raises(KeyWrapError):
        TokenKeys(database, KeyWrap(b"x" * 32), clock, acts=RowsOnly(clock)).ensure_active()


def test_the_key_set_holds_public_keys_with_kid_alg_and_use(keys):
    (jwk,) = keys.jwks()["keys"]

    assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (keys.signer().kid, "ES256", "sig")


def test_a_pending_key_is_published_and_verifies_nothing(keys):
    pending = keys.rotate(actor="operator")

    assert pending in {jwk["kid"] for jwk in keys.jwks()["keys"]}
    assert keys.verifier(pending) is None
    assert keys.signer().kid != pending
    assert keys.rotate(actor="operator") == pending


def test_a_rotation_takes_its_steps_when_they_are_due(keys, clock):
    old = keys.signer().kid
    new = keys.rotate(actor="operator")
    clock.advance(359)
    assert keys.advance() == []

    clock.advance(1)
    assert keys.advance() == [f"active {new}"]
    assert keys.signer().kid == new
    assert states(keys) == {old: KeyState.RETIRING, new: KeyState.ACTIVE}
    assert keys.verifier(old) is not None

    clock.advance(359)
    assert keys.advance() == []
    clock.advance(1)
    assert keys.advance() == [f"retired {old}"]
    assert keys.verifier(old) is None
    assert [jwk["kid"] for jwk in keys.jwks()["keys"]] == [new]


def test_a_retired_key_leaves_no_private_half_behind(keys, clock, database):
    old = keys.signer().kid

    keys.revoke(old, reason="lost", actor="operator")

    with database.read() as session:
        assert session.get(TokenKey, old).wrapped is None


def test_after_ninety_days_the_next_key_is_published_by_itself(keys, clock):
    clock.advance(timedelta(days=90).total_seconds() - 1)
    assert keys.advance() == []

    clock.advance(1)

    (done,) = keys.advance()
    assert done.startswith("pending ")


def test_an_emergency_replaces_the_active_key_at_once(keys):
    old = keys.signer().kid

    keys.revoke(old, reason="lost", actor="operator")

    assert keys.signer().kid != old
    assert keys.verifier(old) is None
    assert states(keys)[old] == KeyState.RETIRED
    with pytest.raises(TokenKeyError):
        keys.revoke(old, reason="again", actor="operator")
    with pytest.raises(TokenKeyError):
        keys.revoke("unknown", reason="x", actor="operator")


def test_every_change_is_audited(world):
    old = world.keys.signer().kid
    new = world.keys.rotate(actor="operator")
    world.clock.advance(360)
    world.keys.advance()
    world.clock.advance(360)
    world.keys.advance()

    changes = [(row.act, row.subject) for row in world.audit() if row.act.startswith("server_key.")]
    assert changes == [
        ("server_key.activated", old),
        ("server_key.published", new),
        ("server_key.retiring", old),
        ("server_key.activated", new),
        ("server_key.retired", old),
    ]


def test_no_call_fails_while_a_key_is_rotated_through_all_its_states(world, intake):
    """Two workers, one of which never rotates; a call of every step's token at both, through a whole rotation."""
    times = KeyTimes(published_before_use=timedelta(seconds=4), verifies_after_use=timedelta(seconds=305))
    rotating = TokenKeys(world.database, KeyWrap(world.kek), world.clock, acts=world.acts, times=times)
    apps = [world.app.test_client(), world.start().test_client()]
    old, tokens = rotating.signer().kid, []

    rotating.rotate(actor="operator")
    for second in range(330):
        if second % 5 == 0:
            world.http = apps[second % 2]
            tokens.append(intake.token())
        if second % 11 == 0:
            for app in apps:
                world.http = app
                assert intake.call(tokens[-1]).status_code == 200
                assert intake.call(tokens[max(0, len(tokens) - 59)]).status_code == 200
        world.clock.advance(1)
        rotating.advance()

    assert kid_of(tokens[0]) == old
    assert kid_of(tokens[-1]) != old
    assert states(rotating)[old] == KeyState.RETIRED
