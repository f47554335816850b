"""What a query does not tell: fields that are not disclosed are not found, and few records are none."""

import pytest

from ipx import jws
from ipx.answers import Denied, Released
from tests.exchange.approving import put
from tests.exchange.querying import BASIS, EVERY, FEW, ON_SQLITE, PURPOSE, SEIZED, numbers, several
from tests.exchange.world import REGULATOR


@pytest.fixture
def regulator(gateway):
    put(gateway, SEIZED, owner="customs-xa")
    return gateway.client(REGULATOR)


@ON_SQLITE
def test_a_record_is_not_found_by_a_field_that_it_does_not_disclose(regulator):
    hidden = regulator.request(several({"declaration_number": "X"}))
    probed = regulator.request(several({"serial_numbers": {"contains": "X"}}))

    assert [hidden.reason, probed.reason] == ["no_information"] * 2


@ON_SQLITE
def test_probing_for_a_hidden_value_finds_nothing_whether_or_not_it_is_there(gateway, regulator):
    put(gateway, EVERY.replace("regulator-seized", "every").replace("regulator-xa", "court-xa"), owner="customs-xa")
    there, absent = (
        regulator.request(several({"carrier": carrier}, groups=("detention.core",)))
        for carrier in ("Brennick Freight", "no such carrier")
    )

    documents = [jws.parse_object(answer.evidence.raw) for answer in (there, absent)]
    assert [answer.reason for answer in (there, absent)] == ["no_information"] * 2
    assert documents[0].keys() == documents[1].keys()
    receipts = [gateway.receipt(answer) for answer in (there, absent)]
    assert {name for name in receipts[0] if receipts[0][name] != receipts[1][name]} <= {
        "jti",
        "iat",
        "req_hash",
        "snapshot_sha256",
    }


def test_no_record_and_no_record_that_may_be_known_look_alike(gateway, regulator):
    nothing = regulator.request(several({"detention_number": "D1999-0001"}))
    released_to_nobody = regulator.request(several({"detention_number": "D2026-0019"}))

    assert [answer.reason for answer in (nothing, released_to_nobody)] == ["no_information"] * 2
    assert gateway.receipt(nothing).keys() == gateway.receipt(released_to_nobody).keys()


def test_fewer_records_than_a_policy_demands_are_none(gateway):
    put(gateway, FEW, owner="customs-xa")

    answer = gateway.client(REGULATOR).request(several())
    paged = gateway.client(REGULATOR).request(several(limit=1))

    assert [answer.reason, paged.reason] == ["no_information"] * 2


@ON_SQLITE
def test_enough_records_are_counted_behind_the_page_too(gateway):
    put(gateway, FEW.replace('min_count("4")', 'min_count("3")'), owner="customs-xa")

    answer = gateway.client(REGULATOR).request(several(limit=1))

    assert numbers(answer) == ["D2026-0007"]
    assert answer.next is not None


@ON_SQLITE
def test_one_record_alone_is_too_few_as_well(gateway):
    put(gateway, FEW, owner="customs-xa")

    answer = gateway.ask(REGULATOR, "customs-xa", "detention", "D2026-0007", purpose=PURPOSE, legal_basis=BASIS)

    assert isinstance(answer, Denied)
    assert answer.reason == "too_few_rows"


@ON_SQLITE
def test_pages_of_few_records_are_shown_where_all_pages_together_are_enough(gateway):
    put(gateway, FEW.replace('min_count("4")', 'min_count("3")'), owner="customs-xa")

    pages = list(gateway.client(REGULATOR).pages(several(limit=2)))

    assert [numbers(page) for page in pages] == [["D2026-0007", "D2026-0012"], ["D2026-0015"]]


@ON_SQLITE
def test_what_may_be_known_and_is_not_released_after_all_is_counted_where_nothing_was_chosen(gateway):
    encrypted = SEIZED.replace("regulator-seized", "regulator-goods").replace("@retain_days", "@encrypt @retain_days")
    put(gateway, SEIZED.replace(', IPX::Stage::"detained"', ""), owner="customs-xa")
    put(gateway, encrypted.replace('IPX::Stage::"seized", ', ""), owner="customs-xa")
    regulator = gateway.client(REGULATOR)

    all_at_once = regulator.request(several())
    in_pages = list(regulator.pages(several(limit=1)))
    chosen = regulator.request(several({"detention_number": ["D2026-0007", "D2026-0012"]}))

    assert numbers(all_at_once) == ["D2026-0007", "D2026-0015"]
    assert all_at_once.refused == {"unsupported_obligation": 1}
    assert [page.refused for page in in_pages] == [{}, {"unsupported_obligation": 1}]
    assert chosen.refused == {}


@ON_SQLITE
def test_records_that_no_policy_releases_are_not_counted_whether_or_not_the_source_could_be_asked(gateway):
    known = SEIZED.replace("regulator-seized", "known").replace(
        ', IPX::Action::"release", IPX::Action::"detention.core", IPX::Action::"detention.goods"', ""
    )
    put(gateway, SEIZED, owner="customs-xa")
    put(
        gateway,
        known.replace('when { [IPX::Stage::"seized", IPX::Stage::"detained"].contains(resource.stage) }', ""),
        "customs-xa",
    )

    answer = gateway.client(REGULATOR).request(several())

    assert len(answer.records) == 3
    assert answer.refused == {}


@ON_SQLITE
def test_a_policy_for_single_records_only_releases_nothing_in_bulk(gateway):
    put(
        gateway,
        SEIZED.replace(
            "contains(resource.stage) }", 'contains(resource.stage) && context.mode == IPX::Mode::"single" }'
        ),
        owner="customs-xa",
    )

    in_bulk = gateway.client(REGULATOR).request(several())
    single = gateway.ask(REGULATOR, "customs-xa", "detention", "D2026-0007", purpose=PURPOSE, legal_basis=BASIS)

    assert isinstance(in_bulk, Denied)
    assert isinstance(single, Released)


@ON_SQLITE
def test_a_condition_that_no_source_can_be_asked_is_refused_in_bulk_and_names_the_policy(gateway):
    put(
        gateway,
        SEIZED.replace(
            '[IPX::Stage::"seized", IPX::Stage::"detained"].contains(resource.stage)',
            "resource.right_keys == resource.case_numbers",
        ),
        owner="customs-xa",
    )

    answer = gateway.client(REGULATOR).request(several(groups=("detention.core",)))

    assert answer.reason == "not_filterable"
    assert "regulator-seized" in answer.withheld[0].policy


@ON_SQLITE
def test_what_no_policy_could_release_never_reaches_the_holder(gateway, monkeypatch):
    calls = []
    monkeypatch.setattr(gateway.services.holders, "search", lambda *given: calls.append(given))

    answer = gateway.client(REGULATOR).request(several())

    assert isinstance(answer, Denied)
    assert calls == []
