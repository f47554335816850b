"""A holder's officer finds what waits, sees why, and decides; what was decided is what the requester then gets."""

import pytest

from gateway.people.models import Person
from ipx.answers import Denied, Released
from tests.admin.test_policy_pages import page
from tests.exchange.approving import CONTACT, ask_contact, looked_at, only_task, put


@pytest.fixture
def pending(gateway):
    put(gateway)
    return ask_contact(gateway)


def said(client, task, **members):
    shown = page(client, f"/admin/approvals/{task.id}")
    token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
    version = shown.partition('name="version" value="')[2].partition('"')[0]
    return client.post(f"/admin/approvals/{task.id}", data={"csrf_token": token, "version": version} | members)


def test_the_inbox_lists_what_waits(gateway, client, signed_in, pending):
    shown = page(signed_in(client, "otto"), "/admin/approvals")

    assert "1 approval, the nearest deadline first" in shown
    assert "Customs Administration of XA" in shown
    assert only_task(gateway).id in shown


def test_an_approval_shows_what_is_asked_and_what_the_policies_say(gateway, client, signed_in, pending):
    shown = page(signed_in(client, "otto"), f"/admin/approvals/{only_task(gateway).id}")

    assert gateway.urn() in shown
    assert "border enforcement" in shown
    assert "personal data" in shown


def test_what_an_officer_grants_is_released(gateway, client, signed_in, pending):
    answer = said(
        signed_in(client, "otto"), only_task(gateway), verdict="grant", groups=CONTACT, reason_code="consent_checked"
    )

    assert answer.status_code == 303
    assert isinstance(looked_at(gateway, pending), Released)


def test_what_an_officer_refuses_is_denied(gateway, client, signed_in, pending):
    answer = said(
        signed_in(client, "otto"), only_task(gateway), verdict="refuse", reason_code="not_necessary", note="no need"
    )

    assert answer.status_code == 303
    assert isinstance(looked_at(gateway, pending), Denied)


def test_a_verdict_without_reason_names_the_field(gateway, client, signed_in, pending):
    answer = said(signed_in(client, "otto"), only_task(gateway), verdict="grant", groups=CONTACT)

    assert answer.status_code == 422
    assert 'href="#reason_code"' in answer.text


def test_no_verdict_is_no_verdict(gateway, client, signed_in, pending):
    answer = said(signed_in(client, "otto"), only_task(gateway), reason_code="other")

    assert answer.status_code == 422
    assert only_task(gateway).state == "open"


def test_what_was_seen_is_what_is_decided(gateway, client, signed_in, pending):
    answer = said(
        signed_in(client, "otto"), only_task(gateway), version="7", verdict="grant", groups=CONTACT, reason_code="other"
    )

    assert answer.status_code == 422
    assert "look again" in answer.text


def test_deciding_needs_a_fresh_sign_in(gateway, client, signed_in, pending):
    answer = signed_in(client, "otto", fresh=False).get(f"/admin/approvals/{only_task(gateway).id}")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in/confirm")


def test_an_officer_of_another_agency_finds_nothing(gateway, client, signed_in, pending):
    gateway.services.people.add(
        "mona", name="Mona", agency="customs-xa", roles=("release_officer",), actor="operator:tests"
    )
    with gateway.services.database.write() as session:
        person = session.query(Person).filter_by(username="mona").one()
        person.password, person.tf_totp_secret = "!", "!"

    page(signed_in(client, "mona"), f"/admin/approvals/{only_task(gateway).id}", 404)
