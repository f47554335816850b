"""Every page of the auditor's console: axe, by keyboard, without JavaScript, on the smallest screen, on paper."""

import re

import pytest
from playwright.sync_api import expect

from gateway.auditor.scope import Scope
from ipx.client import Client
from ipx.keyfile import read_key
from ipx.recalls import Recalls
from ipx.request import Ask
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_usable import SMALLEST, reached_by_tab, wanted
from tests.exchange.test_flags import planted_flag
from tests.exchange.world import CUSTOMS, OFFICE


@pytest.fixture(scope="module")
def paths(site):
    """The address of every audit page, from the map of addresses: with an exchange and a flag where it names one."""
    with Client(site.origin, CUSTOMS, read_key(site.demo.world.keys[CUSTOMS])) as client:
        record = site.demo.urn("ipo-xa", "trademark", "202400017", site.services.holder_keys)
        answer = client.request(Ask(record, "border_enforcement", "XA Customs Cooperation Agreement 2025, art. 4"))
    site.services.auditing.indexer.catch_up()
    scopes = ["exchange:request", "records:recall"]
    site.services.agencies.grant("ipo-xa", scopes, actor="test")
    site.services.agencies.set_client_scopes(OFFICE, scopes, actor="test")
    with Client(site.origin, OFFICE, read_key(site.demo.world.keys[OFFICE])) as client:
        recall = Recalls(client).make(record, "recalled", "entered twice")
    for kind in ("exchanges", "decisions", "acts", "sign_ins", "recalls"):  # each list offers to open and to delete one
        site.services.auditing.saved.save(Scope("person:carol", None), f"My {kind}", kind, {})
    names = {
        "exchange_id": answer.evidence.exchange,
        "flag_id": planted_flag(site.services),
        "recall_id": str(recall["id"]),
    }
    found = []
    for rule in site.app.url_map.iter_rules():
        if rule.rule.startswith("/audit") and "GET" in rule.methods and "saved_id" not in rule.rule:
            path = re.sub(r"<([a-z_]+)>", lambda match: names[match[1]], rule.rule)
            if not path.endswith(("/file", "/evidence")) and path != "/audit/":
                found.append(path)
    assert len(found) >= 7
    return found


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_any_audit_page(browser_page, axe, paths, language):
    page = browser_page("carol", language=language)
    looks = ((WIDE, "light", False), (NARROW, "dark", True)) if language == "en" else ((WIDE, "light", False),)
    for path in paths:
        page.goto(path)
        for (width, height), theme, seen_only in looks:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)


def test_everything_on_audit_pages_is_reached_by_tab(browser_page, paths):
    page = browser_page("carol")
    for path in paths:
        page.goto(path)
        order = reached_by_tab(page)

        assert set(wanted(page)) <= set(order), path


def test_no_audit_page_is_wider_than_the_smallest_screen(browser_page, paths):
    page = browser_page("carol", size=SMALLEST)
    for path in paths:
        page.goto(path)
        wide = page.evaluate(
            "[...document.querySelectorAll('body *')]"
            ".filter(one => !one.closest('.console-scroll, pre, svg, .govuk-skip-link') && one.checkVisibility()"
            " && one.getBoundingClientRect().right > innerWidth + 1)"
            ".map(one => one.outerHTML.slice(0, 160))"
        )
        assert wide == [], path


def test_audit_pages_are_read_searched_and_marked_without_javascript(browser_page, paths):
    page = browser_page("carol", javascript=False)
    for path in paths:
        assert page.goto(path).status == 200
        assert page.get_by_role("heading", level=1).inner_text().strip()
    page.goto("/audit/exchanges?requester=customs-xa")
    page.get_by_role("link", name=re.compile("…$")).first.click()
    expect(page.get_by_text("proved from its tiles just now")).to_be_visible()
    page.goto(next(path for path in paths if path.startswith("/audit/flags/")))
    page.get_by_label("Status").select_option("closed")
    page.get_by_label("Note").fill("a fair")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main").get_by_text("closed", exact=True).first).to_be_visible()


def test_audit_pages_on_paper_have_their_content_and_no_navigation(browser_page, paths):
    page = browser_page("carol", theme="dark")
    for path in paths:
        page.goto(path)
        page.emulate_media(media="print")
        expect(page.get_by_role("navigation", name="Sections")).not_to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)", path
        page.emulate_media(media="screen")
