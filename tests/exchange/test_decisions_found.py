"""Auditors find decisions and sign-ins as they find exchanges: by every filter, within their scope, as files."""

import json

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.auditor.filters import act_filter, exchange_filter, recall_filter, sign_in_filter
from gateway.auditor.scope import NATIONAL, OWN, Scope
from gateway.auditor.sign_ins import every_sign_in, sign_ins
from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.approving import CONTACT, OTTO, ask_contact, grant, only_task, put
from tests.exchange.recall_calls import allow, make
from tests.exchange.test_bundle_commands import runner
from tests.exchange.world import COURT, CUSTOMS, MARK, OFFICE

NATION, HOLDER = Scope("person:carol", None), Scope("person:otis", "ipo-xa")
OF_CUSTOMS, OF_COURT = Scope("person:dora", "customs-xa"), Scope("person:jo", "court-xa")
RIGHT = f"XA|trademark|{MARK}"
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""For what no database has a part in."""


@pytest.fixture
def decided(gateway):
    """Customs is given a mark, waits for an officer who grants; the court is refused."""
    given = gateway.ask(case_ref="CX-118").evidence.exchange
    put(gateway)
    waited = ask_contact(gateway).evidence.exchange
    grant(gateway, only_task(gateway))
    refused = gateway.ask(COURT, number="202499999", purpose="court_proceeding", legal_basis="XA s. 12")
    gateway.services.auditing.indexer.catch_up()
    return {"given": given, "waited": waited, "refused": refused.evidence.exchange}


def found(gateway, scope=NATION, **wanted):
    decisions = gateway.services.auditing.decisions
    page = decisions.page(scope, exchange_filter(wanted), after=None, limit=50)
    assert page.total == len(page.items)
    assert [one.exchange for one in page.items] == [
        one.exchange for one in decisions.every(scope, exchange_filter(wanted))
    ]
    return page.items


def test_decisions_are_found_by_each_filter_with_versions_and_what_was_withheld_by_whom(gateway, decided):
    version = gateway.services.policies.versions()["holder", "ipo-xa"]
    for wanted, names in (
        ({}, {"given", "waited", "refused"}),
        ({"requester": "customs-xa"}, {"given", "waited"}),
        ({"holder": "ipo-xb"}, set()),
        ({"record_type": "trademark", "record": gateway.urn()}, {"given", "waited"}),
        ({"right": RIGHT}, {"given", "waited"}),
        ({"person": "person:otto"}, {"waited"}),
        ({"purpose": "court_proceeding"}, {"refused"}),
        ({"legal_basis": "cooperation"}, {"given", "waited"}),
        ({"case": "CX-118"}, {"given"}),
        ({"outcome": "denied"}, {"refused"}),
        ({"policy_version": version, "outcome": "released"}, {"waited"}),
        ({"withheld": CONTACT}, {"given"}),
        ({"since": "2100-01-01"}, set()),
        ({"until": "2020-01-01"}, set()),
    ):
        assert {one.exchange for one in found(gateway, **wanted)} == {decided[name] for name in names}, wanted

    [given] = found(gateway, case="CX-118")
    assert given.policies["holder"].startswith("ipo-xa@")
    assert (given.outcome, len(given.book)) == ("released", 64)
    assert CONTACT in {one["group"] for one in given.withheld}


@ON_SQLITE
def test_who_decided_as_an_officer_is_told_to_the_holder_s_auditors_and_the_nation_s_only(gateway, decided):
    said = {}
    for scope in (NATION, HOLDER, OF_CUSTOMS):
        [one] = [one for one in found(gateway, scope) if one.exchange == decided["waited"]]
        assert len(found(gateway, scope, person="otto")) == (0 if scope is OF_CUSTOMS else 1)
        [verdict] = one.verdicts
        assert (verdict.verdict, verdict.approval) == ("grant", "personal_data")
        said[scope.actor] = verdict.officer
        shown = gateway.services.auditing.reader.read(scope, decided["waited"])
        assert ([one.officer for one in shown.verdicts], list(shown.released)) == ([verdict.officer], [CONTACT])

    assert said == {"person:carol": OTTO.actor, "person:otis": OTTO.actor, "person:dora": None}
    assert [one.exchange for one in found(gateway, OF_COURT)] == [decided["refused"]]


def test_sign_ins_and_acts_are_found_by_person_agency_outcome_and_time(gateway):
    services = gateway.services
    for username, agency in (("nina", "customs-xa"), ("paul", "court-xa")):
        services.people.add(username, name=username, roles=[], agency=agency, actor="operator:tests")
        meant = next(one for one in services.people.people() if one.username == username)
        services.desk.locks.refuse(meant, factor="password", address="192.0.2.7")
        with services.database.write() as session:
            services.desk.sign_ins.begin(session, meant, via="passkey", address="192.0.2.7", agent="x")
    services.desk.locks.refuse(None, factor="password", address="192.0.2.8")
    search = services.auditing.search

    def signed(scope=NATION, **wanted):
        page = sign_ins(search, scope, sign_in_filter(wanted), after=None, limit=50)
        assert page.total == len(page.items)
        assert page.items == list(every_sign_in(search, scope, sign_in_filter(wanted)))
        return {(one.person, one.outcome) for one in page.items}

    nina, paul = {("nina", "signed_in"), ("nina", "refused")}, {("paul", "signed_in"), ("paul", "refused")}
    assert signed() == nina | paul | {(None, "refused")}
    assert signed(person="nina") == signed(agency="customs-xa") == signed(OF_CUSTOMS) == nina
    assert signed(outcome="signed_in") == {("nina", "signed_in"), ("paul", "signed_in")}
    assert signed(OF_CUSTOMS, person="paul") == signed(since="2100-01-01") == signed(until="2020-01-01") == set()

    def acts(scope=NATION, **wanted):
        page = search.acts(scope, act_filter(wanted), after=None, limit=50)
        return {one.subject for one in page.items if one.act == "person.added"}

    assert acts(agency="customs-xa") == {"person:nina"}
    assert acts(OF_CUSTOMS, agency="court-xa") == set()


def test_a_recall_is_found_by_the_exchanges_of_one_s_own_side_that_gave_the_record_out(gateway, decided):
    allow(gateway, OFFICE)
    recall = make(gateway).json()["id"]
    recalls = gateway.services.auditing.recalls

    def known(scope, **wanted):
        page = recalls.page(scope, recall_filter(wanted), after=None, limit=50)
        return [one.id for one in page.items]

    assert (known(NATION, person="otto"), known(OF_CUSTOMS, person="otto")) == ([recall], [])
    for wanted in ({"right": RIGHT}, {"case": "CX-118"}, {"purpose": "border_enforcement"}):
        assert known(NATION, **wanted) == known(OF_CUSTOMS, **wanted) == [recall], wanted
        assert known(OF_COURT, **wanted) == []
    for wanted in ({"right": "XA|trademark|1"}, {"case": "CX-119"}, {"policy_version": "ipo-xa@00000000"}):
        assert known(NATION, **wanted) == [], wanted


@ON_SQLITE
def test_exchanges_of_the_same_case_stand_beside_each_other(gateway):
    one = gateway.ask(case_ref="CX-118").evidence.exchange
    other = gateway.ask(COURT, number="202499999", purpose="court_proceeding", case_ref="CX-118").evidence.exchange

    related = {found.id: found.because for found in gateway.services.auditing.reader.read(NATION, one).related}

    assert related == {other: "case"}


@ON_SQLITE
def test_programs_and_shells_find_take_out_keep_and_run_each_list_and_each_look_is_an_entry(
    gateway, decided, tmp_path, monkeypatch
):
    allow(gateway, OFFICE)
    recall = make(gateway).json()["id"]
    services = gateway.services
    services.agencies.grant("customs-xa", [OWN, NATIONAL], actor="test")
    services.agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")
    services.desk.locks.refuse(None, factor="password", address="192.0.2.8")
    run = runner(gateway, tmp_path, monkeypatch)

    def call(path, scope=OWN):
        url = f"{gateway.settings.origin}/v1/audit{path}"
        return gateway.client()._call(Call("GET", url, {}), Grant(scope, gateway.settings.resource))

    first = call("/decisions?limit=1").json()
    rest = call(f"/decisions?limit=1&cursor={first['next']}").json()
    assert [first["total"], first["items"][0]["exchange"]] == [2, decided["waited"]]
    assert [rest["items"][0]["exchange"], rest["next"]] == [decided["given"], None]
    assert call("/sign-ins").json()["total"] == 0
    assert call("/sign-ins?outcome=refused", f"{OWN} {NATIONAL}").json()["total"] == 1
    assert call("/sign-ins?outcome=lost").status == 422
    taken = run("audit", "export", "--decisions", "--case", "CX-118", "--format", "ndjson", "--out", "d.ndjson")
    assert taken.exit_code == 0, taken.output
    about, line = map(json.loads, (tmp_path / "d.ndjson").read_text().splitlines())
    assert (about["export"]["of"], line["exchange"]) == ("decisions", decided["given"])
    assert run("audit", "export", "--sign-ins", "--national", "--out", "s.csv").exit_code == 0
    assert "192.0.2.8" in (tmp_path / "s.csv").read_text()
    assert "1 of 1 decisions" in run("audit", "decisions", "--case", "CX-118").stdout
    assert "1 of 1 sign-ins" in run("audit", "sign-ins", "--outcome", "refused", "--national").stdout
    assert "customs-xa" in run("audit", "recall", recall).stdout
    assert run("audit", "report").exit_code == run("audit", "flags").exit_code == 0

    kept = run("audit", "keep", "Case", "case=CX-118", "--of", "decisions")
    assert kept.exit_code == 0, kept.output
    assert "decisions  case=CX-118" in run("audit", "searches").stdout
    assert "1 of 1 decisions" in run("audit", "run", "Case").stdout
    [search] = json.loads(run("audit", "searches", "--json").stdout)["items"]
    assert run("audit", "forget", search["id"]).exit_code == 0
    assert run("audit", "run", "Case").exit_code != 0

    with services.database.read() as session:
        looks = session.scalars(select(AuditEntry).where(AuditEntry.act.startswith("audit."))).all()
    searched = {look.detail["kind"] for look in looks if look.act == "audit.searched"}
    assert searched == {"decisions", "sign_ins", "reports", "flags"}
    assert {look.subject for look in looks if look.act == "audit.opened"} == {f"recall:{recall}"}
    assert {look.detail["kind"] for look in looks if look.act == "audit.exported" and look.log_index is not None} == {
        "decisions",
        "sign_ins",
    }
