"""The whole ceremony of a passkey in a real browser; the browser plays the authenticator (WebAuthn over CDP)."""

import re
from urllib.parse import unquote_plus

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.people.models import Passkey


class Visitor:
    """A person at a browser with a security key of their own."""

    def __init__(self, chromium, site, *, is_verifying=True) -> None:
        self.context = chromium.new_context(base_url=site.settings.console_origin)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.faults = []
        self.page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        self._devtools = self.context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable")
        self.authenticator = self._devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "usb",
                    "hasResidentKey": True,
                    "hasUserVerification": is_verifying,
                    "isUserVerified": is_verifying,
                    "automaticPresenceSimulation": True,
                }
            },
        )["authenticatorId"]

    def verify(self, *, holds: bool) -> None:
        """Say whether the person can show the key that they are its owner (PIN, finger)."""
        self._devtools.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": holds}
        )

    def credentials(self):
        return self._devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})["credentials"]

    def press(self, words):
        self.page.get_by_role("button", name=words).first.click()

    def add_passkey(self, name):
        self.page.goto("/account/passkeys")
        self.page.get_by_label("Name for it").fill(name)
        self.press("Add a passkey")
        self.page.wait_for_url("**/account")

    def sign_out(self):
        self.press("Sign out")
        self.page.wait_for_url("**/sign-in")

    def close(self):
        self.context.close()


@pytest.fixture
def visit(chromium, site):
    visitors = []

    def put(**options):
        visitors.append(Visitor(chromium, site, **options))
        return visitors[-1]

    yield put
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def invited(site, visit):
    """Somebody new, let in by a one-time link: `invited("nina")` gives the visitor."""

    def put(username, **options):
        site.services.people.add(username, name=username.title(), roles=["administrator"], actor="operator:tests")
        invitation = site.services.people.invite(username, actor="operator:tests")
        visitor = visit(**options)
        visitor.page.goto(invitation.path)
        visitor.press("It is me: begin")
        visitor.page.wait_for_url("**/account/set-up")
        return visitor

    return put


def acts(site, act, username):
    with site.services.database.read() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id)).all()
    return [entry for entry in found if entry.subject == f"person:{username}"]


def test_a_passkey_is_made_signs_in_alone_and_confirms(site, invited):
    visitor = invited("nina")
    page = visitor.page
    visitor.add_passkey("blue key")
    assert [credential["rpId"] for credential in visitor.credentials()] == ["localhost"]

    visitor.sign_out()
    visitor.press("Sign in with a passkey")
    page.wait_for_url("**/admin/")

    signed_in = acts(site, "person.signed_in", "nina")[-1]
    assert signed_in.detail["via"] == "passkey"
    assert signed_in.log_index is not None
    assert acts(site, "person.passkey_added", "nina")[-1].detail == {"name": "blue key"}

    # The second look before a dangerous act, once the sign-in is no longer fresh.
    state = page.context.cookies()
    assert [cookie["httpOnly"] for cookie in state if cookie["name"] == "ipx"] == [True]
    page.goto("/sign-in/confirm?next=/account/passkeys")
    visitor.press("Confirm with a passkey")
    page.wait_for_url("**/account/passkeys")
    assert acts(site, "person.confirmed", "nina")[-1].detail == {"via": "passkey"}
    assert visitor.faults == []


def test_an_answer_is_taken_once(site, invited):
    """A passkey's answer that somebody overheard opens nothing a second time, though its form is still young."""
    visitor = invited("olaf")
    page = visitor.page
    visitor.add_passkey("key")
    visitor.sign_out()
    sent = []
    page.on("request", lambda request: sent.append(request) if "/sign-in/passkey/" in request.url else None)
    visitor.press("Sign in with a passkey")
    page.wait_for_url("**/admin/")
    visitor.sign_out()
    with site.services.database.write() as session:  # as passkeys kept in the cloud do, which count nothing
        session.get_one(Passkey, site.services.people.person("olaf").webauthn[0].id).sign_count = 0

    token = page.locator('input[name="csrf_token"]').first.get_attribute("value")
    form = dict(pair.split("=", 1) for pair in sent[0].post_data.split("&"))
    answer = page.request.post(
        sent[0].url, form={"csrf_token": token, "credential": unquote_plus(form["credential"])}, max_redirects=0
    )

    assert answer.status == 302
    assert answer.headers["location"].endswith("/sign-in/passkey")
    assert [entry.detail["factor"] for entry in acts(site, "person.sign_in_refused", "olaf")] == ["passkey replayed"]


def test_a_key_that_does_not_know_its_owner_signs_nobody_in(site, invited):
    visitor = invited("pia")
    visitor.add_passkey("key")
    visitor.sign_out()
    visitor.verify(holds=False)

    visitor.press("Sign in with a passkey")

    visitor.page.get_by_text("The passkey could not be used").wait_for()
    visitor.page.goto("/account")
    expect(visitor.page).to_have_url(re.compile(r"/sign-in(\?|$)"))


def test_a_passkey_of_another_confirms_nothing(site, invited):
    """Step-up by somebody else's key, at a browser that was left open."""
    victim, thief = invited("quinn"), invited("rosa")
    victim.add_passkey("mine")
    thief.add_passkey("theirs")
    thief_key = thief.credentials()[0]
    victim._devtools.send("WebAuthn.clearCredentials", {"authenticatorId": victim.authenticator})
    victim._devtools.send("WebAuthn.addCredential", {"authenticatorId": victim.authenticator, "credential": thief_key})

    def ask_for_any(route):
        """Let the browser not look at whose passkeys are asked for: a thief's would not."""
        answer = route.fetch()
        body = re.sub(r"(&#34;allowCredentials&#34;: )\[.*\](?=, &#34;userV)", r"\1[]", answer.text())
        route.fulfill(response=answer, body=body)

    victim.page.route("**/sign-in/confirm/passkey", ask_for_any)
    victim.page.goto("/sign-in/confirm?next=/account/passkeys")
    victim.press("Confirm with a passkey")
    victim.page.get_by_text("The passkey was not accepted").wait_for()
    assert acts(site, "person.confirmed", "quinn") == []
    assert acts(site, "person.sign_in_refused", "rosa")[-1].detail["factor"] == "passkey of another"


def test_a_removed_passkey_and_a_suspended_person_are_refused(site, invited):
    visitor = invited("sven")
    visitor.add_passkey("key")
    visitor.sign_out()
    site.services.people.suspend("sven", reason="left", actor="operator:tests")

    visitor.press("Sign in with a passkey")
    visitor.page.get_by_text("The passkey was not accepted").wait_for()

    visitor.page.goto("/account")
    expect(visitor.page).to_have_url(re.compile(r"/sign-in(\?|$)"))
