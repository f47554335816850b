"""Auditors find every exchange and act again, see no more than their scope holds, and leave a trace of each look."""

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.auditor.export import as_csv
from gateway.auditor.filters import ExchangeFilter, act_filter, exchange_filter
from gateway.auditor.models import ExchangeRight, ExchangeSearch
from gateway.auditor.scope import NATIONAL, OWN, Scope
from gateway.errors import AlreadyExistsError, InvalidInputError, UnknownError
from gateway.exchange.models import Exchange
from ipx import evidence
from ipx.channel import Call
from ipx.tokens import Grant
from tests.exchange.world import COURT, CUSTOMS, MARK, OFFICE

NATION = Scope("person:carol", None)
OF_CUSTOMS = Scope("person:dora", "customs-xa")
OF_COURT = Scope("person:jo", "court-xa")
BASIS = "XA Customs Cooperation Agreement 2025, art. 4"
RIGHT = f"XA|trademark|{MARK}"


@pytest.fixture
def asked(gateway):
    """Customs asks for a mark, the office for a recordal of the same right, the court for what is not there."""
    answers = {
        "mark": gateway.ask(case_ref="CX-118"),
        "recordal": gateway.ask(
            OFFICE,
            "customs-xa",
            "customs_recordal",
            "R2025-0031",
            purpose="examination",
            legal_basis="XA Customs Cooperation Agreement 2025, art. 6",
        ),
        "refused": gateway.ask(
            COURT, number="202499999", purpose="court_proceeding", legal_basis="XA Judicial Assistance Act, s. 12"
        ),
    }
    gateway.services.auditing.indexer.catch_up()
    return {name: answer.evidence.exchange for name, answer in answers.items()}


@pytest.fixture
def find(gateway):
    def find(scope=NATION, **wanted):
        page = gateway.services.auditing.search.exchanges(scope, exchange_filter(wanted), after=None, limit=50)
        assert page.total == len(page.items)
        return {item.id for item in page.items}

    return find


@pytest.fixture
def api(gateway):
    """Calls `/v1/audit` as a system of customs, which audits for its agency, or for the nation."""
    agencies = gateway.services.agencies
    agencies.grant("customs-xa", [OWN, NATIONAL], actor="test")
    agencies.set_client_scopes(CUSTOMS, ["exchange:request", OWN, NATIONAL], actor="test")

    def call(path, method="GET", body=b"", scope=OWN, **query):
        address = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"{gateway.settings.origin}/v1/audit{path}" + (f"?{address}" if address else "")
        headers = {"Content-Type": "application/json"} if body else {}
        return gateway.client()._call(Call(method, url, headers, body), Grant(scope, gateway.settings.resource))

    return call


def acts(gateway, act):
    with gateway.services.database.read() as session:
        return session.scalars(select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id)).all()


FILTERS = [
    ({}, {"mark", "recordal", "refused"}),
    ({"requester": "customs-xa"}, {"mark"}),
    ({"holder": "customs-xa"}, {"recordal"}),
    ({"client": COURT}, {"refused"}),
    ({"record_type": "customs_recordal"}, {"recordal"}),
    ({"purpose": "border_enforcement"}, {"mark"}),
    ({"legal_basis": "cooperation agreement"}, {"mark", "recordal"}),
    ({"legal_basis": "100 %"}, set()),
    ({"case": "CX-118"}, {"mark"}),
    ({"case": "CX-119"}, set()),
    ({"right": RIGHT}, {"mark", "recordal"}),
    ({"right": "XA|trademark|1"}, set()),
    ({"outcome": "released"}, {"mark", "recordal"}),
    ({"outcome": "denied,failed"}, {"refused"}),
    ({"withheld": "trademark.owner.contact"}, {"mark"}),
    ({"since": "2100-01-01"}, set()),
    ({"until": "2020-01-01"}, set()),
    ({"requester": "customs-xa", "outcome": "denied"}, set()),
]


def test_each_filter_finds_what_it_says(asked, find):
    found = [(wanted, {name for name, known in asked.items() if known in find(**wanted)}) for wanted, _ in FILTERS]

    assert found == FILTERS


def test_a_record_is_found_by_its_name_and_an_exchange_by_its_id_and_the_policies_that_decided(gateway, asked, find):
    with gateway.services.database.read() as session:
        book = session.scalars(select(ExchangeSearch.book)).first()

    assert asked["mark"] in find(record=gateway.urn())
    assert find(record=gateway.urn(), requester="customs-xa") == {asked["mark"]}
    assert find(id=asked["recordal"]) == {asked["recordal"]}
    assert find(book=book[:12]) == set(asked.values())
    assert find(book="00000000") == set()


def test_pages_follow_each_other_without_gap_or_repeat_and_count_what_there_is(gateway):
    ids = [gateway.ask().evidence.exchange for _ in range(5)]
    search, after, pages = gateway.services.auditing.search, None, []
    while True:
        page = search.exchanges(NATION, ExchangeFilter(), after=after, limit=2)
        pages.append([item.id for item in page.items])
        assert page.total == 5
        after = page.after
        if after is None:
            break

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == ids[::-1]
    assert [one.id for one in search.every_exchange(NATION, ExchangeFilter())] == ids[::-1]


def test_an_agency_s_auditor_sees_its_own_side_only(gateway, asked, find):
    assert find(OF_CUSTOMS) == {asked["mark"], asked["recordal"]}
    assert find(OF_COURT) == {asked["refused"]}
    assert find(OF_COURT, requester="customs-xa") == set()
    assert find(OF_COURT, id=asked["mark"]) == set()
    reader = gateway.services.auditing.reader
    for scope in (OF_COURT, Scope("person:x", "market-xa")):
        with pytest.raises(UnknownError):
            reader.read(scope, asked["mark"])
        with pytest.raises(UnknownError):
            reader.require_seen(scope, asked["mark"])


def test_an_agency_s_auditor_sees_acts_on_its_own_things_only(gateway):
    gateway.services.agencies.grant("court-xa", ["introspect"], actor="person:alice")
    gateway.services.agencies.grant("customs-xa", ["introspect"], actor="person:alice")
    search = gateway.services.auditing.search

    def subjects(scope):
        page = search.acts(scope, act_filter({"actor": "person:alice"}), after=None, limit=50)
        return {item.subject for item in page.items}

    assert subjects(NATION) == {"court-xa", "customs-xa"}
    assert subjects(OF_COURT) == {"court-xa"}
    assert subjects(Scope("person:x", "court")) == set()  # whose code another one begins with


def test_an_agency_s_auditor_sees_what_its_people_did_and_their_sign_ins_and_nobody_else_s(gateway):
    services = gateway.services
    for username, agency in (("nina", "customs-xa"), ("paul", "court-xa"), ("lena", None)):
        services.people.add(username, name=username, roles=[], agency=agency, actor="operator:tests")
        meant = next(one for one in services.people.people() if one.username == username)
        services.desk.locks.refuse(meant, factor="password", address="192.0.2.7")
        services.agencies.grant("ipo-xb", ["introspect"], actor=f"person:{username}")
        services.agencies.withdraw("ipo-xb", ["introspect"], actor=f"person:{username}")
    search = services.auditing.search

    def seen(scope, **wanted):
        page = search.acts(scope, act_filter(wanted), after=None, limit=50)
        assert page.total == len(page.items)
        assert [one.id for one in page.items] == [one.id for one in search.every_act(scope, act_filter(wanted))]
        return {(item.actor, item.subject) for item in page.items}

    for username, scope in (("nina", OF_CUSTOMS), ("paul", OF_COURT)):
        person, other = f"person:{username}", "person:paul" if username == "nina" else "person:nina"
        assert seen(scope, act="person.sign_in_refused") == {("stranger", person)}
        assert seen(scope, act="person.added") == {("operator:tests", person)}
        assert seen(scope, actor=person) == {(person, "ipo-xb")}
        for hidden in (other, "person:lena"):
            assert seen(scope, actor=hidden) == seen(scope, subject=hidden) == set()
    assert len(seen(NATION, act="person.sign_in_refused")) == 3


def test_an_agency_s_auditor_sees_the_activation_of_its_own_policies(gateway):
    def activated(scope):
        page = gateway.services.auditing.search.acts(scope, act_filter({"act": "policy"}), after=None, limit=200)
        return {item.subject for item in page.items if item.act == "policy.activated"}

    assert {"holder/ipo-xa", "holder/ipo-xb"} <= activated(NATION)
    assert (
        activated(Scope("person:x", "ipo-xa")) == {one for one in activated(NATION) if one.endswith("/ipo-xa")} != set()
    )
    assert activated(Scope("person:x", "ipo")) == set()


def test_one_exchange_is_shown_with_its_request_receipt_and_a_proof_made_anew(gateway, asked):
    found = gateway.services.auditing.reader.read(NATION, asked["mark"])

    assert (found.request["legal_basis"], found.request["case_ref"]) == (BASIS, "CX-118")
    assert found.receipt["outcome"] == "released"
    assert (found.proof.holds, found.proof.problem) == (True, None)
    assert found.proof.index < found.proof.size
    assert found.row.timing_ms["log"] > 0
    assert {"trademark.owner.contact"} <= {item["group"] for item in found.receipt["withheld"]}


def test_a_decision_is_taken_again_by_the_policies_of_its_time(gateway, asked):
    place = ("holder", "ipo-xa")
    then = gateway.services.policies.versions()[place]
    policies = gateway.services.policies
    texts = [text for text in policies.active()[1] if (text.ref.tier, text.ref.owner) == place]
    policies.activate([text for text in texts if "customs" not in text.cedar], actor="person:alice")
    refused = gateway.services.auditing.reader.read(NATION, asked["refused"]).decided
    found = gateway.services.auditing.reader.read(NATION, asked["mark"])
    (one,) = found.decided.explanations
    deciding = [str(policy.ref) for policy in one.policies if policy.decides]

    assert policies.versions()[place] != then == found.receipt["policies"]["holder"]
    assert found.decided.is_same
    assert any(ref.startswith("holder/ipo-xa/") for ref in deciding)
    assert any(ref.startswith("egress/customs-xa/") for ref in deciding)
    withheld = {item["group"] for item in found.receipt["withheld"]}
    assert {group.group for group in one.groups if not group.is_disclosed} == withheld
    assert (refused.is_same, refused.is_early, refused.explanations[0].outcome) == (True, True, "no_information")
    border = next(one for one in refused.explanations[0].policies if "border" in one.ref.policy_id)
    assert 'principal in IPX::Agency::"customs-xa"' in {line.cedar for line in border.failing}
    assert gateway.services.auditing.reader.read(OF_CUSTOMS, asked["mark"]).decided is None
    assert gateway.services.auditing.reader.read(OF_CUSTOMS, asked["recordal"]).decided.is_same


def test_what_was_changed_in_the_database_is_no_longer_proved(gateway, asked):
    with gateway.services.database.write() as session:
        row = session.get_one(Exchange, asked["mark"])
        head, payload, signature = row.receipt.split(".")
        row.receipt = ".".join([head, payload, signature[:-2] + ("AA" if not signature.endswith("AA") else "BB")])

    found = gateway.services.auditing.reader.read(NATION, asked["mark"])

    assert not found.proof.holds
    assert "another receipt" in found.proof.problem


def test_exchanges_of_the_same_record_or_right_stand_beside_each_other(gateway, asked):
    again = gateway.ask(case_ref="CX-118").evidence.exchange
    gateway.services.auditing.indexer.catch_up()

    related = {one.id: one.because for one in gateway.services.auditing.reader.read(NATION, asked["mark"]).related}

    assert related == {again: "record", asked["recordal"]: "right"}
    assert gateway.services.auditing.reader.read(OF_COURT, asked["refused"]).related == []


def test_after_an_erasure_the_exchange_is_found_and_neither_its_legal_basis_nor_its_right(gateway, asked, find):
    assert asked["mark"] in find(right=RIGHT)
    gateway.services.erasure.exchange(asked["mark"], legal_basis="Data Protection Act, s. 17", actor="person:alice")
    gateway.services.auditing.indexer.catch_up()

    assert asked["mark"] in find(requester="customs-xa")
    assert asked["mark"] not in find(legal_basis="Customs")
    assert asked["mark"] not in find(right=RIGHT)
    found = gateway.services.auditing.reader.read(NATION, asked["mark"])
    assert (found.request, found.proof.holds) == ({}, False)
    assert "erased" in found.proof.problem


def test_the_index_takes_each_exchange_in_once_and_holds_no_right_in_the_clear(gateway, asked):
    assert gateway.services.auditing.indexer.catch_up() == 0
    with gateway.services.database.read() as session:
        rights = session.scalars(select(ExchangeRight.right_hash)).all()
        reached = session.scalar(select(Exchange.log_index).where(Exchange.id == asked["refused"]))

    assert rights
    assert all(len(right) == 32 for right in rights)
    assert gateway.services.auditing.indexer.reaches() >= reached


def test_searching_opening_exporting_and_taking_evidence_leave_entries(gateway, asked, api):
    api("/exchanges", requester="customs-xa")
    api(f"/exchanges/{asked['mark']}")
    api(f"/exchanges/{asked['mark']}/bundle")
    api("/exchanges/export", format="csv")

    (searched,), (opened,) = acts(gateway, "audit.searched"), acts(gateway, "audit.opened")
    (bundle,), (exported,) = acts(gateway, "audit.bundle"), acts(gateway, "audit.exported")
    assert searched.detail == {"kind": "exchanges", "filter": {"requester": "customs-xa"}, "found": 1}
    assert (opened.actor, opened.subject) == (CUSTOMS, asked["mark"])
    assert bundle.log_index is not None
    assert exported.log_index is not None
    looks = gateway.services.auditing.reader.read(NATION, asked["mark"]).looks
    assert [look.act for look in looks] == ["audit.bundle", "audit.opened"]


def test_a_system_s_scope_decides_whose_exchanges_it_sees(gateway, asked, api):
    own = api("/exchanges").json()
    national = api("/exchanges", scope=f"{OWN} {NATIONAL}").json()

    assert {item["id"] for item in own["items"]} == {asked["mark"], asked["recordal"]}
    assert {item["id"] for item in national["items"]} == set(asked.values())
    assert (own["total"], own["next"], own["complete"]) == (2, None, True)
    assert api(f"/exchanges/{asked['refused']}").status == 404
    assert api(f"/exchanges/{asked['refused']}/bundle").status == 404
    assert api(f"/exchanges/{asked['refused']}", scope=f"{OWN} {NATIONAL}").status == 200


def test_without_the_scope_there_is_nothing(gateway, asked, api):
    reply = api("/exchanges", scope="exchange:request")

    assert (reply.status, reply.json()["type"].rsplit("/", 1)[1]) == (403, "insufficient-scope")


def test_a_cursor_is_good_for_its_own_list_filter_and_scope_only(gateway, api):
    for _ in range(3):
        gateway.ask()
    first = api("/exchanges", limit=2, purpose="border_enforcement").json()
    rest = api("/exchanges", limit=2, purpose="border_enforcement", cursor=first["next"]).json()

    assert (len(first["items"]), len(rest["items"]), rest["complete"]) == (2, 1, True)
    for wrong in (
        {"purpose": "examination"},
        {"purpose": "border_enforcement", "scope": f"{OWN} {NATIONAL}"},
        {},
    ):
        assert api("/exchanges", limit=2, cursor=first["next"], **wrong).status in {400, 422}
    assert api("/acts", limit=2, cursor=first["next"]).status in {400, 422}


@pytest.mark.parametrize(
    ("query", "pointer", "said"),
    [
        ({"purpsoe": "x"}, "/purpsoe", "did you mean purpose?"),
        ({"since": "yesterday"}, "/since", "2026-11-25"),
        ({"since": "2026-11-25T08:00:00"}, "/since", "zone"),
        ({"since": "2026-12-01", "until": "2026-11-01"}, "/until", "after"),
        ({"outcome": "lost"}, "/outcome", "released"),
        ({"record_type": "car"}, "/record_type", "trademark"),
        ({"limit": "0"}, "/limit", "1 to 200"),
        ({"book": "xyz"}, "/book", "hexadecimal"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named(one_gateway, query, pointer, said):
    if "limit" not in query:
        with pytest.raises(InvalidInputError) as refused:
            exchange_filter(query)
        (fault,) = refused.value.faults
        assert fault.pointer == pointer
        assert said in fault.detail


def test_a_day_as_the_end_means_all_of_it():
    assert exchange_filter({"until": "2026-11-25"}).until == exchange_filter({"since": "2026-11-26"}).since


def test_a_filter_survives_its_own_address():
    given = {"requester": "customs-xa", "outcome": "denied,failed", "since": "2026-11-25T08:00:00Z"}

    assert exchange_filter(given).parameters() == given
    assert exchange_filter({**given, "holder": " "}).parameters() == given


def test_an_export_holds_every_line_says_what_it_is_of_and_begins_no_formula(gateway, asked, api):
    lines = [json.loads(line) for line in api("/exchanges/export").body.splitlines()]
    table = api("/exchanges/export", format="csv", mark="yes").body.decode()

    assert lines[0]["export"]["scope"] == "customs-xa"
    assert [lines[0]["export"]["leaf"], *re.findall(r"leaf (\d+) of", table)] == [
        acts(gateway, "audit.exported")[0].log_index,
        str(acts(gateway, "audit.exported")[1].log_index),
    ]
    assert {line["id"] for line in lines[1:]} == {asked["mark"], asked["recordal"]}
    assert table.startswith("\ufeff")
    assert len(table.splitlines()) == 4
    assert not any(cell.startswith(("=", "+", "@")) for line in table.splitlines()[2:] for cell in line.split(","))


def test_a_cell_that_would_begin_a_formula_is_text(gateway):
    rows = list(as_csv([{"a": "=1+1"}, {"a": "-2"}, {"a": "@x"}], ["a"], "x", mark=False))

    assert [row.decode().strip() for row in rows[1:]] == ["'=1+1", "'-2", "'@x"]


def test_the_bundle_that_an_auditor_takes_out_is_verified_offline(gateway, asked, api):
    data = api(f"/exchanges/{asked['mark']}/bundle").body

    assert evidence.verify(data, gateway.trust, now=gateway.services.clock() + timedelta(days=1)).outcome == "released"


def test_a_saved_search_is_one_s_own_until_it_is_shared_with_one_s_agency(gateway):
    saved = gateway.services.auditing.saved
    other_of_customs = Scope("person:dan", "customs-xa")
    mine = saved.save(OF_CUSTOMS, "Border", "exchanges", {"purpose": "border_enforcement"})
    shared = saved.save(OF_CUSTOMS, "All refused", "exchanges", {"outcome": "denied"}, is_shared=True)

    assert [one.name for one in saved.list(OF_CUSTOMS)] == ["All refused", "Border"]
    assert [one.name for one in saved.list(other_of_customs)] == ["All refused"]
    assert saved.list(OF_COURT) == []
    assert saved.list(NATION) == []
    with pytest.raises(UnknownError):
        saved.show(other_of_customs, mine.id)
    with pytest.raises(UnknownError):
        saved.delete(other_of_customs, shared.id)
    with pytest.raises(AlreadyExistsError):
        saved.save(OF_CUSTOMS, "Border", "exchanges", {})
    with pytest.raises(InvalidInputError):
        saved.save(OF_CUSTOMS, "Wrong", "exchanges", {"purpsoe": "x"})
    saved.delete(OF_CUSTOMS, mine.id)
    assert [one.name for one in saved.list(OF_CUSTOMS)] == ["All refused"]


def test_saved_searches_over_the_api(gateway, api):
    body = json.dumps({"name": "Border", "query": {"purpose": "border_enforcement"}}).encode()
    made = api("/searches", "POST", body)

    assert made.status == 201
    assert [one["name"] for one in api("/searches").json()["items"]] == ["Border"]
    assert api("/searches", "POST", body).status == 409
    assert api(f"/searches/{made.json()['id']}", "DELETE").status == 204
    assert api("/searches").json()["items"] == []
