"""One-time links let in once and not for long; guessing is slowed without shutting anybody out."""

import pytest

from gateway.errors import AlreadyExistsError
from gateway.people import links
from gateway.people.errors import LinkSpentError, NotAllowedError
from gateway.people.models import OneTimeLink, Passkey, Person


def token_of(invitation):
    return invitation.path.removeprefix("/set-up/")


@pytest.fixture
def spend(database, clock):
    def put(token):
        with database.write() as session:
            return links.spend(session, token, clock())

    return put


def test_a_link_lets_in_once(people, spend, database, clock):
    token = token_of(people.invite("adam", actor="person:alice"))

    with database.read() as session:
        assert links.look(session, token, clock()).username == "adam"
    assert spend(token).username == "adam"
    with pytest.raises(LinkSpentError):
        spend(token)


def test_a_link_ends_by_itself_and_by_the_next_one(people, spend, clock):
    first = token_of(people.invite("adam", actor="person:alice"))
    second = token_of(people.invite("adam", actor="person:alice", hours=1))

    with pytest.raises(LinkSpentError):
        spend(first)
    clock.advance(3600)
    with pytest.raises(LinkSpentError):
        spend(second)


def test_a_suspended_person_is_neither_invited_nor_let_in(people, spend):
    token = token_of(people.invite("adam", actor="person:alice"))
    people.suspend("adam", reason="left", actor="person:alice")

    with pytest.raises(LinkSpentError):
        spend(token)
    with pytest.raises(NotAllowedError):
        people.invite("adam", actor="person:alice")


@pytest.mark.parametrize("token", ["", "x", "\x00", "ü" * 3])
def test_a_made_up_link_is_refused(people, spend, token):
    with pytest.raises(LinkSpentError):
        spend(token)


def test_only_a_hash_of_a_link_is_kept(people, database, acts):
    token = token_of(people.invite("adam", actor="person:alice"))

    with database.read() as session:
        assert session.query(OneTimeLink).one().token_sha256 == links.digest(token)
    assert token not in str([entry.detail for entry in acts()])


def test_who_can_sign_in_is_invited_anew_only_by_a_reset_that_takes_everything_away(people, database, clock):
    with database.write() as session:
        adam = session.get_one(Person, people.person("adam").id)
        adam.password, adam.tf_totp_secret, adam.tf_primary_method = "!", "!", "authenticator"
        adam.mf_recovery_codes, adam.totp_counter = ["!"], 5
        adam.webauthn = [
            Passkey(
                name="key",
                credential_id=b"1",
                public_key=b"2",
                sign_count=0,
                usage="first",
                backup_state=False,
                device_type="single_device",
                created_at=clock(),
                lastuse_datetime=clock(),
            )
        ]
    with pytest.raises(AlreadyExistsError):
        people.invite("adam", actor="person:alice")

    people.invite("adam", actor="person:alice", reset=True)

    adam = people.person("adam")
    left = (adam.password, adam.tf_totp_secret, adam.totp_counter, adam.mf_recovery_codes, adam.webauthn)
    assert left == (None, None, None, None, [])


def test_five_failures_lock_for_a_minute_and_each_further_one_for_longer(people, locks, clock):
    adam = people.person("adam")

    for _ in range(4):
        locks.refuse(adam, factor="password", address="192.0.2.7")
    assert not locks.is_locked(adam)
    locks.refuse(adam, factor="password", address="192.0.2.7")
    assert locks.is_locked(adam)
    clock.advance(60)
    assert not locks.is_locked(adam)
    locks.refuse(adam, factor="code", address="192.0.2.7")
    clock.advance(119)
    assert locks.is_locked(adam)
    clock.advance(1)
    assert not locks.is_locked(adam)


def test_a_lock_is_never_longer_than_an_hour_and_a_day_forgets(people, locks, clock):
    adam = people.person("adam")
    for _ in range(60):
        locks.refuse(adam, factor="password", address="192.0.2.7")

    clock.advance(3600)
    assert not locks.is_locked(adam)
    clock.advance(24 * 3600)
    locks.refuse(adam, factor="password", address="192.0.2.7")
    assert not locks.is_locked(adam)


def test_a_sign_in_begins_the_count_anew(people, locks, database):
    adam = people.person("adam")
    for _ in range(5):
        locks.refuse(adam, factor="password", address="192.0.2.7")

    with database.write() as session:
        locks.forget(session, adam)

    assert not locks.is_locked(adam)


def test_refusals_are_audited_without_a_leaf_and_without_what_was_typed(people, locks, acts):
    locks.refuse(people.person("adam"), factor="password", address="192.0.2.7")
    locks.refuse(None, factor="password", address="192.0.2.8")

    known, unknown = acts("person.sign_in_refused")
    assert (known.actor, known.subject, known.log_index) == ("stranger", "person:adam", None)
    assert known.detail == {"factor": "password", "ip": "192.0.2.7", "failures": 1}
    assert (unknown.subject, unknown.detail) == ("person", {"factor": "password", "ip": "192.0.2.8"})
