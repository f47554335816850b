"""The register of people: who is in it, with which roles, and who may change it."""

import pytest

from gateway.errors import AlreadyExistsError, InvalidInputError, UnknownError
from gateway.people.errors import NotAllowedError
from gateway.people.models import Person


def test_a_person_is_registered_with_the_audit_entry_and_its_leaf(people, acts):
    people.add("otto", name="Otto", agency="ipo-xa", roles=["release_officer"], actor="person:alice")

    otto = people.person("otto")
    assert (otto.agency_code, otto.role_names) == ("ipo-xa", {"release_officer"})
    entry = acts("person.added")[-1]
    assert (entry.actor, entry.subject) == ("person:alice", "person:otto")
    assert entry.log_index is not None
    assert entry.detail == {"agency": "ipo-xa", "roles": ["release_officer"], "upstream": False}


def test_a_username_has_one_plain_form(people):
    for username in ["", "A", "Alice", "a b", "-x", "a" * 64, "ал", "a\n", "person:alice"]:
        with pytest.raises(InvalidInputError):
            people.add(username, name="X", roles=[], actor="person:alice")


def test_what_does_not_exist_cannot_be_given(people):
    with pytest.raises(InvalidInputError, match="owner"):
        people.add("olga", name="Olga", roles=["owner"], actor="person:alice")
    with pytest.raises(UnknownError):
        people.add("olga", name="Olga", agency="nowhere", roles=[], actor="person:alice")
    with pytest.raises(AlreadyExistsError):
        people.add("adam", name="Another", roles=[], actor="person:alice")
    with pytest.raises(InvalidInputError):
        people.add("olga", name="\x00", roles=[], actor="person:alice")


def test_an_agencys_administrator_reaches_the_agencys_people_only(people):
    people.add("dora", name="Dora", agency="customs-xa", roles=["auditor"], actor="person:alice")
    acting = {"actor": "person:adam", "within": "ipo-xa"}

    assert [person.username for person in people.people(within="ipo-xa")] == ["adam"]
    for act in (
        lambda: people.set_roles("dora", ["administrator"], **acting),
        lambda: people.suspend("dora", reason="x", **acting),
        lambda: people.resume("dora", **acting),
        lambda: people.invite("dora", **acting),
        lambda: people.end_sign_ins("dora", **acting),
        lambda: people.set_upstream("alice", "x", **acting),
        lambda: people.sign_ins("alice", within="ipo-xa"),
        lambda: people.person("alice", within="ipo-xa"),
    ):
        with pytest.raises(UnknownError):
            act()
    with pytest.raises(NotAllowedError):
        people.add("mole", name="Mole", agency="customs-xa", roles=[], **acting)
    with pytest.raises(NotAllowedError):
        people.add("mole", name="Mole", agency=None, roles=["administrator"], **acting)


def test_nobody_changes_their_own_account(people):
    for act in (
        lambda: people.set_roles("adam", ["administrator", "policy_approver"], actor="person:adam"),
        lambda: people.suspend("adam", reason="x", actor="person:adam"),
        lambda: people.invite("adam", reset=True, actor="person:adam"),
    ):
        with pytest.raises(NotAllowedError):
            act()

    assert people.person("adam").role_names == {"administrator"}


def test_the_last_nation_wide_administrator_stays(people, acts):
    with pytest.raises(InvalidInputError, match="another first"):
        people.set_roles("alice", ["auditor"], actor="person:adam")
    with pytest.raises(InvalidInputError, match="another first"):
        people.suspend("alice", reason="x", actor="operator:root")

    assert people.person("alice").active
    assert acts("person.roles_set") == acts("person.suspended") == []

    people.add("anna", name="Anna", roles=["administrator"], actor="person:alice")
    people.suspend("alice", reason="left", actor="person:anna")

    assert not people.person("alice").active


def test_roles_that_change_nothing_are_no_act(people, acts, begin, sign_ins):
    token = begin("adam")

    people.set_roles("adam", ["administrator"], actor="person:alice")

    assert acts("person.roles_set") == []
    assert sign_ins.current(token) is not None


def test_a_subject_belongs_to_one_person(people):
    people.set_upstream("adam", "subject-1", actor="person:alice")

    with pytest.raises(AlreadyExistsError):
        people.set_upstream("alice", "subject-1", actor="operator:root")


def test_of_two_changes_at_once_none_is_lost(people, database):
    from sqlalchemy.orm.exc import StaleDataError  # noqa: PLC0415

    old = people.person("adam")
    people.set_upstream("adam", "subject-1", actor="person:alice")
    old.password = "x"

    with pytest.raises(StaleDataError), database.write() as session:
        session.merge(old)

    with database.read() as session:
        assert session.get_one(Person, old.id).upstream_subject == "subject-1"
