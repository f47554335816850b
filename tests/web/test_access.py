"""Views of the consoles are for those who may, at once when they may no longer."""

import re

import pytest

from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.people.models import Person


@pytest.fixture
def client(gateway, client):
    app = gateway.app

    @app.get("/t/auditors")
    @needs("auditor", "administrator")
    def auditors():
        return current_person().username

    @app.get("/t/dangerous")
    @needs()
    @needs_fresh_sign_in
    def dangerous():
        return "done"

    return client


def test_a_stranger_is_sent_to_sign_in_and_comes_back(client):
    answer = client.get("/t/auditors?from=1")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=/t/auditors%3Ffrom%3D1"


def test_any_of_the_roles_suffices(client, signed_in):
    assert signed_in(client, "carol").get("/t/auditors").text == "carol"
    assert signed_in(client, "alice").get("/t/auditors").text == "alice"


def test_none_of_the_roles_is_refused(client, signed_in):
    answer = signed_in(client, "bob").get("/t/auditors")

    assert answer.status_code == 403


def test_what_is_dangerous_asks_for_a_second_look(client, signed_in):
    assert signed_in(client, "bob").get("/t/dangerous").text == "done"

    answer = signed_in(client, "bob", fresh=False).get("/t/dangerous")

    assert answer.headers["Location"] == "/sign-in/confirm?next=/t/dangerous"


@pytest.mark.parametrize("act", ["roles", "suspended", "ended"])
def test_a_change_of_roles_a_suspension_and_an_end_hold_from_the_next_request(client, signed_in, gateway, act):
    signed_in(client, "carol")
    people = gateway.services.people
    match act:
        case "roles":
            people.set_roles("carol", ["auditor", "operator"], actor="person:alice")
        case "suspended":
            people.suspend("carol", reason="left", actor="person:alice")
        case _:
            people.end_sign_ins("carol", actor="person:alice")

    answer = client.get("/t/auditors")

    assert answer.headers["Location"].startswith("/sign-in?")


def test_without_a_second_factor_a_person_can_only_set_one_up(client, signed_in, gateway):
    carol = gateway.services.people.person("carol")
    with gateway.services.database.write() as session:
        session.get_one(Person, carol.id).password = None

    answer = signed_in(client, "carol").get("/t/auditors")

    assert answer.headers["Location"] == "/account/set-up"


def test_no_page_about_people_opens_for_a_stranger(gateway, client):
    """Signing in itself is for strangers; every other page leads there, says 404, or wants a form's token."""
    for rule in gateway.app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] not in {"people", "people_admin", "security"}:
            continue
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            answer = client.open(re.sub(r"<[^>]+>", "x", rule.rule), method=method)

            is_sent = answer.headers.get("Location", "").partition("?")[0] == "/sign-in"
            is_open = method == "GET" and rule.rule in {"/sign-in", "/sign-in/passkey"}
            assert is_sent or is_open or answer.status_code in {400, 404, 405, 410}, (method, rule.rule, answer.status)
