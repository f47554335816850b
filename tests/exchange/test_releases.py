"""A holder sees who was given a record of its own, which groups, under which receipt, and what became of recalls."""

import json
import re
from functools import partial
from urllib.parse import quote

import pytest

from gateway.records.catalogue import CATALOGUE
from ipx.channel import Call
from ipx.encoding import b64url_bytes
from ipx.jws import parse_object
from ipx.tokens import Grant
from tests.exchange.approving import put
from tests.exchange.querying import SEIZED, several
from tests.exchange.recall_calls import acknowledge, allow, make
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR


def call(gateway, urn, client_id=OFFICE, query=""):
    url = f"{gateway.settings.origin}/v1/records/{quote(urn, safe='')}/releases{query}"
    return gateway.client(client_id)._call(Call("GET", url, {}), Grant("exchange:request", gateway.settings.resource))


@pytest.fixture
def given(gateway):
    """Customs and then the court were given a mark; customs asked for it once more in vain, and for part of it."""
    allow(gateway, OFFICE)
    asked = [
        gateway.ask(),
        gateway.ask(COURT, purpose="court_proceeding", case_ref="4/2026"),
        gateway.ask(groups=["trademark.biblio"]),
    ]
    gateway.ask(number="202499999")
    return gateway, [answer.evidence.exchange for answer in asked]


def test_the_holder_sees_who_was_given_which_groups_under_which_receipt(given):
    gateway, exchanges = given

    part, court, customs = call(gateway, gateway.urn()).json()["items"]

    assert [part["exchange"], court["exchange"], customs["exchange"]] == exchanges[::-1]
    assert (court["requester"], court["client"], court["purpose"]) == ("court-xa", COURT, "court_proceeding")
    assert (part["groups"], part["withheld"]) == (["trademark.biblio"], [])
    assert "trademark.owner.contact" in customs["withheld"]
    assert {*customs["groups"], *customs["withheld"]} == set(CATALOGUE.types["trademark"].groups)
    assert not {*customs["groups"]} & {*customs["withheld"]}
    receipt = parse_object(b64url_bytes(customs["receipt"].split(".")[1]))
    assert (receipt["jti"], receipt["outcome"]) == (customs["exchange"], "released")
    assert [one["recalls"] for one in (part, court, customs)] == [[], [], []]


def test_it_sees_what_was_recalled_and_who_acknowledged(given):
    gateway, _ = given
    recall_id = make(gateway).json()["id"]
    acknowledge(gateway, recall_id)

    found = {one["requester"]: one["recalls"] for one in call(gateway, gateway.urn()).json()["items"]}

    [of_customs], [of_court] = found["customs-xa"], found["court-xa"]
    assert (of_customs["id"], of_customs["kind"], of_customs["state"]) == (recall_id, "recalled", "acknowledged")
    assert (of_customs["action"], of_court["state"], of_court["action"]) == ("deleted", "open", None)
    assert (of_court["overdue"], of_court["acknowledged_at"]) == (False, None)


def test_pages_follow_each_other_and_a_cursor_of_another_record_is_refused(given):
    gateway, exchanges = given
    first = call(gateway, gateway.urn(), query="?limit=2").json()
    onward = f"?limit=2&cursor={first['next']}"
    second = call(gateway, gateway.urn(), query=onward).json()

    assert [one["exchange"] for page in (first, second) for one in page["items"]] == exchanges[::-1]
    assert (first["complete"], second["complete"], second["next"]) == (False, True, None)
    assert call(gateway, gateway.urn(number="202499999"), query=onward).status == 400


def test_of_an_erased_exchange_only_that_it_was_is_told(given):
    gateway, (exchange, *_) = given
    gateway.services.erasure.exchange(exchange, legal_basis="XA Data Act, s. 9", actor="operator:test")

    of_it = next(one for one in call(gateway, gateway.urn()).json()["items"] if one["exchange"] == exchange)

    assert (of_it["groups"], of_it["requester"]) == (None, "customs-xa")


def test_a_record_that_came_among_others_is_found(gateway):
    put(gateway, SEIZED, owner="customs-xa")
    answer = gateway.client(REGULATOR).request(several())
    urn = gateway.urn("customs-xa", "detention", answer.records[0].fields["detention_number"])

    [found] = call(gateway, urn, CUSTOMS).json()["items"]

    assert (found["exchange"], found["requester"]) == (answer.evidence.exchange, "regulator-xa")
    assert found["of_several"] is True
    assert {"detention.core", "detention.goods"} <= set(found["groups"])


def test_nobody_but_the_holder_asks(given):
    gateway, _ = given

    assert call(gateway, gateway.urn(), client_id=CUSTOMS).status == 403
    assert call(gateway, "urn:ipx:ipo-xb:trademark:2023889012").status == 403
    assert call(gateway, "no-urn").status == 400
    assert call(gateway, gateway.urn(), query="?limit=0").status == 400
    assert call(gateway, gateway.urn(), query="?page=2").status == 400
    assert gateway.http.get(f"/v1/records/{gateway.urn()}/releases").status_code == 401


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_holder_reads_it_from_a_shell(given, tmp_path, monkeypatch):
    gateway, exchanges = given
    make(gateway)
    run = partial(runner(gateway, tmp_path, monkeypatch), client_id=OFFICE)

    told = run("recall", "releases", gateway.urn())
    read = json.loads(run("recall", "releases", gateway.urn(), "--json").stdout)
    foreign = run("recall", "releases", "urn:ipx:ipo-xb:trademark:2023889012")

    assert told.exit_code == 0, told.output
    assert re.search(rf"{exchanges[1]} +court-xa +court_proceeding +recalled: open +.*trademark.biblio", told.stdout)
    assert [one["exchange"] for one in read["items"]] == exchanges[::-1]
    assert foreign.exit_code != 0
