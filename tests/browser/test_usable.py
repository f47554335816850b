"""By keyboard, without JavaScript, on a small screen, in forced colours, printed: the console stays usable."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW
from tests.browser.pages import ABOUT, console_pages

SMALLEST = (320, 640)
FOCUSABLE = "a[href], button:not([hidden]), input:not([type=hidden]), select, textarea, summary, [tabindex='0']"


def reached_by_tab(page):
    """Press Tab through the page; gives the index of each element that had the focus, in that order."""
    page.evaluate(
        "selector => [...document.querySelectorAll(selector)].forEach((one, at) => one.dataset.at = at)", FOCUSABLE
    )
    order = []
    for _ in range(page.locator(FOCUSABLE).count() + 3):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement.dataset.at ?? null")
        if at is None or at in order:
            break
        order.append(at)
    return order


def wanted(page):
    """Give the index of each element that can be seen and used; of radio buttons the keyboard stops at one a group."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)]
             .filter(one => one.checkVisibility({visibilityProperty: true}))
             .filter(one => one.type !== "radio" && one.tabIndex >= 0)
             .map(one => one.dataset.at)""",
        FOCUSABLE,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/agencies/add",
        "/admin/agencies/customs-xa",
        "/admin/clients/customs-xa.intake",
        "/admin/clients/customs-xa.intake/quota",
        "/admin/agencies/customs-xa/change",
        "/admin/who-can-see",
        "/admin/sources/ipo-xa-trademarks",
        "/admin/token-debugger",
        "/about/licences",
    ],
)
def test_everything_is_reached_by_tab(browser_page, path):
    page = browser_page("alice")
    page.goto(path)

    order = reached_by_tab(page)

    assert set(wanted(page)) <= set(order)


def test_where_the_focus_is_can_be_seen(browser_page):
    page = browser_page("alice")
    page.goto("/admin/agencies")
    plain = "one => { const style = getComputedStyle(one); return [style.outline, style.boxShadow, style.background]; }"
    for _ in range(12):
        before = page.evaluate(f"({plain})(document.activeElement)")
        page.keyboard.press("Tab")
        focused = page.evaluate(f"({plain})(document.activeElement)")
        blurred = page.evaluate(
            f"(() => {{ const one = document.activeElement; one.blur(); const said = ({plain})(one);"
            " one.focus(); return said; })()"
        )
        assert focused != blurred, (before, page.evaluate("document.activeElement.outerHTML"))


def test_the_first_stop_skips_to_the_content(browser_page):
    page = browser_page("alice")
    page.goto("/admin/agencies")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main-content"


def test_the_list_of_faults_takes_the_focus_and_leads_to_the_field(browser_page, axe):
    page = browser_page("alice")
    page.goto("/admin/agencies/add")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".govuk-error-summary")

    assert page.title().startswith("Error:")
    assert page.evaluate("document.activeElement.className").startswith("govuk-error-summary")
    axe(page)
    page.get_by_role("link", name="Kind: ").click()
    assert page.evaluate("document.activeElement.id") == "kind"
    page.emulate_media(color_scheme="dark")
    axe(page)


def test_every_group_of_ticks_has_a_name(browser_page):
    page = browser_page("alice")
    page.goto("/admin/agencies/add")

    expect(page.get_by_role("group", name="What its clients may be given")).to_have_count(1)
    expect(page.get_by_role("group", name="Purposes it may state")).to_have_count(1)


def test_no_page_is_wider_than_the_smallest_screen(site, browser_page):
    page = browser_page("alice", size=SMALLEST)
    for path in (*console_pages(site), *ABOUT):
        page.goto(path)
        wide = page.evaluate(
            "[...document.querySelectorAll('body *')]"
            ".filter(one => !one.closest('.console-scroll, pre, .govuk-skip-link') && one.checkVisibility()"
            " && one.getBoundingClientRect().right > innerWidth + 1)"
            ".map(one => one.outerHTML.slice(0, 160))"
        )
        assert wide == [], path


def test_the_menu_is_folded_on_a_phone_and_opens(browser_page, axe):
    page = browser_page("alice", size=NARROW)
    page.goto("/admin/")
    link = page.get_by_role("navigation").get_by_role("link", name="Agencies")

    expect(link).not_to_be_visible()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()
    axe(page)


def test_forced_colours_hide_nothing(browser_page, axe):
    page = browser_page("alice", forced_colors="active")
    for path in ("/admin/", "/admin/agencies/add", "/admin/clients/customs-xa.intake"):
        page.goto(path)
        axe(page)


def test_colours_are_a_choice_that_stays(browser_page):
    page = browser_page("alice")
    page.goto("/admin/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)

    page.get_by_role("link", name="dark", exact=True).click()
    page.goto("/admin/agencies")

    assert page.evaluate(background) != light
    assert "theme-dark" in page.locator("html").get_attribute("class")


def test_the_language_is_a_choice_that_stays(browser_page):
    page = browser_page("alice")
    page.goto("/admin/agencies")
    page.get_by_role("link", name="简体中文").click()
    page.goto("/admin/keys")

    assert page.locator("html").get_attribute("lang") == "zh-Hans-CN"
    assert page.get_by_role("heading", level=1).inner_text() == "客户端密钥"
    assert page.get_by_role("link", name="English").get_attribute("lang") == "en"


def test_without_javascript_an_agency_is_let_in_and_shut_out(site, browser_page):
    page = browser_page("alice", javascript=False)
    page.goto("/admin/agencies")
    page.get_by_role("button", name="Add an agency").click()
    page.get_by_label("Code").fill("plain-xa")
    page.get_by_label("Name").fill("Plain Office")
    page.get_by_label("Kind").select_option("customs")
    page.get_by_label("Jurisdictions").fill("XA")
    page.get_by_label("border enforcement").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Plain Office is registered")).to_be_visible()

    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("link", name="Reason: Say why")).to_be_visible()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("plain-xa is suspended")).to_be_visible()

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("plain-xa may call again")).to_be_visible()
    assert site.services.agencies.agency("plain-xa").suspended_at is None


def test_a_dangerous_page_asks_who_it_is_again(browser_page):
    page = browser_page("alice", fresh=False)
    page.goto("/admin/agencies/customs-xa")
    page.get_by_role("button", name="Suspend").click()

    expect(page).to_have_url(re.compile("/sign-in/confirm"))


def test_paper_has_the_page_and_no_navigation(browser_page):
    page = browser_page("alice", theme="dark")
    page.goto("/admin/agencies")
    page.emulate_media(media="print")

    expect(page.get_by_role("navigation").first).not_to_be_visible()
    expect(page.locator(".console-print")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"


def test_axe_would_find_something(browser_page, axe):
    page = browser_page("alice")
    page.goto("/admin/agencies")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/favicon.ico\">')")

    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)
