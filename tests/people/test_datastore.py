"""What Flask-Security changes is written at once, with its audit entries, or not at all; on either database."""

import pytest
from flask import Flask
from sqlalchemy import select

from gateway.evidence.errors import LogUnavailableError
from gateway.people.datastore import PeopleDatastore
from gateway.people.errors import PersonChangedError
from gateway.people.models import Passkey


@pytest.fixture
def datastore(database, trail, people, clock):
    datastore = PeopleDatastore(database, trail, clock)
    with Flask("gateway").app_context():
        yield datastore


def credential(name="blue key", credential_id=b"\x00\xff id"):
    return {
        "credential_id": credential_id,
        "public_key": b"\x00public",
        "name": name,
        "sign_count": 0,
        "usage": "first",
        "device_type": "multi_device",
        "backup_state": True,
        "transports": ["usb", "nfc"],
        "extensions": None,
    }


def test_a_passkey_and_its_audit_entry_are_written_together(datastore, people, acts, database):
    adam = datastore.find_user(username="adam")
    datastore.create_webauthn(adam, **credential())
    datastore.note("person.passkey_added", adam, {"name": "blue key"})
    assert people.person("adam").webauthn == []

    datastore.commit()

    found = datastore.find_webauthn(credential_id=b"\x00\xff id")
    assert (found.name, found.transports, datastore.find_user_from_webauthn(found).username) == (
        "blue key",
        ["usb", "nfc"],
        "adam",
    )
    assert people.person("adam").has_second_factor
    entry = acts("person.passkey_added")[-1]
    assert (entry.actor, entry.subject, entry.log_index is None) == ("person:adam", "person:adam", False)


def test_without_the_log_nothing_is_changed(datastore, people, acts, trail, monkeypatch):
    def unavailable(*_, **__):
        raise LogUnavailableError("the log is down")

    adam = datastore.find_user(username="adam")
    adam.password = "changed"
    datastore.put(adam)
    datastore.note("person.password_changed", adam)
    monkeypatch.setattr(trail._log, "append_within", unavailable)

    with pytest.raises(LogUnavailableError):
        datastore.commit()

    assert people.person("adam").password is None
    assert acts("person.password_changed") == []


def test_the_second_of_two_who_read_the_same_state_changes_nothing(datastore, people):
    first, second = datastore.find_user(username="adam"), datastore.find_user(username="adam")
    first.totp_counter = 7
    datastore.put(first)
    datastore.commit()
    second.totp_counter = 7
    second.mf_recovery_codes = ["x"]
    datastore.put(second)

    with pytest.raises(PersonChangedError):
        datastore.commit()

    assert people.person("adam").mf_recovery_codes is None


def test_a_removed_passkey_is_gone_and_what_failed_leaves_nothing_waiting(datastore, people, database):
    adam = datastore.find_user(username="adam")
    datastore.create_webauthn(adam, **credential())
    datastore.commit()
    datastore.delete_webauthn(people.person("adam").webauthn[0])
    datastore.commit()
    datastore.commit()

    with database.read() as session:
        assert session.scalars(select(Passkey)).all() == []


def test_a_credential_belongs_to_one_person(datastore, database):
    datastore.create_webauthn(datastore.find_user(username="adam"), **credential())
    datastore.commit()
    datastore.create_webauthn(datastore.find_user(username="alice"), **credential("other"))

    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        datastore.commit()
