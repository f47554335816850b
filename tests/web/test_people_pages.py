"""An administrator keeps people from the browser; an agency's administrator those of the agency."""

import html
import re

from tests.web.ceremony import follow_link, is_signed_in, path_of, submit, token
from tests.web.people import browser


def test_a_person_is_added_invited_and_let_in_once(gateway, client, signed_in):
    signed_in(client, "alice")
    answer = submit(
        client, "/admin/people/add", username="nina", name="Nina Rossi", agency="ipo-xa", roles=["auditor", "operator"]
    )
    assert path_of(answer) == "/admin/people/nina"

    shown = submit(client, "/admin/people/nina/invite")
    link = html.unescape(re.search(r'id="link">([^<]+)<', shown.text)[1]).strip()

    assert link.startswith("http://localhost:18080/set-up/")
    path = "/set-up/" + link.rpartition("/")[2]
    nina = browser(gateway)
    assert "Nina Rossi" in nina.get(path).text
    assert path_of(submit(nina, path)) == "/account/set-up"
    assert is_signed_in(nina)
    assert browser(gateway).get(path).status_code == 410
    assert gateway.services.people.person("nina").role_names == {"auditor", "operator"}


def test_mistakes_are_shown_beside_the_fields_and_what_was_typed_stays(client, signed_in):
    signed_in(client, "alice")

    bad = submit(client, "/admin/people/add", username="Nina R", name="Nina Rossi", roles=["auditor"])
    taken = submit(client, "/admin/people/add", username="bob", name="Bob Too", roles=[])

    assert bad.status_code == taken.status_code == 422
    assert 'value="Nina R"' in bad.text
    assert re.search(r'value="auditor" checked', bad.text)


def test_roles_are_set_and_what_is_open_ends(gateway, client, signed_in):
    bob = signed_in(browser(gateway), "bob")
    signed_in(client, "alice")
    version = str(gateway.services.people.person("bob").version)

    answer = submit(client, "/admin/people/bob/roles", roles=["auditor"], version=version)

    assert path_of(answer) == "/admin/people/bob"
    assert gateway.services.people.person("bob").role_names == {"auditor"}
    assert not is_signed_in(bob)


def test_roles_decided_on_an_older_state_are_refused(gateway, client, signed_in):
    signed_in(client, "alice")
    version = str(gateway.services.people.person("bob").version)
    gateway.services.people.set_roles("bob", ["operator"], actor="operator:other")

    answer = submit(client, "/admin/people/bob/roles", roles=["auditor"], version=version)

    assert answer.status_code == 412
    assert gateway.services.people.person("bob").role_names == {"operator"}


def test_a_person_is_suspended_with_a_reason_and_resumed(gateway, client, signed_in):
    signed_in(client, "alice")

    assert submit(client, "/admin/people/bob/suspend", reason=" ").status_code == 422
    submit(client, "/admin/people/bob/suspend", reason="left")
    assert not gateway.services.people.person("bob").active
    submit(client, "/admin/people/bob/resume", page="/admin/people/bob")

    assert gateway.services.people.person("bob").active


def test_somebody_elses_sign_in_is_ended(gateway, client, signed_in):
    bob = signed_in(browser(gateway), "bob")
    signed_in(client, "alice")

    submit(client, "/admin/people/bob/sign-ins/end", page="/admin/people/bob")

    assert not is_signed_in(bob)


def test_an_agencys_administrator_sees_and_reaches_its_people_only(gateway, client, signed_in):
    signed_in(client, "adam")

    listed = client.get("/admin/people").text
    assert "otto" in listed
    assert "dora" not in listed
    assert client.get("/admin/people/dora").status_code == 404
    shown = token(client.get("/admin/people/otto/roles"))
    for path in ("roles", "suspend", "resume", "invite", "sign-ins/end", "upstream"):
        answer = client.post(
            f"/admin/people/dora/{path}",
            data={"csrf_token": shown, "roles": "administrator", "reason": "x", "version": "1", "reset": "yes"},
        )
        assert answer.status_code == 404, path
    submit(client, "/admin/people/add", username="mole", name="Mole", agency="customs-xa", roles=["administrator"])
    assert gateway.services.people.person("mole").agency_code == "ipo-xa"
    assert gateway.services.people.person("dora").role_names == {"auditor"}


def test_nobody_raises_their_own_roles(gateway, client, signed_in):
    signed_in(client, "alice")
    version = str(gateway.services.people.person("alice").version)

    answer = submit(client, "/admin/people/alice/roles", roles=["administrator", "policy_approver"], version=version)

    assert answer.status_code == 403
    assert not gateway.services.people.person("alice").role_names & {"policy_approver"}


def test_people_are_no_business_of_other_roles(client, signed_in):
    for username in ("bob", "carol", "olga", "edna"):
        signed_in(client, username)

        assert client.get("/admin/people").status_code == 403
        assert client.get("/admin/people/add").status_code == 403


def test_dangerous_acts_ask_for_a_second_look(client, signed_in):
    signed_in(client, "alice", fresh=False)

    for path in ("add", "bob/roles", "bob/suspend", "bob/invite", "bob/upstream"):
        assert path_of(client.get(f"/admin/people/{path}")) == "/sign-in/confirm", path


def test_a_reset_takes_away_what_a_person_signed_in_with(gateway, client, signed_in):
    bob = signed_in(browser(gateway), "bob")
    signed_in(client, "alice")

    submit(client, "/admin/people/bob/invite", reset="yes")

    assert not is_signed_in(bob)
    assert gateway.services.people.person("bob").password is None


def test_a_link_that_ended_lets_nobody_in(gateway, client):
    gateway.services.people.add("nina", name="Nina", roles=[], actor="operator:tests")
    first = gateway.services.people.invite("nina", actor="operator:tests")
    gateway.services.people.invite("nina", actor="operator:tests")

    assert client.get(first.path).status_code == 410
    assert client.get("/set-up/x").status_code == 410
    client.get("/sign-in")


def test_guessing_links_is_slowed(gateway, client):
    for n in range(25):
        assert client.get(f"/set-up/guess-{n}").status_code == 410
    gateway.services.people.add("nina", name="Nina", roles=[], actor="operator:tests")
    invitation = gateway.services.people.invite("nina", actor="operator:tests")

    assert client.get(invitation.path).status_code == 410


def test_my_account_lists_and_ends_sign_ins_and_keeps_preferences(gateway, client, signed_in):
    other = signed_in(browser(gateway), "alice")
    signed_in(client, "alice")

    page = client.get("/account").text
    assert page.count("127.0.0.1</td>") == 2
    submit(client, "/account/sign-ins/end", page="/account")
    assert not is_signed_in(other)
    assert is_signed_in(client)

    submit(client, "/account/taste", page="/account", language="zh_Hans_CN", theme="dark")
    assert '<html lang="zh-Hans-CN" class="govuk-template theme-dark">' in client.get("/account").text
    assert submit(client, "/account/taste", page="/account", language="xx").status_code == 422


def test_a_person_without_factors_is_led_to_set_one_up(gateway, client):
    gateway.services.people.add("nina", name="Nina", roles=["administrator"], actor="operator:tests")
    follow_link(gateway, client, "nina")

    assert path_of(client.get("/admin/people")) == "/account/set-up"
    assert client.get("/account/set-up").status_code == 200
