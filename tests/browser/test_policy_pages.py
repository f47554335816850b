"""Pages about policies and approvals in every state they have: nothing for axe to find, usable without script."""

import time

import httpx
import pytest
from playwright.sync_api import expect

from gateway.governance.collecting import Collecting
from gateway.governance.editors import Editor
from policies.engine import PolicyRef, PolicyText, revision_of
from tests.browser.site import running
from tests.browser.test_accessible import LOOKS
from tests.exchange.approving import PERSONAL
from tests.exchange.world import CUSTOMS, MARK, Gateway

WIDER = """[...document.querySelectorAll('body *')]
  .filter(one => !one.closest('.console-scroll, pre, .govuk-skip-link, .cm-editor') && one.checkVisibility()
    && one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 160))"""
"""What is wider than the screen and does not scroll by itself."""
ALICE = Editor("person:alice", None, frozenset({"policy_editor", "administrator"}))
BORDER = "customs-trademark-border"


class InProcess(Gateway):
    """The site's own services, asked in this process."""

    def __init__(self, site) -> None:

        self.demo, self.settings, self.services, self.app, self._clients = (
            site.demo,
            site.settings,
            site.services,
            site.app,
            {},
        )
        self.http = httpx.Client(transport=httpx.WSGITransport(self.app), base_url=self.settings.origin)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server of this module's own, with a draft, a change in review, an emergency and a waiting approval."""
    with running(tmp_path_factory.mktemp("policy-pages")) as site:
        prepare(site)
        yield site


def prepare(site):
    ref = PolicyRef("holder", "ipo-xa", "contact-by-approval", revision_of(PERSONAL))
    site.services.policies.put(PolicyText(ref, PERSONAL), actor="operator:tests")
    site.services.books.newest()
    gateway = InProcess(site)
    gateway.ask(CUSTOMS, groups=["trademark.owner.contact"])
    gateway.ask(CUSTOMS)
    changes = site.services.governance.changes
    site.draft = changes.open(ALICE, "holder", "ipo-xa", title="A draft", reason="To be drafted").id
    change = changes.open(ALICE, "holder", "ipo-xa", title="Widened", reason="To be reviewed")
    biblio, more = '    IPX::Action::"trademark.biblio",', '    IPX::Action::"trademark.extensions",'
    text = change.policies[BORDER].replace(biblio, f"{biblio}\n{more}")
    change = changes.save(ALICE, change.id, version=change.version, policies={BORDER: text})
    change = changes.run_evidence(ALICE, change.id, version=change.version)
    assert change.widened, change
    change = changes.ask_review(ALICE, change.id, version=change.version)
    site.change = change.id
    site.task = site.services.approvals.list("ipo-xa")[0].id


def addresses(site):
    """Give who opens which page."""
    draft, change = f"/admin/changes/{site.draft}", f"/admin/changes/{site.change}"
    yield from (
        ("alice", path)
        for path in (
            "/admin/policies",
            f"/admin/policies/holder/ipo-xa/{BORDER}",
            "/admin/matrix?records=ipo-xa/trademark",
            "/admin/simulate?records=ipo-xa/trademark&asking=customs-xa&purpose=border_enforcement&mark=sealed&ask=1",
            f"/admin/who-can-see?record={site.demo.urn('ipo-xa', 'trademark', MARK, site.services.holder_keys)}",
            "/admin/changes",
            "/admin/changes/start",
            draft,
            f"{draft}/policies/{BORDER}?view=form",
            f"{draft}/policies/{BORDER}?view=text",
            f"{draft}/policies/{BORDER}?view=card",
            f"{draft}/new-policy?record_type=detention",
            f"{draft}/tests",
            change,
            f"{change}/evidence",
            f"{change}/shadow",
            "/admin/emergency-denials",
        )
    )
    yield from (("bob", path) for path in (f"{change}/review", "/admin/activations?place=holder/ipo-xa"))
    yield from (("otto", path) for path in ("/admin/approvals", f"/admin/approvals/{site.task}"))


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_any_page(site, browser_page, axe, language):
    pages = {}
    for username, path in addresses(site):
        page = pages.get(username) or pages.setdefault(username, browser_page(username, language=language))
        assert page.goto(path).status == 200, path
        for theme, (width, height), seen_only in LOOKS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)
        assert page.evaluate(WIDER) == [], path


def test_a_form_with_a_fault_says_so_and_has_nothing_for_axe(site, browser_page, axe):
    page = browser_page("alice")
    page.goto("/admin/changes/start")
    page.get_by_role("button", name="Start a change").click()
    page.get_by_role("heading", name="There is a problem").wait_for()
    axe(page)
    page.goto(f"/admin/changes/{site.draft}/policies/{BORDER}?view=form")
    page.locator("#when-0-value").fill("border_enforcment")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("link", name="“border_enforcment” is no word of this list.").click()
    assert page.evaluate("document.activeElement.id") == "when-0-value"
    axe(page)


def collected(site):
    """Begin to collect evidence of a new change; gives it, and what does the work."""
    services, kept = site.services, []
    collecting = Collecting(
        services.database, services.governance.changes, services.clock, lambda work, _beat: kept.append(work)
    )
    change = services.governance.changes.open(ALICE, "holder", "ipo-xa", title="Followed", reason="To be followed")
    collecting.begin(ALICE, change.id, version=change.version)
    return change, kept.pop()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_page_of_a_change_follows_the_collection_of_its_evidence_to_its_end(site, browser_page, axe, javascript):
    change, work = collected(site)
    page = browser_page("alice", javascript=javascript)
    page.goto(f"/admin/changes/{change.id}")
    page.get_by_text("Evidence is being collected").wait_for()
    if javascript:
        axe(page)
    work()
    page.wait_for_url("**/evidence")


def test_evidence_that_takes_long_to_draw_is_asked_for_once(site, browser_page):
    """Who asks again each second while the next page is on its way sends the browser back to the start each time."""
    change, work = collected(site)
    page, asked = browser_page("alice"), []

    def slowly(route):
        asked.append(route.request.url)
        time.sleep(2.5)
        route.continue_()

    page.goto(f"/admin/changes/{change.id}")
    page.get_by_text("Evidence is being collected").wait_for()
    page.route(lambda url: url.endswith("collecting=1"), lambda route: (slowly if is_page(route) else go_on)(route))
    work()
    page.wait_for_url("**/evidence")
    expect(page.get_by_text("The evidence is complete and passes.")).to_be_visible()
    assert len(asked) == 1


def test_a_page_that_could_not_ask_once_asks_again(site, browser_page):
    change, work = collected(site)
    page, refused = browser_page("alice", quiet=False), []

    def first_one_fails(route):
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    page.route(lambda url: url.endswith("collecting=1"), first_one_fails)
    page.goto(f"/admin/changes/{change.id}")
    work()
    page.wait_for_url("**/evidence")
    assert refused


def is_page(route):
    return route.request.is_navigation_request()


def go_on(route):
    route.continue_()


def test_the_editor_says_while_typing_what_is_wrong(site, browser_page):
    page = browser_page("alice")
    page.goto(f"/admin/changes/{site.draft}/policies/{BORDER}?view=text")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n// no comment\npermit (principal, action, resource) when { context.purpsoe == 1 };")

    page.locator("#findings li").first.wait_for()

    expect(page.locator(".cm-lint-marker-error")).not_to_have_count(0)
    assert "purpsoe" in page.locator("textarea[name=text]").input_value()


def test_a_policy_is_narrowed_by_form_without_javascript(site, browser_page):
    page = browser_page("alice", javascript=False)
    page.goto("/admin/changes/start")
    page.get_by_label("Policies of").select_option("holder/ipo-xa")
    page.get_by_label("Title").fill("Without JavaScript")
    page.get_by_role("button", name="Start a change").click()
    page.get_by_role("link", name="Customs XA receives").click()
    page.get_by_label("owner (trademark.owner)", exact=True).uncheck()
    page.get_by_role("button", name="Save draft").click()

    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    page.get_by_role("link", name="Text", exact=True).click()
    assert 'trademark.owner"' not in page.get_by_label("Cedar text").input_value()


def test_every_input_of_the_form_is_reached_by_the_tab_key(site, browser_page):
    page = browser_page("alice")
    page.goto(f"/admin/changes/{site.draft}/policies/{BORDER}?view=form")
    wanted = set(
        page.eval_on_selector_all(
            "main input:not([type=hidden]):not([type=radio]), main select, main button",
            "all => all.map(e => e.id || e.textContent)",
        )
    )
    seen, presses = set(), 0
    while presses < len(wanted) + 60 and not wanted <= seen:
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        presses += 1

    assert wanted <= seen, sorted(wanted - seen)


def test_groups_of_ticks_have_names(site, browser_page):
    page = browser_page("alice")
    page.goto(f"/admin/changes/{site.draft}/policies/{BORDER}?view=form")

    legends = page.eval_on_selector_all(
        "main fieldset", "all => all.map(e => e.querySelector('legend')?.textContent.trim())"
    )

    assert legends
    assert all(legends)
