"""Every page and call of auditors, found in the map of addresses, as each role: nobody sees what their scope hides."""

import re

import pytest

from gateway.auditor.scope import NATIONAL, OWN, Scope
from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.recall_calls import allow, make
from tests.exchange.test_flags import planted_flag
from tests.exchange.world import COURT, CUSTOMS, OFFICE
from tests.web.admin.conftest import person, shared
from tests.web.people import browser

__all__ = ["person", "shared"]

WANTED = {"/v1/audit/log/consistency": "?old=1&new=2", "/v1/audit/log/entries": "?first=0&last=1"}
"""Parameters without which there is no answer."""
OTHERS = ("alice", "bob", "otto", "edna", "paul", "adam", "olga")


class World:
    """Ids of things that customs may see, and of others of the same kinds that it may not, by the name in addresses."""

    def __init__(self, gateway) -> None:
        self.gateway = gateway
        services = gateway.services
        for code in ("customs-xa", "ipo-xa"):
            services.agencies.grant(code, [OWN, NATIONAL], actor="test")
        services.agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")
        allow(gateway, OFFICE)
        gateway.ask(COURT, purpose="court_proceeding", case_ref="4/2026")
        of_the_court = make(gateway).json()["id"]
        saved = services.auditing.saved
        dora, jo, carol = (
            Scope("person:dora", "customs-xa"),
            Scope("person:jo", "court-xa"),
            Scope("person:carol", None),
        )
        self.own = {
            "exchange_id": gateway.ask(case_ref="CX-118").evidence.exchange,
            "flag_id": planted_flag(services),
            "saved_id": saved.save(dora, "Own", "exchanges", {"purpose": "border_enforcement"}).id,
            "recall_id": make(gateway).json()["id"],
        }
        foreign = gateway.ask(OFFICE, "ipo-xb", "trademark", "2023889012", purpose="examination").evidence.exchange
        self.foreign = {
            "exchange_id": foreign,
            "flag_id": planted_flag(services, "ipo-xa", "ipo-xb", "new_pair"),
            "saved_id": saved.save(jo, "Hidden of the court", "exchanges", {}, is_shared=True).id,
            "recall_id": of_the_court,
        }
        saved.save(carol, "Hidden of the nation", "exchanges", {}, is_shared=True)
        services.auditing.indexer.catch_up()
        self.hidden = [*self.foreign.values(), "Hidden of the court", "Hidden of the nation"]

    def routes(self, prefix, method):
        """Give the address of each route that takes a method, and the names in it; an unknown name fails the test."""
        for rule in self.gateway.app.url_map.iter_rules():
            if rule.rule.startswith(prefix) and method in rule.methods:
                names = re.findall(r"<([a-z_]+)>", rule.rule)
                assert set(names) <= set(self.own), f"{rule.rule}: give this test one of customs and one that is not"
                yield rule.rule, names

    def filled(self, rule, ids) -> str:
        return re.sub(r"<([a-z_]+)>", lambda found: ids[found[1]], rule)

    def call(self, path, method="GET", body=b"", scope=OWN):
        headers = {"Content-Type": "application/json", "If-Match": f'"{"0" * 32}"'} if body else {}
        call = Call(method, f"{self.gateway.settings.origin}{path}", headers, body)
        return self.gateway.client()._call(call, Grant(scope, self.gateway.settings.resource))


@pytest.fixture(scope="module")
def world(shared):
    return World(shared)


def test_only_auditors_open_any_page_and_strangers_are_sent_to_sign_in(world, person):
    stranger, count = browser(world.gateway), 0
    for rule, _ in world.routes("/audit", "GET"):
        path, count = world.filled(rule, world.own), count + 1
        assert stranger.get(path).status_code == 303, path
        for username in OTHERS:
            assert person(username).get(path).status_code == 403, (username, path)
    for rule, _ in world.routes("/audit", "POST"):
        for username in OTHERS:
            assert person(username).post(world.filled(rule, world.own)).status_code in {400, 403}, (username, rule)

    assert count >= 12


def test_every_page_opens_for_an_auditor_and_shows_an_agency_s_auditor_nothing_of_others(world, person):
    for rule, names in world.routes("/audit", "GET"):
        path = world.filled(rule, world.own)
        if "saved_id" not in names:  # that one is dora's own
            assert person("carol").get(path).status_code in {200, 302}, path
        page = person("dora").get(path)
        assert page.status_code in {200, 302}, (path, page.data[-400:])
        assert not [word for word in world.hidden if word.encode() in page.data], path
        if names:
            assert person("dora").get(world.filled(rule, world.foreign)).status_code == 404, rule


def test_no_act_of_an_agency_s_auditor_reaches_what_is_of_others(world, person):
    token = re.search(
        r'name="csrf_token" value="([^"]+)"', person("dora").get(f"/audit/flags/{world.own['flag_id']}").text
    )[1]
    for rule, names in world.routes("/audit", "POST"):
        if names:
            answer = person("dora").post(
                world.filled(rule, world.foreign), data={"csrf_token": token, "status": "closed", "note": "x"}
            )
            assert answer.status_code == 404, rule


def test_no_call_is_answered_without_the_scope_nor_beyond_it(world):
    national = f"{OWN} {NATIONAL}"
    for rule, names in world.routes("/v1/audit", "GET"):
        path = world.filled(rule, world.own) + WANTED.get(rule, "")
        assert world.gateway.http.get(path).status_code == 401, path
        assert world.call(path, scope="exchange:request").status == 403, path
        answer = world.call(path)
        assert answer.status == 200, (path, answer.body)
        assert not [word for word in world.hidden if word.encode() in answer.body], path
        if names:
            assert world.call(world.filled(rule, world.foreign)).status == 404, path
    for rule, names in world.routes("/v1/audit", "GET"):  # behind the others: who looks by the nation's scope is seen
        if names:
            assert world.call(world.filled(rule, world.foreign), scope=national).status == 200, rule


def test_no_act_over_the_api_reaches_what_is_of_others(world):
    for method in ("POST", "DELETE", "PUT", "PATCH"):
        for rule, names in world.routes("/v1/audit", method):
            path = world.filled(rule, world.foreign)
            assert world.gateway.http.request(method, path).status_code == 401, path
            assert world.call(path, method, b"{}", scope="exchange:request").status == 403, path
            if names:
                assert world.call(path, method, b'{"note": "x"}').status == 404, path


def test_cursors_and_filters_of_the_nation_are_no_use_to_an_agency_s_auditor(world, person):
    for _ in range(51):
        world.gateway.ask(OFFICE, "ipo-xb", "trademark", "2023889012", purpose="examination")
    older = re.search(r'rel="next" href="([^"]+)"', person("carol").get("/audit/exchanges").text)[1]

    assert person("carol").get(older).status_code == 200
    assert person("dora").get(older).status_code == 422
    recall_ids = (world.own["recall_id"], world.foreign["recall_id"])
    for query in ("", "addressee=ipo-xa", "addressee=court-xa", "state=open"):
        page = person("dora").get(f"/audit/recalls?{query}").get_data(as_text=True)
        assert [number in page for number in recall_ids] == [query in {"", "state=open"}, False]
    for query in ("requester=ipo-xa", f"id={world.foreign['exchange_id']}", "holder=ipo-xb"):
        for path in ("/audit/exchanges", "/audit/exchanges/file", "/audit/flags"):
            if path.endswith("flags") and query.startswith("id"):
                continue
            page = person("dora").get(f"{path}?{query}").get_data(as_text=True)
            assert world.foreign["flag_id"] not in page
            assert f"/audit/exchanges/{world.foreign['exchange_id']}" not in page
