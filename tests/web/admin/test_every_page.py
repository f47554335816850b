"""Every page of the administrator's console, as each kind of person: open, closed, or to be confirmed first."""

import re

import pytest

from tests.web.people import browser

SAMPLES = {
    "code": "customs-xa",
    "client_id": "customs-xa.intake",
    "name": "ipo-xa-trademarks",
}
KEEPERS = {"alice", "adam", "olga"}
ADMINISTRATORS = {"alice", "adam"}
NATIONAL = {"alice", "olga"}
EVERYBODY = {"alice", "bob", "carol", "dora", "otto", "adam", "olga"}
OPEN_TO = {
    "admin.home": {"alice", "bob", "otto", "adam", "olga"},
    "admin.agencies": KEEPERS,
    "admin.agency": NATIONAL,
    "admin.add_agency": {"alice"},
    "admin.change_agency": {"alice"},
    "admin.agency_scopes": {"alice"},
    "admin.suspend_agency": {"alice"},
    "admin.agency_quota": {"alice"},
    "admin.client_quota": {"alice"},
    "admin.add_client": {"alice"},
    "admin.client": NATIONAL,
    "admin.client_scopes": {"alice"},
    "admin.suspend_client": {"alice"},
    "admin.add_key": {"alice"},
    "admin.revoke_key": {"alice"},
    "admin.suspend_key": {"alice"},
    "admin.keys": KEEPERS,
    "admin.sources": KEEPERS,
    "admin.source": KEEPERS,
    "admin.test_source": KEEPERS,
    "admin.add_source": {"alice"},
    "admin.replace_source": {"alice"},
    "admin.suspend_source": ADMINISTRATORS,
    "admin.quarantine": KEEPERS,
    "admin.recalls": KEEPERS | {"otto"},
    "admin.token_debugger": NATIONAL,
    "admin.settings": NATIONAL,
    "admin.diagnostics": NATIONAL,
}
"""Customs is not Adam's agency, the trademarks are."""


def routes(app, method):
    """Give endpoint and address of each route of the console that takes a method; names unknown here are made up."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin") and method in rule.methods:
            numbered = re.sub(r"<int:[a-z_]+>", "1", rule.rule)
            path = re.sub(r"<(?:[^:>]+:)?([a-z_]+)>", lambda found: SAMPLES.get(found[1], "none-such"), numbered)
            yield rule.endpoint, path


@pytest.fixture(scope="module")
def key(shared):
    return shared.services.client_keys.keys("customs-xa.intake")[0].kid


def test_strangers_are_sent_to_sign_in_from_every_page(shared):
    client = browser(shared)
    for _, path in routes(shared.app, "GET"):
        answer = client.get(path)

        assert answer.status_code == 303, path
        assert answer.headers["Location"].startswith("/sign-in?next=/admin"), path


def test_no_act_is_taken_from_a_stranger(shared):
    client = browser(shared)
    for _, path in routes(shared.app, "POST"):
        answer = client.post(path)

        assert answer.status_code == 400, path  # no token of a form


@pytest.mark.parametrize("username", sorted(EVERYBODY))
def test_a_page_opens_for_whom_it_is_meant_and_for_nobody_else(shared, person, key, username):
    client = person(username)
    for endpoint, address in routes(shared.app, "GET"):
        path = address.replace("none-such", key)
        if endpoint not in OPEN_TO:
            continue
        answer = client.get(path)

        expected = {200} if username in OPEN_TO[endpoint] else {403, 404}
        assert answer.status_code in expected, (username, path, answer.status_code, answer.text[-600:])


def test_every_page_of_this_console_is_in_the_table(shared):
    own = {endpoint for endpoint, _ in routes(shared.app, "GET") if endpoint.startswith("admin.")}

    assert own - {"admin.quarantined"} == set(OPEN_TO)


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_pages_are_in_the_language_that_was_chosen(shared, person, language):
    client = person("alice")
    client.get(f"/about/accessibility?lang={language}")
    for endpoint, path in routes(shared.app, "GET"):
        if endpoint in OPEN_TO and "none-such" not in path and not path.endswith(".json"):
            page = client.get(path).text

            assert f'<html lang="{"en" if language == "en" else "zh-Hans-CN"}"' in page
    client.get("/about/accessibility?lang=en")


@pytest.mark.parametrize(
    "path",
    [
        "/admin/agencies/add",
        "/admin/agencies/customs-xa/suspend",
        "/admin/clients/customs-xa.intake/keys/add",
        "/admin/clients/customs-xa.intake/suspend",
        "/admin/sources/add",
    ],
)
def test_dangerous_pages_ask_who_it_is_again(person, path):
    answer = person("alice", fresh=False).get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in/confirm?next=")


def test_every_page_carries_the_strict_policy(shared, person):
    for path in ("/admin/", "/admin/agencies", "/admin/none-such", "/about/licences"):
        policy = person("alice").get(path).headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.search(r"script-src 'self' 'nonce-[A-Za-z0-9+/]{22}=='", policy)


def test_no_page_has_an_inline_style_or_a_handler(shared, person):
    for endpoint, path in routes(shared.app, "GET"):
        page = person("alice").get(path).text

        assert not re.search(r"<[^>]+\sstyle=|<style|<[^>]+\son[a-z]+=", page), (endpoint, path)


def test_navigation_shows_nobody_a_door_that_is_shut_to_them(shared, person):
    for username in EVERYBODY - {"carol", "dora"}:
        client = person(username)
        page = client.get("/admin/").text
        (navigation,) = re.findall(r"<nav aria-label=\"Sections\".*?</nav>", page, re.DOTALL)
        for path in re.findall(r'href="([^"]+)"', navigation):
            assert client.get(path).status_code == 200, (username, path)
