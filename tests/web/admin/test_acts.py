"""What an administrator does by form: it happens, it is written down under their name, and nobody is overwritten."""

import base64
import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from ipx import keyfile
from ipx.ids import uuid7


@pytest.fixture
def alice(person):
    return person("alice")


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]


def submit(client, path, /, at=None, **fields):
    """Fill in the form at `path` as a browser would: with what is hidden in it."""
    page = client.get(path).text
    fields["csrf_token"] = hidden(page, "csrf_token")
    if 'name="version"' in page:
        fields.setdefault("version", hidden(page, "version"))
    return client.post(at or path, data=fields, follow_redirects=True, headers={"Referer": client.origin + path})


@pytest.fixture
def acts(shared):
    def of(subject):
        with shared.services.database.read() as session:
            query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.at)
            return [(row.actor, row.act) for row in session.scalars(query)]

    return of


@pytest.fixture
def agency(shared):
    """A new agency of this test's own."""
    code = f"t-{uuid7()[-12:]}"
    shared.services.agencies.add(
        code,
        kind="customs",
        name="Trial",
        jurisdictions=["XA"],
        scopes=["exchange:request", "client.keys"],
        purposes=["border_enforcement"],
        actor="operator:tests",
    )
    return code


@pytest.fixture
def client_id(shared, agency):
    shared.services.agencies.add_client(
        f"{agency}.desk", name="Desk", scopes=["exchange:request"], actor="operator:tests"
    )
    return f"{agency}.desk"


def public():
    key = keyfile.generate("ES256")
    return json.dumps(dict(key.public.jwk))


def test_an_agency_is_let_in_from_its_code_to_a_key(alice, shared, acts):
    code = f"n-{uuid7()[-12:]}"
    fields = {
        "code": code,
        "kind": "customs",
        "name": "Customs of XC",
        "jurisdictions": "xc, xa",
        "scopes": ["exchange:request"],
        "purposes": ["border_enforcement"],
    }

    added = submit(alice, "/admin/agencies/add", **fields)
    client = submit(
        alice, f"/admin/agencies/{code}/clients/add", system="desk", name="Desk", scopes=["exchange:request"]
    )
    key = submit(alice, f"/admin/clients/{code}.desk/keys/add", jwk=public(), days="90")

    assert "Customs of XC is registered" in added.text
    assert "Give it a key" in client.text
    assert "is registered and works from now on" in key.text
    assert shared.services.agencies.agency(code).jurisdictions == ["XC", "XA"]
    assert ("person:alice", "agency.added") in acts(code)
    assert acts(f"{code}.desk") == [("person:alice", "client.added"), ("person:alice", "client_key.added")]


def test_a_form_that_is_wrong_comes_back_with_what_was_typed(alice):
    answer = submit(alice, "/admin/agencies/add", code="no good", kind="", name="Kept name", purposes=["examination"])

    assert answer.status_code == 422
    assert "<title>Error:" in answer.text
    assert 'value="Kept name"' in answer.text
    assert 'href="#kind"' in answer.text
    assert re.search(r'value="examination" checked', answer.text)


@pytest.mark.parametrize(
    ("jwk", "said"),
    [
        ("not json", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}', "This is a private key"),
        ('{"kty":"oct","k":"AA"}', "This is a private key"),
        ('{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}', "not a public key of a kind"),
    ],
)
def test_what_is_no_public_key_is_refused_in_words(alice, client_id, jwk, said):
    answer = submit(alice, f"/admin/clients/{client_id}/keys/add", jwk=jwk, days="90")

    assert answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize("days", ["0", "366", "soon"])
def test_a_key_lives_a_day_to_a_year(alice, client_id, days):
    answer = submit(alice, f"/admin/clients/{client_id}/keys/add", jwk=public(), days=days)

    assert answer.status_code == 422
    assert "A key lives one day" in answer.text


def test_a_key_is_replaced_without_a_gap_then_revoked(alice, shared, client_id, acts):
    keys = shared.services.client_keys
    old = keys.add(client_id, json.loads(public()), actor="operator:tests")
    submit(alice, f"/admin/clients/{client_id}/keys/add?replaces={old.kid}", jwk=public(), days="365")
    both = [key.revoked_at for key in keys.keys(client_id)]

    answer = submit(alice, f"/admin/clients/{client_id}/keys/{old.kid}/revoke", reason="changed over")

    assert both == [None, None]
    assert "is revoked" in answer.text
    assert [key.revoked_reason for key in keys.keys(client_id) if key.kid == old.kid] == ["changed over"]
    assert acts(client_id)[-1] == ("person:alice", "client_key.revoked")


def test_nothing_ends_without_a_reason(alice, shared, client_id):
    key = shared.services.client_keys.add(client_id, json.loads(public()), actor="operator:tests")
    for path in (
        f"/admin/clients/{client_id}/keys/{key.kid}/revoke",
        f"/admin/clients/{client_id}/keys/{key.kid}/suspend",
        f"/admin/clients/{client_id}/suspend",
    ):
        answer = submit(alice, path, reason="  ")

        assert answer.status_code == 422
        assert "Say why" in answer.text
    assert shared.services.client_keys.keys(client_id)[0].revoked_at is None


def test_the_last_key_is_warned_of_before_it_is_revoked(alice, shared, client_id):
    key = shared.services.client_keys.add(client_id, json.loads(public()), actor="operator:tests")

    page = alice.get(f"/admin/clients/{client_id}/keys/{key.kid}/revoke").text

    assert "no other key that works" in page


def test_a_key_is_suspended_and_resumed(alice, shared, client_id, acts):
    key = shared.services.client_keys.add(client_id, json.loads(public()), actor="operator:tests")
    path = f"/admin/clients/{client_id}/keys/{key.kid}"

    submit(alice, f"{path}/suspend", reason="holidays")
    submit(alice, f"/admin/clients/{client_id}", at=f"{path}/resume")

    assert [act for _, act in acts(client_id)][-2:] == ["client_key.suspended", "client_key.resumed"]


def test_an_agency_and_a_client_are_suspended_and_resumed(alice, shared, agency, client_id, acts):
    for path, subject in ((f"/admin/agencies/{agency}", agency), (f"/admin/clients/{client_id}", client_id)):
        suspended = submit(alice, f"{path}/suspend", reason="asked for it")
        resumed = submit(alice, path, at=f"{path}/resume")

        assert "is suspended" in suspended.text
        assert "may call again" in resumed.text
        assert [act.partition(".")[2] for _, act in acts(subject)][-2:] == ["suspended", "resumed"]


def test_rights_are_given_and_taken(alice, shared, agency, client_id):
    submit(alice, f"/admin/agencies/{agency}/scopes", scopes=["exchange:request", "introspect"])
    submit(alice, f"/admin/clients/{client_id}/scopes", scopes=["exchange:request", "introspect"])
    refused = submit(alice, f"/admin/clients/{client_id}/scopes", scopes=["client.keys"])

    assert shared.services.agencies.agency(agency).scopes == ["exchange:request", "introspect"]
    assert shared.services.agencies.client(client_id).scopes == ["exchange:request", "introspect"]
    assert refused.status_code == 422
    assert "grant it to the agency first" in refused.text


def test_two_people_who_change_one_agency_do_not_overwrite_each_other(alice, shared, agency):
    path = f"/admin/agencies/{agency}/change"
    seen = hidden(alice.get(path).text, "version")
    submit(alice, path, name="First", jurisdictions="XA")

    second = submit(alice, path, name="Second", jurisdictions="XA", version=seen)

    assert second.status_code == 412
    assert "It was changed since you read it" in second.text
    assert shared.services.agencies.agency(agency).name == "First"


@pytest.mark.parametrize("what", ["scopes", "suspend"])
def test_an_old_page_does_not_act_on_an_agency_that_changed(alice, shared, agency, what):
    path = f"/admin/agencies/{agency}/{what}"
    seen = hidden(alice.get(path).text, "version")
    shared.services.agencies.change(agency, name="Other", jurisdictions=["XB"], actor="operator:tests")

    answer = submit(alice, path, scopes=["introspect"], reason="old page", version=seen)

    assert answer.status_code == 412
    assert shared.services.agencies.agency(agency).suspended_at is None
    assert "introspect" not in shared.services.agencies.agency(agency).scopes


def test_an_act_without_the_version_that_was_seen_is_refused(alice, agency):
    answer = submit(alice, f"/admin/agencies/{agency}/change", name="Any", jurisdictions="XA", version="")

    assert answer.status_code == 412


def test_a_forged_form_does_nothing(alice, shared, agency):
    answer = alice.post(f"/admin/agencies/{agency}/suspend", data={"reason": "forged"})

    assert answer.status_code == 400
    assert answer.mimetype == "text/html"
    assert shared.services.agencies.agency(agency).suspended_at is None


def test_an_administrator_of_an_agency_stays_in_it(person, shared, client_id):
    adam = person("adam")
    shown = adam.get("/admin/agencies").text

    assert "ipo-xa" in shown
    assert "customs-xa" not in shown
    assert "customs-xa" not in adam.get("/admin/keys").text
    for path in ("/admin/agencies/customs-xa", f"/admin/clients/{client_id}", "/admin/sources/customs-xa-detentions"):
        assert adam.get(path).status_code == 404
    assert adam.get("/admin/agencies/ipo-xa/suspend").status_code == 403


def test_an_administrator_of_an_agency_looks_after_its_clients(person, shared, acts):
    name = f"a{uuid7()[-8:]}"

    answer = submit(
        person("adam"), "/admin/agencies/ipo-xa/clients/add", system=name, name="Own", scopes=["exchange:request"]
    )

    assert answer.status_code == 200
    assert acts(f"ipo-xa.{name}") == [("person:adam", "client.added")]


def test_keys_that_end_soon_come_first_and_wait_on_the_start_page(person, shared, client_id):

    shared.services.client_keys.add(client_id, json.loads(public()), actor="operator:tests", lifetime=timedelta(days=5))
    alice = person("alice")

    rows = re.findall(r"/admin/clients/([^\"/]+)\"", alice.get("/admin/keys").text)
    start = alice.get("/admin/").text

    assert rows[0] == client_id
    assert f"The last key of {client_id} ends in 4 days" in start
    assert "The last key of arbitration-xa.portal has ended" in start


def test_the_settings_page_and_diagnostics_tell_no_secret(alice, shared):

    key = base64.b64encode(shared.settings.key_encryption_key).decode()
    for path in ("/admin/settings", "/admin/settings/diagnostics.json"):
        said = alice.get(path).text

        assert key not in said
        assert shared.settings.key_encryption_key.hex() not in said
        assert not any(secret in said for secret in shared.settings.secrets.values())
        assert "key_encryption_key" in said


def test_the_token_debugger_says_what_fails(alice):
    answer = submit(alice, "/admin/token-debugger", text="eyJhbGciOiJub25lIn0.e30.")

    assert answer.status_code == 200
    assert "fails" in answer.text
    assert submit(alice, "/admin/token-debugger", text="").status_code == 422


def test_a_quota_is_set_by_form_for_an_agency_and_its_client_and_nobody_is_overwritten(alice, shared, agency, acts):
    path = f"/admin/agencies/{agency}/quota"
    old = hidden(alice.get(path).text, "version")
    done = submit(alice, path, per_minute="60", per_day=" 5000 ", query_records="")
    late = submit(alice, path, version=old, per_minute="1")
    wrong = submit(alice, path, per_minute="many", per_day="0")

    set_now = shared.services.quotas.of(agency)
    assert f"The quota of {agency} is set." in done.text
    assert (set_now.per_minute, set_now.per_day, set_now.query_records) == (60, 5000, None)
    assert late.status_code == 412
    assert (wrong.status_code, wrong.text.count('class="govuk-error-message"')) == (422, 2)
    assert acts(agency)[-1] == ("person:alice", "quota.set")
