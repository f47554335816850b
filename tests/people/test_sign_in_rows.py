"""A sign-in holds while it is used, eight hours at most, and ends at once where something says so."""

import pytest

from gateway.people.models import SignIn


def test_a_sign_in_is_an_act_and_keeps_only_a_hash_of_its_token(begin, acts, database):
    token = begin("alice")

    entry = acts("person.signed_in")[-1]
    assert (entry.actor, entry.detail["via"], entry.detail["ip"]) == ("person:alice", "passkey", "192.0.2.7")
    assert entry.log_index is not None
    assert token not in str(entry.detail)
    with database.read() as session:
        assert len(session.query(SignIn).one().token_sha256) == 32


def test_it_ends_after_fifteen_idle_minutes(begin, sign_ins, clock):
    token = begin("alice")

    clock.advance(14 * 60)
    assert sign_ins.current(token) is not None
    clock.advance(14 * 60)
    assert sign_ins.current(token) is not None
    clock.advance(15 * 60)
    assert sign_ins.current(token) is None


def test_it_ends_after_eight_hours_however_it_is_used(begin, sign_ins, clock):
    token = begin("alice")

    for _ in range(8 * 6 - 1):
        clock.advance(10 * 60)
        assert sign_ins.current(token) is not None
    clock.advance(10 * 60)

    assert sign_ins.current(token) is None


def test_its_last_use_is_written_now_and_then_only(begin, sign_ins, clock):
    token = begin("alice")
    clock.advance(29)
    assert sign_ins.current(token).seen_at < clock()
    clock.advance(1)

    sign_ins.current(token)

    assert sign_ins.current(token).seen_at == clock()


@pytest.mark.parametrize("token", ["", "x", "\x00", "a" * 10_000])
def test_a_made_up_token_is_nobodys(people, sign_ins, token):
    assert sign_ins.current(token) is None


def test_roles_suspension_and_reset_end_them_all(begin, sign_ins, people):
    for act in (
        lambda: people.set_roles("adam", ["auditor"], actor="person:alice"),
        lambda: people.invite("adam", reset=True, actor="person:alice"),
        lambda: people.set_upstream("adam", "subject-1", actor="person:alice"),
        lambda: people.suspend("adam", reason="left", actor="person:alice"),
    ):
        tokens = [begin("adam"), begin("adam")]

        act()

        assert [sign_ins.current(token) for token in tokens] == [None, None]


def test_a_person_ends_one_or_all_but_this(begin, sign_ins, people, acts):
    first, second, third = (begin("alice") for _ in range(3))
    ids = {token: sign_ins.current(token).id for token in (first, second, third)}

    assert people.end_sign_ins("alice", actor="person:alice", only=[ids[first]]) == 1
    assert [row.id for row in people.sign_ins("alice")] == [ids[third], ids[second]]
    assert people.end_sign_ins("alice", actor="person:alice", but=ids[third]) == 1
    assert sign_ins.current(third) is not None
    assert acts("person.sign_ins_ended")[-1].detail == {"sign_ins": [ids[second]]}


def test_nobody_ends_anothers_by_its_id(begin, sign_ins, people):
    token = begin("alice")

    assert people.end_sign_ins("adam", actor="person:adam", only=[sign_ins.current(token).id]) == 0
    assert sign_ins.current(token) is not None


def test_signing_out_ends_it(begin, sign_ins, acts):
    token = begin("alice")

    sign_ins.end(token, "signed out")
    sign_ins.end(token, "signed out")

    assert sign_ins.current(token) is None
    assert len(acts("person.signed_out")) == 1


def test_old_rows_are_forgotten_and_the_audit_entry_stays(begin, people, sign_ins, clock, acts, database):
    begin("alice")
    people.invite("adam", actor="person:alice")
    clock.advance(29 * 24 * 3600)
    assert sign_ins.sweep() == 0
    begin("alice")
    clock.advance(3 * 24 * 3600)

    assert sign_ins.sweep() == 2
    assert len(acts("person.signed_in")) == 2
    with database.read() as session:
        assert len(session.query(SignIn).all()) == 1
