"""As new administrators would: narrow a policy by form, see what it means, have it reviewed, activate it, undo it.

IPX_PICTURES=docs/pictures pytest tests/browser/test_administrator_story.py      also takes the guide's pictures
"""

import json
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ipx import keyfile
from ipx.answers import Released
from ipx.channel import Call
from ipx.client import Client
from ipx.request import Ask
from ipx.tokens import Grant
from ipx.waiting import Patience
from tests.browser.site import running
from tests.exchange.world import CUSTOMS, MARK, OFFICE

EXCHANGES = 37
PUBLIC = "public-trademark-basics"
BORDER = "Customs XA receives the public register data of marks at the border, but no contact data"
PICTURES = os.environ.get("IPX_PICTURES")
GUIDE = Path(__file__).parents[2] / "docs" / "pictures"
SECONDS = 20


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server of this story's own: it changes what is in force."""
    with running(tmp_path_factory.mktemp("story")) as site:
        yield site


@pytest.fixture(scope="module")
def customs(site):
    """What the intake desk of customs asks with, and the record it asks for."""
    key = keyfile.read_key(site.demo.world.keys[CUSTOMS])
    with Client(site.settings.origin, CUSTOMS, key, patience=Patience(total_seconds=SECONDS, tries=2)) as client:
        record = site.demo.urn("ipo-xa", "trademark", MARK, site.services.holder_keys)
        yield lambda: client.request(Ask(record, "border_enforcement", "XA Customs Cooperation Agreement 2025, art. 4"))


def picture(page, name):
    """Take a picture for the guide where pictures are wanted; else the guide has it already."""
    if PICTURES is None:
        assert (GUIDE / f"{name}.png").is_file(), "run `make pictures`"
        return
    Path(PICTURES).mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    page.set_viewport_size({"width": 1040, "height": 700})
    page.screenshot(path=Path(PICTURES) / f"{name}.png")
    page.set_viewport_size(before)


def press(page, words):
    page.get_by_role("button", name=words, exact=True).click()


def sees_owner(customs, *, expected):
    """Ask until a worker has followed: within a second, where the machine has nothing else to do."""
    until = time.monotonic() + 30
    while True:
        answer = customs()
        assert isinstance(answer, Released)
        if ("owners" in answer.fields) == expected or time.monotonic() > until:
            return "owners" in answer.fields


def start(page, title):
    page.goto("/admin/policies")
    page.get_by_role("button", name="Start a change").click()
    page.get_by_label("Policies of").select_option("holder/ipo-xa")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Reason").fill("Customs need the mark, not its owner.")
    press(page, "Start a change")


def narrow(alice, axe):
    """Alice narrows a policy by form, reads it as card and as text."""
    alice.goto("/admin/policies?owner=ipo-xa&tier=holder")
    picture(alice, "policies")
    start(alice, "Customs no longer see owners")
    alice.get_by_role("link", name=BORDER).click()
    alice.get_by_label("owner (trademark.owner)", exact=True).uncheck()
    picture(alice, "policy-form")
    axe(alice)
    press(alice, "Save draft")
    expect_text(alice, "The draft is saved.")
    headline = alice.get_by_text("Allow clients of “Customs Administration of XA” to receive").first.inner_text()
    assert "bibliographic data" in headline
    assert "owner" not in headline
    expect(alice.locator("del", has_text="owner")).not_to_have_count(0)
    picture(alice, "policy-card")
    alice.get_by_role("link", name="Text", exact=True).click()
    alice.locator(".cm-editor").wait_for()
    axe(alice)
    picture(alice, "policy-text")
    alice.get_by_role("link", name="Customs no longer see owners").click()


def look_at_evidence(alice, axe):
    """She sees the semantic difference with a witness, and the past exchanges that would change."""
    press(alice, "Collect evidence")
    expect_text(alice, "The evidence is complete and passes.")
    row = alice.get_by_role("row", name="owner trademark.owner")
    assert "less permissive" in row.inner_text()
    row.get_by_text("allowed only by the old version").click()
    assert "border_enforcement" in row.inner_text()
    expect_text(alice, f"{EXCHANGES} exchanges replayed, 0 answered as before.")
    alice.get_by_text("Exchanges of Customs Administration of XA that would change").click()
    expect(alice.locator('a[href^="/audit/exchanges/"]')).to_have_count(min(EXCHANGES, 20))
    axe(alice)
    to_the_top(alice, "What it means")
    picture(alice, "policy-difference")
    to_the_top(alice, "Past exchanges, answered anew")
    picture(alice, "policy-evidence")


def propose(alice, axe, change):
    """She asks for review and cannot approve herself: not on the page, not by posting what it would, not by the API."""
    alice.goto(change)
    press(alice, "Ask for review")
    expect_text(alice, "Reviewers can see it now.")
    alice.goto(f"{change}/review")
    expect(alice.get_by_role("button", name="Record the verdict")).to_have_count(0)
    assert posted(alice, f"{change}/review", {"verdict": "approve"}) == 403
    number = change.rpartition("/")[2]
    for step in ("reviews", "activate"):
        by_api = alice.request.post(f"/v1/policies/changes/{number}/{step}", data={"verdict": "approve"})
        assert by_api.status == 401, "a sign-in at the console opens nothing of the API"
    axe(alice)


def author_by_api(site):
    """The office's own system writes a change by the API, may approve others' by its scopes, and not this one."""
    scopes = ["policies:read", "policies:edit", "policies:approve"]
    site.services.agencies.grant("ipo-xa", scopes, actor="operator:story")
    site.services.agencies.set_client_scopes(OFFICE, ["exchange:request", *scopes], actor="operator:story")
    key = keyfile.read_key(site.demo.world.keys[OFFICE])
    with Client(site.settings.origin, OFFICE, key, patience=Patience(total_seconds=60, tries=2)) as client:

        def call(path, document=None, *, scope="policies:edit", version=None):
            headers = {"Content-Type": "application/json"} | ({"If-Match": f'"{version}"'} if version else {})
            url = f"{site.settings.origin}/v1/policies/changes{path}"
            body = b"" if document is None else json.dumps(document).encode()
            reply = client._call(Call("POST", url, headers, body), Grant(scope, site.settings.resource))
            return reply.status, json.loads(reply.body)

        opening = {"tier": "holder", "owner": "ipo-xa", "title": "By the API", "policies": {PUBLIC: None}}
        _, change = call("", opening)
        number = change["id"]
        _, change = call(f"/{number}/evidence", version=change["version"])
        assert change["state"] == "checked", change
        _, change = call(f"/{number}/ask", version=change["version"])
        said = {"verdict": "approve", "evidence_sha256": change["evidence_sha256"]}
        status, problem = call(f"/{number}/reviews", said, scope="policies:approve", version=change["version"])
        assert (status, problem["type"].rpartition("/")[2]) == (403, "own-change")
        status, _ = call(f"/{number}/activate", version=change["version"])
        assert status == 409, "nothing unreviewed becomes active"
        call(f"/{number}/withdraw", version=change["version"])


def approve(bob, axe, change):
    """Bob reviews it."""
    bob.goto(change)
    bob.get_by_role("link", name="Review", exact=True).click()
    axe(bob)
    picture(bob, "policy-review")
    bob.get_by_label("Approve").check()
    to_the_top(bob, "Coverage")
    picture(bob, "policy-verdict")
    press(bob, "Record the verdict")
    expect_text(bob, "Your verdict is recorded.")


def roll_back(bob, axe):
    bob.goto("/admin/activations?place=holder/ipo-xa")
    bob.get_by_role("link", name="Roll back to version").first.click()
    picture(bob, "policy-roll-back")
    bob.get_by_label("Reason").fill("Customs asked the ministry.")
    press(bob, "Roll back")
    expect_text(bob, "Rolled back")
    axe(bob)


def test_two_people_narrow_a_policy_and_undo_it(site, customs, browser_page, axe):
    for _ in range(EXCHANGES):
        assert isinstance(customs(), Released)
    alice, bob = browser_page("alice"), browser_page("bob")
    for page in (alice, bob):
        page.set_default_timeout(60_000)

    narrow(alice, axe)
    look_at_evidence(alice, axe)
    change = alice.url.removesuffix("/evidence").removeprefix(site.origin)
    propose(alice, axe, change)
    author_by_api(site)
    approve(bob, axe, change)
    assert sees_owner(customs, expected=True)

    press(bob, "Put in force")
    expect_text(bob, "It is in force")
    assert not sees_owner(customs, expected=False)

    roll_back(bob, axe)
    assert sees_owner(customs, expected=True)


def to_the_top(page, heading):
    page.get_by_role("heading", name=heading).evaluate("one => one.scrollIntoView()")


def expect_text(page, words):
    page.get_by_text(words).first.wait_for()


def posted(page, address, data):
    """Post with the page's own cookies and token; gives the status."""
    token = page.locator("input[name=csrf_token]").first.get_attribute("value")
    answer = page.request.post(
        address, form={"csrf_token": token, **data}, headers={"Referer": page.url}, max_redirects=0
    )
    return answer.status
