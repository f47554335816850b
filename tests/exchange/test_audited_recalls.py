"""Auditors find recalls again: their own side, with who has answered; what others were told stays with them."""

import json
from datetime import timedelta

import pytest

from gateway.auditor.filters import act_filter, recall_filter
from gateway.auditor.scope import NATIONAL, OWN, Scope
from gateway.errors import InvalidInputError, UnknownError
from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.recall_calls import acknowledge, allow, make
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import COURT, CUSTOMS, OFFICE

NATION, HOLDER = Scope("person:carol", None), Scope("person:otis", "ipo-xa")
OF_CUSTOMS, OF_COURT, OF_OTHERS = (
    Scope("person:dora", "customs-xa"),
    Scope("person:jo", "court-xa"),
    Scope("person:x", "regulator-xa"),
)


@pytest.fixture
def recalled(gateway):
    """A record that customs and the court were given is recalled; customs has acknowledged, the court has not."""
    allow(gateway, OFFICE)
    exchange = gateway.ask().evidence.exchange
    gateway.ask(COURT, purpose="court_proceeding", case_ref="4/2026")
    recall_id = make(gateway).json()["id"]
    acknowledge(gateway, recall_id)
    return gateway, recall_id, exchange


def found(gateway, scope, **wanted):
    page = gateway.services.auditing.recalls.page(scope, recall_filter(wanted), after=None, limit=50)
    assert page.total == len(page.items)
    assert [one.id for one in page.items] == [
        one.id for one in gateway.services.auditing.recalls.every(scope, recall_filter(wanted))
    ]
    return page.items


def test_each_scope_finds_its_own_side_and_no_filter_tells_what_others_were_told(recalled):
    gateway, recall_id, _ = recalled
    told = {
        scope.actor: [[to.agency for to in one.addressees] for one in found(gateway, scope)]
        for scope in (NATION, HOLDER, OF_CUSTOMS, OF_COURT, OF_OTHERS)
    }

    assert told == {
        "person:carol": [["court-xa", "customs-xa"]],
        "person:otis": [["court-xa", "customs-xa"]],
        "person:dora": [["customs-xa"]],
        "person:jo": [["court-xa"]],
        "person:x": [],
    }
    assert found(gateway, OF_CUSTOMS, addressee="court-xa") == []
    assert found(gateway, OF_CUSTOMS, state="open") == []
    assert [one.acknowledged for one in found(gateway, HOLDER, state="open", addressee="court-xa")] == [1]
    with pytest.raises(UnknownError):
        gateway.services.auditing.recalls.show(OF_OTHERS, recall_id)


def test_every_filter_finds_and_misses(recalled):
    gateway, recall_id, _ = recalled
    now = gateway.services.clock()
    for wanted, other in (
        ({"id": recall_id}, {"id": "x"}),
        ({"holder": "ipo-xa"}, {"holder": "ipo-xb"}),
        ({"addressee": "court-xa"}, {"addressee": "ipo-xb"}),
        ({"kind": "recalled"}, {"kind": "erased"}),
        ({"record_type": "trademark"}, {"record_type": "detention"}),
        ({"record": gateway.urn()}, {"record": "urn:ipx:ipo-xa:trademark:1"}),
        ({"state": "acknowledged"}, {"state": "overdue"}),
        ({"until": f"{now + timedelta(days=1):%Y-%m-%d}"}, {"since": f"{now + timedelta(days=1):%Y-%m-%d}"}),
    ):
        assert [one.id for one in found(gateway, NATION, **wanted)] == [recall_id], wanted
        assert found(gateway, NATION, **other) == [], other
    with pytest.raises(InvalidInputError):
        recall_filter({"kinds": "recalled"})


def test_the_holder_s_auditor_finds_what_became_of_a_recall_and_an_addressee_s_its_own_word_only(recalled):
    gateway, recall_id, _ = recalled
    made, said = ("record.recalled", OFFICE), ("recall.acknowledged", CUSTOMS)

    def acts(scope):
        wanted = act_filter({"subject": f"recall:{recall_id}"})
        page = gateway.services.auditing.search.acts(scope, wanted, after=None, limit=50)
        return {(one.act, one.actor) for one in page.items}

    assert acts(NATION) == acts(HOLDER) == {made, said}
    assert acts(OF_CUSTOMS) == {said}
    assert acts(OF_COURT) == set()


def test_an_exchange_shows_who_called_its_record_back_and_how_many_acknowledged(recalled):
    gateway, recall_id, exchange = recalled
    reader = gateway.services.auditing.reader

    [whole] = reader.read(NATION, exchange).recalls
    [own] = reader.read(OF_CUSTOMS, exchange).recalls

    assert (whole.id, whole.acknowledged, len(whole.addressees)) == (recall_id, 1, 2)
    assert (own.acknowledged, len(own.addressees)) == (1, 1)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_auditor_s_program_and_shell_find_open_and_take_them_out(recalled, tmp_path, monkeypatch):
    gateway, recall_id, exchange = recalled
    gateway.services.agencies.grant("customs-xa", [OWN, NATIONAL], actor="test")
    gateway.services.agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")
    run = runner(gateway, tmp_path, monkeypatch)

    def call(path):
        url = f"{gateway.settings.origin}/v1/audit{path}"
        return gateway.client()._call(Call("GET", url, {}), Grant(OWN, gateway.settings.resource))

    page = call("/recalls?kind=recalled").json()
    opened = call(f"/recalls/{recall_id}").json()
    taken = call("/recalls/export?format=csv").body.decode()
    of_exchange = call(f"/exchanges/{exchange}").json()["recalls"]
    typed = run("audit", "recalls", "--kind", "recalled", "--json")
    nation = run("audit", "recalls", "--national")

    assert (page["total"], page["items"][0]["id"]) == (1, recall_id)
    assert [to["agency"] for to in opened["addressees"]] == ["customs-xa"]
    assert recall_id in taken
    assert "court-xa" not in taken
    assert [one["id"] for one in of_exchange] == [recall_id]
    assert json.loads(typed.output)["total"] == 1
    assert "1 of 2" in nation.output
