"""Several records for one signed request: each decided and redacted on its own, one receipt binds them all."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.exchange.models import ExchangeRecord
from ipx import evidence, jws
from ipx.answers import Failed, ReleasedRecords
from ipx.errors import EvidenceError
from ipx.problems import ProblemError
from ipx.request import AskSeveral
from tests.exchange.approving import put
from tests.exchange.querying import BASIS, ON_SQLITE, PURPOSE, SEIZED, numbers, several
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR


@pytest.fixture
def regulator(gateway):
    put(gateway, SEIZED, owner="customs-xa")
    return gateway.client(REGULATOR)


def test_a_query_brings_the_records_that_the_policies_release_and_no_others(gateway, regulator):
    answer = regulator.request(several())

    assert isinstance(answer, ReleasedRecords)
    assert numbers(answer) == ["D2026-0007", "D2026-0012", "D2026-0015"]
    assert {row.fields["stage"] for row in answer.records} == {"seized", "detained"}
    assert all("importer" not in row.fields for row in answer.records)
    assert {item.group for item in answer.records[0].withheld} >= {"detention.importer", "detention.value"}
    assert (answer.next, answer.unreadable) == (None, 0)
    assert answer.obligations["retain_days"] == 60


@ON_SQLITE
def test_selectors_choose_among_them(regulator):
    by_word = regulator.request(several({"stage": "seized"}))
    by_day = regulator.request(several({"suspended_on": {"ge": "2026-05-01", "le": "2026-06-30"}}))
    by_list = regulator.request(several({"right_keys": {"contains": "XA|trademark|202400207"}}))
    by_number = regulator.request(several({"detention_number": ["D2026-0012", "D2026-0019"]}))

    assert numbers(by_word) == ["D2026-0007", "D2026-0015"]
    assert numbers(by_day) == ["D2026-0012", "D2026-0015"]
    assert numbers(by_list) == ["D2026-0015"]
    assert numbers(by_number) == ["D2026-0012"]


def test_pages_follow_each_other_and_end(regulator):
    pages = list(regulator.pages(several(limit=2)))

    assert [numbers(page) for page in pages] == [["D2026-0007", "D2026-0012"], ["D2026-0015"]]
    assert [page.next is None for page in pages] == [False, True]


def test_one_receipt_and_one_leaf_bind_all_records_and_verify_offline(gateway, regulator):
    answer = regulator.request(several())
    report = evidence.verify(answer.evidence.raw, gateway.trust, now=gateway.services.clock())
    bundle = gateway.client(REGULATOR).bundle(answer.evidence.exchange)
    bundled = evidence.verify(bundle, gateway.trust, now=gateway.services.clock())

    assert len(report.records) == len(bundled.records) == 3
    assert "3 records were handed over; there are no more." in " ".join(bundled.sentences())
    assert gateway.count("log_entry WHERE step_id LIKE 'exchange:%'") == 1
    assert gateway.receipt(answer)["page"] == {"complete": True, "next": None, "refused": [], "unreadable": 0}


@ON_SQLITE
@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["records"].pop(),
        lambda document: document["records"].reverse(),
        lambda document: document["records"].append(document["records"][0]),
        lambda document: document["records"][0].update(withheld=[]),
        lambda document: document["page"].update(complete=False),
        lambda document: document["page"].update(unreadable=1),
        lambda document: document.pop("page"),
        lambda document: document["records"][0].update(record=_without_last(document["records"][0]["record"])),
        lambda document: document["records"][0].update(
            record=_without_last(document["records"][0]["record"])
            + document["records"][1]["record"].split("~")[-2]
            + "~"
        ),
        lambda document: document.update(record=document.pop("records")[0]["record"]),
    ],
)
def test_an_answer_in_which_anything_is_changed_does_not_verify(gateway, regulator, change):
    document = jws.parse_object(regulator.request(several()).evidence.raw)
    change(document)

    with pytest.raises(EvidenceError):
        evidence.verify(json.dumps(document).encode(), gateway.trust, now=gateway.services.clock())


def test_the_same_bytes_get_the_same_page_again(gateway, regulator):
    request = regulator.sign(several(limit=1))
    first, second = regulator.send(request), regulator.send(request)

    assert first.evidence.raw == second.evidence.raw
    assert second.evidence.is_replayed
    assert regulator.exchange(first.evidence.exchange).evidence.raw == first.evidence.raw


@ON_SQLITE
def test_a_source_that_cannot_be_searched_is_a_failure_that_says_so(gateway):
    answer = gateway.client(CUSTOMS).request(
        AskSeveral(
            "ipo-xa",
            {"record_type": "trademark"},
            "border_enforcement",
            "XA Customs Cooperation Agreement 2025, art. 4",
        )
    )

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == ("holder", "unsupported")


@ON_SQLITE
def test_more_rows_than_a_source_gives_are_never_cut(gateway, regulator, monkeypatch):
    opened = gateway.services.holders
    regulator.request(several())
    [connector] = [one.connector for _, one in opened._open.values() if one.file.name == "customs-xa-detentions"]
    monkeypatch.setattr(connector._inner, "_rows_max", 1)

    assert regulator.request(several()).reason == "too_many_rows"


@ON_SQLITE
def test_a_record_that_cannot_be_read_is_counted_and_not_dropped(gateway, regulator, monkeypatch):
    regulator.request(several())
    [opened] = [one for _, one in gateway.services.holders._open.values() if one.file.name == "customs-xa-detentions"]
    apply = opened.mapping.apply

    def unreadable(found):
        return apply(found) if b"D2026-0012" not in found.raw else apply(_broken(found))

    monkeypatch.setattr(opened.mapping, "apply", unreadable)
    opened._known.forget()
    answer = regulator.request(several())

    assert numbers(answer) == ["D2026-0007", "D2026-0015"]
    assert answer.unreadable == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"record_type": "detention", "where": {"nobody": "x"}}, "/query/where/nobody"),
        ({"record_type": "detention", "where": {"goods": "x"}}, "/query/where/goods"),
        ({"record_type": "detention", "where": {"importer": "x"}}, "/query/where/importer"),
        ({"record_type": "detention", "where": {"right_keys": "x"}}, "/query/where/right_keys"),
        ({"record_type": "detention", "where": {"stage": {"contains": "x"}}}, "/query/where/stage"),
        ({"record_type": "detention", "where": {"stage": []}}, "/query"),
        ({"record_type": "detention", "where": {"stage": {"like": "x"}}}, "/query"),
        ({"record_type": "detention", "where": {"stage": ""}}, "/query"),
        ({"record_type": "detention", "where": {"stage": 1.5}}, "/query"),
        ({"record_type": "detention", "limit": 0}, "/query"),
        ({"record_type": "detention", "limit": 101}, "/query"),
        ({"record_type": "detention", "limit": True}, "/query"),
        ({"record_type": "detention", "sort": "stage"}, "/query"),
        ({"record_type": "detention", "after": "D2026-0007"}, "/query"),
        ({"record_type": "detention", "after": "urn:ipx:ipo-xa:detention:x"}, "/query/after"),
        ({"record_type": "detention", "after": "urn:ipx:customs-xa:trademark:x"}, "/query/after"),
        ({"record_type": "nothing"}, "/query/record_type"),
        ([], "/query"),
        ("*", "/query"),
    ],
)
def test_a_query_that_is_not_in_form_is_refused_before_anybody_is_asked(one_gateway, query, pointer):
    request = one_gateway.sign(
        REGULATOR, holder="customs-xa", record=None, query=query, purpose=PURPOSE, legal_basis=BASIS
    )

    with pytest.raises(ProblemError) as refused:
        one_gateway.client(REGULATOR).send(request)

    assert pointer in [fault[0] for fault in refused.value.problem.errors]


def test_a_record_and_a_query_in_one_request_are_refused(one_gateway):
    request = one_gateway.sign(CUSTOMS, query={"record_type": "trademark"})

    with pytest.raises(ProblemError):
        one_gateway.client(CUSTOMS).send(request)


@ON_SQLITE
def test_a_name_that_this_holder_never_made_has_nothing_behind_it(regulator):
    assert regulator.request(several(after="urn:ipx:customs-xa:detention:AAAA")).reason == "no_information"


def test_a_field_of_all_records_is_erased_and_the_bundle_still_verifies(gateway, regulator):
    exchange = regulator.request(several()).evidence.exchange

    gateway.services.erasure.field(exchange, "port_of_entry", legal_basis="order", actor="operator:test")
    report = evidence.verify(regulator.bundle(exchange), gateway.trust, now=gateway.services.clock())

    assert report.erased == 3
    again = regulator.exchange(exchange)
    assert all("port_of_entry" not in row.fields for row in again.records)
    assert numbers(again) == ["D2026-0007", "D2026-0012", "D2026-0015"]


def test_the_fields_of_a_query_go_by_schedule_and_its_proof_stays(gateway, regulator, monkeypatch):
    exchange = regulator.request(several()).evidence.exchange
    clock = gateway.services.clock
    monkeypatch.setattr(gateway.services.erasure, "_clock", lambda: clock() + timedelta(days=9))

    assert gateway.services.erasure.expire_answers(timedelta(days=7)) == 1
    report = evidence.verify(gateway.services.bundles.build(exchange), gateway.trust, now=clock())

    assert report.outcome == "released"
    assert report.disclosed == 0


@ON_SQLITE
def test_a_courts_query_is_filtered_by_the_case_it_cites(gateway):
    asked = AskSeveral(
        "customs-xa",
        {"record_type": "detention"},
        "court_proceeding",
        "XA Judicial Assistance Act s. 12",
        case_ref="IPC 118/2026",
    )

    answer = gateway.client(COURT).request(asked)

    assert numbers(answer) == ["D2026-0007"]
    assert "importer" in answer.records[0].fields


@ON_SQLITE
def test_an_offices_query_for_recordals_is_pushed_down(gateway):
    asked = AskSeveral(
        "customs-xa",
        {"record_type": "customs_recordal"},
        "examination",
        "XA Customs Cooperation Agreement 2025, art. 6",
    )

    answer = gateway.client(OFFICE).request(asked)

    assert isinstance(answer, ReleasedRecords)
    assert len(answer.records) == 6


def _broken(found):
    return replace(
        found, raw=found.raw.replace(b'"SUSP_DT": "', b'"SUSP_DT": "x').replace(b'"SUSP_DT":"', b'"SUSP_DT":"x')
    )


def _without_last(presentation):
    return "~".join(presentation.split("~")[:-2]) + "~"


def test_the_records_of_an_answer_are_listed_so_that_their_exchanges_are_found(gateway, regulator):
    answer = regulator.request(several(limit=2))

    with gateway.services.database.read() as session:
        listed = session.scalars(select(ExchangeRecord.record_sha256)).all()

    names = [gateway.urn("customs-xa", "detention", number) for number in numbers(answer)]
    assert {bytes(one) for one in listed} == {hashlib.sha256(name.encode()).digest() for name in names}
