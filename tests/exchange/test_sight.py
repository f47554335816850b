"""Who can see a real record and why: past exchanges explained, one record asked about for all, every look noted."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.cli import main
from gateway.errors import InvalidInputError, UnknownError
from gateway.evidence.errors import ErasedError
from ipx.answers import Denied, Released
from tests.exchange.approving import CONTACT, put
from tests.exchange.querying import SEIZED, several
from tests.exchange.world import REGULATOR
from tests.governance import people

WHO = "person:olga"


@pytest.fixture
def sight(one_gateway):
    return one_gateway.services.sight


def group_reports(explained):
    return {one.group: one for one in explained.explanation.groups}


def test_a_past_exchange_is_explained_as_it_was_decided(one_gateway, sight):
    answer = one_gateway.ask()
    assert isinstance(answer, Released)

    found = sight.exchange(WHO, answer.evidence.exchange)

    [one] = found.questions
    assert found.is_same_book
    assert one.explanation.outcome == "released"
    assert {name for name, report in group_reports(one).items() if report.is_disclosed} == {
        name for name in group_reports(one) if name not in {item.group for item in answer.withheld}
    }
    assert group_reports(one)[CONTACT].reason == "not_granted"
    assert one.obligations.retain_days == answer.obligations["retain_days"]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_past_exchange_is_explained_by_the_policies_in_force_now(gateway):
    answer = gateway.ask()
    text = people.text_of(gateway)
    put(gateway, people.narrowed(text))

    found = gateway.services.sight.exchange(WHO, answer.evidence.exchange)

    assert not found.is_same_book
    assert found.book_then == gateway.receipt(answer)["book"]
    assert not group_reports(found.questions[0])["trademark.owner"].is_disclosed


def test_each_record_of_a_query_is_explained(one_gateway, sight):
    put(one_gateway, SEIZED, owner="customs-xa")
    answer = one_gateway.client(REGULATOR).request(several())

    first, *rows = sight.exchange(WHO, answer.evidence.exchange).questions

    assert first.record is None
    assert len({one.record for one in rows}) == len(rows)
    assert sum(one.explanation.outcome == "released" for one in rows) == len(answer.records)


def test_what_would_change_a_denial_of_a_real_record_is_told(one_gateway, sight):
    denied = one_gateway.ask(purpose="border_enforcement", groups=[CONTACT])
    assert isinstance(denied, Denied)

    asked_otherwise = sight.question(WHO, one_gateway.urn(), "customs-xa", "market_surveillance")

    assert asked_otherwise.explanation.outcome == "denied"
    reached = {ref.policy_id for ref in asked_otherwise.explanation.within_reach}
    assert "customs-trademark-border" in reached
    lines = [line.cedar for report in asked_otherwise.explanation.policies for line in report.failing]
    assert any("border_enforcement" in line for line in lines)


def test_everybody_who_can_see_a_real_record_is_named_as_an_exchange_would_answer(one_gateway, sight):
    found = sight.record(WHO, one_gateway.urn(), agencies=["customs-xa", "court-xa"])

    answer = one_gateway.ask()
    withheld = {item.group for item in answer.withheld}
    number = next(
        number
        for number, column in enumerate(found.columns)
        if (column.agency.code, column.purpose) == ("customs-xa", "border_enforcement")
    )
    sees = {group for group, cells in found.rows if cells[number].sight == "always"}
    assert sees == {group for group, _ in found.rows} - withheld
    assert {column.agency.code for column in found.columns} == {"customs-xa", "court-xa"}
    assert all(cells[number].by for group, cells in found.rows if group in sees)


def test_a_detention_needs_the_case_that_stands_in_it_or_its_owner(one_gateway, sight):
    urn = one_gateway.urn("customs-xa", "detention", "D2026-0007")

    found = sight.record(WHO, urn, agencies=["court-xa", "ipo-xa"])

    needs = {
        (column.agency.code, cells[number].needs)
        for group, cells in found.rows
        for number, column in enumerate(found.columns)
        if group == "detention.goods" and cells[number].sight == "sometimes"
    }
    assert needs <= {("court-xa", ("case",)), ("ipo-xa", ("owner",))}
    assert needs


def test_only_its_holders_officers_and_the_gateway_authority_look_at_a_record(one_gateway, sight):
    answer = one_gateway.ask()

    assert sight.exchange(WHO, answer.evidence.exchange, reader="ipo-xa").questions
    for reader in ("customs-xa", "ipo-xb"):
        with pytest.raises(UnknownError):
            sight.exchange(WHO, answer.evidence.exchange, reader=reader)
        with pytest.raises(UnknownError):
            sight.record(WHO, one_gateway.urn(), reader=reader)
        with pytest.raises(UnknownError):
            sight.question(WHO, one_gateway.urn(), "customs-xa", "border_enforcement", reader=reader)


@pytest.mark.parametrize(
    ("record", "agency", "purpose", "approvals", "pointer"),
    [
        ("no name", "customs-xa", "border_enforcement", (), "/record"),
        (None, "nobody", "border_enforcement", (), "/agency"),
        (None, "customs-xa", "no_such_purpose", (), "/purpose"),
        (None, "customs-xa", "border_enforcement", ("no_such_approval",), "/approvals"),
    ],
)
def test_what_cannot_be_asked_is_named(one_gateway, sight, record, agency, purpose, approvals, pointer):
    with pytest.raises(InvalidInputError) as refused:
        sight.question(WHO, record or one_gateway.urn(), agency, purpose, approvals=approvals)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_what_is_not_there_or_was_erased_cannot_be_explained(one_gateway, sight):
    answer = one_gateway.ask()
    one_gateway.services.erasure.exchange(answer.evidence.exchange, legal_basis="a law", actor=WHO)

    with pytest.raises(ErasedError):
        sight.exchange(WHO, answer.evidence.exchange)
    with pytest.raises(UnknownError):
        sight.exchange(WHO, "no-such-exchange")
    with pytest.raises(UnknownError):
        sight.record(WHO, one_gateway.urn(number="299999999"))


def test_every_look_is_in_the_audit_trail(one_gateway, sight):
    answer = one_gateway.ask()
    sight.exchange(WHO, answer.evidence.exchange)
    sight.record(WHO, one_gateway.urn(), agencies=["customs-xa"])

    with one_gateway.services.database.read() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.act == "policy.explained")).all()
    assert {f"exchange:{answer.evidence.exchange}", one_gateway.urn()} <= {row.subject for row in rows}
    assert {row.actor for row in rows} == {WHO}


def test_an_operator_is_told_the_same_in_words(one_gateway):
    answer = one_gateway.ask()

    def said(*arguments):
        result = CliRunner().invoke(main, ["policy", *arguments], obj=one_gateway.services)
        assert result.exit_code == 0, result.output
        return result.output

    exchange = said("explain-exchange", answer.evidence.exchange)
    record = said("explain-record", one_gateway.urn(), "--agency", "customs-xa", "--purpose", "market_surveillance")
    sees = said("who-can-see", one_gateway.urn(), "--agency", "customs-xa")
    document = json.loads(said("explain-exchange", answer.evidence.exchange, "--json"))

    assert "trademark.owner: yes" in exchange
    assert "trademark.owner.contact: not_granted" in exchange
    assert "would change it: another purpose, case or mode" in record
    assert "].contains(context.purpose)" in record
    assert "border_enforcement" in sees
    assert document["questions"][0]["explanation"]["outcome"] == "released"
