"""Sign-in, account and people pages: nothing for axe to find, in languages, colours, widths, and with errors shown."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW
from tests.browser.test_accessible import LOOKS

OWN = (
    "/account",
    "/account/set-up",
    "/account/passkeys",
    "/account/authenticator",
    "/account/recovery-codes",
    "/account/password",
    "/sign-in/confirm",
    "/sign-in/confirm/passkey",
    "/admin/people",
    "/admin/people/add",
    "/admin/people/bob",
    "/admin/people/bob/roles",
    "/admin/people/bob/suspend",
    "/admin/people/bob/invite",
    "/admin/people/alice",
)


def looks(page, axe, *, both=True):
    """Judge a page in both colours, wide and narrow; or once."""
    for theme, (width, height), seen_only in LOOKS["en"] if both else (("light", NARROW, False),):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": height})
        axe(page, seen_only=seen_only)


def press(page, words):
    page.get_by_role("button", name=words).first.click()


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_what_people_see_of_themselves(browser_page, axe, language):
    page = browser_page("alice", language=language)

    for path in OWN:
        page.goto(path)
        looks(page, axe, both=language == "en")


def test_axe_finds_nothing_where_nobody_is_signed_in_and_where_something_is_wrong(site, browser_page, axe):
    page = browser_page()
    page.goto("/sign-in")
    looks(page, axe)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password", exact=True).fill("wrong")
    press(page, "Continue")
    page.get_by_text("There is a problem").wait_for()
    looks(page, axe)
    page.goto("/set-up/spent")
    looks(page, axe, both=False)


def test_axe_finds_nothing_while_somebody_sets_up_without_a_passkey(site, browser_page, axe):
    """The whole way by keyboard words: link, password, authenticator's picture, recovery codes, the code page."""
    site.services.people.add("vera", name="Vera Lund", roles=["auditor"], actor="operator:tests")
    invitation = site.services.people.invite("vera", actor="operator:tests")
    page = browser_page()
    page.goto(invitation.path)
    looks(page, axe, both=False)
    press(page, "It is me: begin")
    page.goto("/account/password")
    press(page, "Keep this password")
    page.get_by_text("There is a problem").wait_for()
    looks(page, axe, both=False)
    page.get_by_label("New password", exact=True).fill("correct horse battery")
    page.get_by_label("New password, again").fill("correct horse battery")
    press(page, "Keep this password")
    page.wait_for_url("**/account")
    page.goto("/account/authenticator")
    press(page, "Set up an authenticator")
    assert page.locator(".people-qr svg").bounding_box()["width"] > 100
    looks(page, axe)
    page.goto("/account/recovery-codes")
    press(page, "Make ten new codes")
    expect(page.locator("#codes li")).to_have_count(10)
    looks(page, axe, both=False)


def test_everything_about_people_works_without_javascript(site, browser_page):
    page = browser_page("alice", javascript=False)
    page.goto("/admin/people/add")
    page.get_by_label("Username").fill("wanda")
    page.get_by_label("Name", exact=True).fill("Wanda Ek")
    page.get_by_label("auditor:").check()
    press(page, "Add")
    page.wait_for_url("**/admin/people/wanda")
    page.get_by_role("button", name="Invite").click()
    press(page, "Make the link")

    assert "/set-up/" in page.locator("#link").inner_text()
