"""Signing in with password, code and recovery code: who may, and who may not."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.app import create_app
from gateway.audit.models import AuditEntry
from gateway.people.models import Person
from tests.web.ceremony import (
    PASSWORD,
    follow_link,
    is_signed_in,
    path_of,
    recovery_codes,
    set_password,
    set_up_authenticator,
    sign_in_with_password,
    submit,
    token,
)
from tests.web.people import browser


def acts(gateway, act):
    with gateway.services.database.read() as session:
        return session.scalars(select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id)).all()


@pytest.fixture
def nina(gateway, client):
    """A new person with password and authenticator, set up in another browser; gives the authenticator."""
    gateway.services.people.add("nina", name="Nina Rossi", roles=["auditor"], actor="operator:tests")
    other = browser(gateway)
    follow_link(gateway, other, "nina")
    set_password(other)
    authenticator = set_up_authenticator(other)
    authenticator.other = other
    return authenticator


def test_a_new_person_sets_up_and_signs_in(gateway, client, nina):
    answer = sign_in_with_password(client, "nina", nina)

    assert path_of(answer) == "/account/home"
    assert is_signed_in(client)
    entry = acts(gateway, "person.signed_in")[-1]
    assert (entry.actor, entry.detail["via"]) == ("person:nina", "password and code")
    assert entry.log_index is not None
    for act in ("person.password_changed", "person.authenticator_set"):
        assert acts(gateway, act)[-1].log_index is not None


def test_the_password_is_kept_as_argon2id_and_the_authenticators_key_encrypted(gateway, nina):
    row = gateway.services.people.person("nina")

    assert row.password.startswith("$argon2id$")
    assert '"enckey"' in row.tf_totp_secret


def test_between_password_and_code_nobody_is_signed_in(client, nina):
    answer = submit(client, "/sign-in", username="nina", password=PASSWORD)

    assert path_of(answer) == "/sign-in/code"
    assert not is_signed_in(client)


def test_wrong_password_unknown_person_and_locked_person_get_one_answer(gateway, client, nina):
    def told(username, password):
        page = submit(client, "/sign-in", username=username, password=password)
        summary = re.search(r'class="govuk-error-summary.*?</ul>', page.text, re.DOTALL)[0]
        return page.status_code, summary

    wrong, unknown = told("nina", "x" * 20), told("nobody", "x" * 20)
    for _ in range(4):
        told("nina", "x" * 20)
    locked = told("nina", PASSWORD)

    assert wrong == unknown == locked
    assert "too many tries" in locked[1]
    refusals = acts(gateway, "person.sign_in_refused")
    assert [entry.detail["factor"] for entry in refusals] == ["password"] * 6 + ["locked"]
    assert "x" * 20 not in str([(entry.subject, entry.detail) for entry in refusals])
    assert "nobody" not in str([(entry.subject, entry.detail) for entry in refusals])


def test_a_code_works_once(gateway, client, nina):
    code = nina.code()
    answer = submit(client, "/sign-in", username="nina", password=PASSWORD)
    submit(client, "/sign-in/code", page=answer.headers["Location"], code=code)
    assert is_signed_in(client)
    other = browser(gateway)
    submit(other, "/sign-in", username="nina", password=PASSWORD)

    page = submit(other, "/sign-in/code", code=code)

    assert page.status_code == 200
    assert not is_signed_in(other)


def test_guessed_codes_lock(gateway, client, nina):
    submit(client, "/sign-in", username="nina", password=PASSWORD)
    for _ in range(5):
        submit(client, "/sign-in/code", code="000000")

    submit(client, "/sign-in/code", code=nina.code())

    assert not is_signed_in(client)
    assert [entry.detail["factor"] for entry in acts(gateway, "person.sign_in_refused")] == ["code"] * 5 + ["locked"]


def test_recovery_codes_are_shown_once_and_each_works_once(gateway, client, nina):
    codes = recovery_codes(nina.other)
    assert len(set(codes)) == 10
    assert codes[0] not in nina.other.get("/account/recovery-codes?show_codes=1").text
    assert codes[0] not in str(gateway.services.people.person("nina").mf_recovery_codes)

    submit(client, "/sign-in", username="nina", password=PASSWORD)
    answer = submit(client, "/sign-in/recovery-code", code=codes[3].upper())
    assert path_of(answer) == "/account/home"
    assert is_signed_in(client)
    assert acts(gateway, "person.recovery_code_used")[-1].detail == {"left": 9}

    other = browser(gateway)
    submit(other, "/sign-in", username="nina", password=PASSWORD)
    submit(other, "/sign-in/recovery-code", code=codes[3])
    assert not is_signed_in(other)


def test_neither_code_page_opens_without_the_password(client, nina):
    for path in ("/sign-in/code", "/sign-in/recovery-code"):
        assert path_of(client.get(path)) == "/sign-in"


def test_a_password_alone_sets_up_no_second_factor(gateway, client):
    gateway.services.people.add("half", name="Half", roles=["auditor"], actor="operator:tests")
    other = browser(gateway)
    follow_link(gateway, other, "half")
    set_password(other)

    page = submit(client, "/sign-in", username="half", password=PASSWORD)

    assert page.status_code == 200
    assert path_of(client.get("/account/authenticator")) == "/sign-in"


def test_weak_passwords_and_mistyped_ones_are_refused(gateway, client):
    gateway.services.people.add("half", name="Half", roles=["auditor"], actor="operator:tests")
    follow_link(gateway, client, "half")

    short = submit(client, "/account/password", new_password="short", new_password_confirm="short")
    twice = submit(client, "/account/password", new_password=PASSWORD, new_password_confirm=PASSWORD + "x")

    assert (short.status_code, twice.status_code) == (200, 200)
    assert gateway.services.people.person("half").password is None


def test_a_form_without_its_token_is_refused(client, signed_in):
    of_another = token(browser_page(client))
    for path, page, username in (
        ("/sign-in", "/sign-in", None),
        ("/sign-in/passkey", "/sign-in", None),
        ("/sign-out", "/account", "alice"),
        ("/account/password", "/account/password", "alice"),
        ("/account/taste", "/account", "alice"),
        ("/account/sign-ins/end", "/account", "alice"),
        ("/account/passkeys/delete", "/account", "alice"),
        ("/account/recovery-codes", "/account", "alice"),
    ):
        if username:
            signed_in(client, username)
        client.get(page)
        for fields in ({}, {"csrf_token": "x"}, {"csrf_token": of_another}):
            assert client.post(path, data=fields).status_code == 400, (path, fields)


def browser_page(client):
    other = client.application.test_client()
    other.origin = client.origin
    return other.get("/sign-in")


def test_nobody_is_sent_elsewhere_after_signing_in(client, nina):
    """An open redirect would let a stranger's page stand where ours is expected."""
    shown = token(client.get("/sign-in"))
    for page in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "///evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
        "@evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        f"{client.origin}.evil.example/",
        f"{client.origin}@evil.example/",
    ):
        fields = {"csrf_token": shown, "username": "nina", "password": PASSWORD}
        assert client.post("/sign-in", data={**fields, "next": page}).status_code == 400, page
        assert client.post("/sign-in", query_string={"next": page}, data=fields).status_code == 400, page


def test_one_comes_back_to_the_page_one_wanted(client, nina):
    answer = sign_in_with_password(client, "nina", nina, next="/account/passkeys?x=1")

    assert answer.headers["Location"] == "/account/passkeys?x=1"


def test_a_session_known_before_is_worth_nothing_after(gateway, client, nina):
    """Session fixation: whoever planted the cookie knows neither the sign-in nor the token of its forms."""
    planted = browser(gateway)
    forged = token(planted.get("/sign-in"))
    name = gateway.app.config["SESSION_COOKIE_NAME"]
    client.set_cookie(name, planted.get_cookie(name, "127.0.0.1").value, domain="127.0.0.1")

    sign_in_with_password(client, "nina", nina)

    assert is_signed_in(client)
    assert not is_signed_in(planted)
    assert client.post("/account/taste", data={"csrf_token": forged}).status_code == 400


def test_a_copied_cookie_dies_with_the_sign_out(gateway, client, nina):
    sign_in_with_password(client, "nina", nina)
    name = gateway.app.config["SESSION_COOKIE_NAME"]
    thief = browser(gateway)
    thief.set_cookie(name, client.get_cookie(name, "127.0.0.1").value, domain="127.0.0.1")
    assert is_signed_in(thief)

    submit(client, "/sign-out", page="/account")

    assert not is_signed_in(client)
    assert not is_signed_in(thief)
    assert acts(gateway, "person.signed_out")[-1].actor == "person:nina"


def test_a_new_password_ends_every_other_sign_in(gateway, client, nina):
    sign_in_with_password(client, "nina", nina)

    submit(
        client,
        "/account/password",
        password=PASSWORD,
        new_password="another good phrase",
        new_password_confirm="another good phrase",
    )

    assert is_signed_in(client)
    assert not is_signed_in(nina.other)


def test_no_remembering_and_no_token_signs_in(gateway, client, nina):
    sign_in_with_password(client, "nina", nina, remember="y", remember_me="y")
    with client.session_transaction(base_url=client.origin) as session:
        assert "_remember" not in session
    with gateway.app.test_request_context(base_url=client.origin):
        bearer = gateway.services.people.person("nina").get_auth_token()
    stranger = browser(gateway)

    assert path_of(stranger.get("/account", headers={"Authentication-Token": bearer})) == "/sign-in"
    assert path_of(stranger.get(f"/account?auth_token={bearer}")) == "/sign-in"


def test_the_session_cookie_is_strict_under_tls(gateway):
    """The whole application under another origin: over https, with the referrer that browsers then have to send."""
    origin = "https://gw.example"
    app = create_app(
        replace(
            gateway.services,
            settings=replace(gateway.settings, origin=origin),
            desk=replace(gateway.services.desk, origin=origin, console_origin=origin),
        )
    )
    client = app.test_client()

    shown = client.get("/sign-in", base_url=origin)
    cookie = shown.headers["Set-Cookie"]

    assert cookie.startswith("__Host-ipx=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    fields = {"csrf_token": token(shown), "username": "nobody", "password": "x"}
    sent = {"base_url": origin, "data": fields}
    assert client.post("/sign-in", headers={"Referer": f"{origin}/sign-in"}, **sent).status_code == 200
    assert client.post("/sign-in", headers={"Referer": "https://evil.example/"}, **sent).status_code == 400
    assert client.post("/sign-in", **sent).status_code == 400


def test_another_host_name_is_not_answered(gateway, client):
    answer = client.get("/sign-in", base_url="http://evil.example")

    assert answer.status_code == 421


def test_confirming_takes_password_and_code(gateway, client, nina, signed_in):
    signed_in(client, "nina", fresh=False)
    assert path_of(client.get("/account/passkeys")) == "/sign-in/confirm"

    wrong = submit(client, "/sign-in/confirm", password=PASSWORD, code="000000")
    assert wrong.status_code == 200
    answer = submit(client, "/sign-in/confirm", password=PASSWORD, code=nina.code(), next="/account/passkeys")

    assert answer.headers["Location"] == "/account/passkeys"
    assert client.get("/account/passkeys").status_code == 200
    assert acts(gateway, "person.confirmed")[-1].detail == {"via": "password"}


def test_what_a_person_signs_in_with_is_changed_only_freshly(client, signed_in):
    signed_in(client, "alice", fresh=False)

    for path in ("/account/passkeys", "/account/password", "/account/authenticator", "/account/recovery-codes"):
        assert path_of(client.get(path)) == "/sign-in/confirm"


def test_two_requests_at_once_use_a_recovery_code_once(gateway, nina):
    """The second to commit was read before the first had: it must not put the used code back, nor use it again."""
    codes = recovery_codes(nina.other)
    people, database = gateway.services.people, gateway.services.database
    util = gateway.app.extensions["security"].mf_recovery_codes_util
    from gateway.people.errors import PersonChangedError  # noqa: PLC0415

    first, second = people.person("nina"), people.person("nina")
    with gateway.app.app_context():
        assert util.delete_recovery_code(first, codes[0])
        gateway.services.desk.datastore.commit()
        assert util.delete_recovery_code(second, codes[0])
        with pytest.raises(PersonChangedError):
            gateway.services.desk.datastore.commit()

    with database.read() as session:
        assert len(session.get_one(Person, first.id).mf_recovery_codes) == 9
