"""The pages that other slices put into the consoles: nothing for axe to find on any that opens without further ado."""

import re

import pytest

from tests.browser.test_accessible import LOOKS
from tests.browser.test_people_accessible import OWN as OF_PEOPLE

PREFIXES = ("/admin", "/audit", "/account", "/sign-in")
OWN = ("admin.", "policy_pages.")
"""Blueprints whose pages have such a test of their own, as those in OF_PEOPLE and all below `/audit/` have."""
PEOPLE = {"/audit": "carol"}
"""Who opens what alice may not; everything else is hers."""
NO_PAGE = re.compile(r"\.(?:csv|ndjson|json|zip)$|/static/|/export|/file$")


def paths(site):
    for rule in site.app.url_map.iter_rules():
        is_page = rule.rule.startswith(PREFIXES) and "GET" in rule.methods and not rule.arguments
        if (
            is_page
            and rule.rule not in OF_PEOPLE
            and not rule.endpoint.startswith(OWN)
            and (not rule.rule.startswith("/audit/") or rule.rule == "/audit/")
            and not NO_PAGE.search(rule.rule)
        ):
            username = next((name for prefix, name in PEOPLE.items() if rule.rule.startswith(prefix)), "alice")
            yield rule.rule, None if rule.rule.startswith("/sign-in") else username


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_pages_of_other_slices(site, browser_page, axe, language):
    pages = {}
    looked_at = []
    for path, username in sorted(paths(site), key=lambda one: (str(one[1]), one[0])):
        if username not in pages:
            pages[username] = browser_page(username, language=language)
        page = pages[username]
        answer = page.goto(path)
        if answer.status != 200 or "text/html" not in answer.headers.get("content-type", ""):
            continue
        looked_at.append(path)
        for theme, (width, height), seen_only in LOOKS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)
    assert len(looked_at) > 5
