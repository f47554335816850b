"""A denial that an approval could lift waits for the holder's officers; what they grant is decided afresh."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from gateway.errors import InvalidInputError, UnknownError
from gateway.evidence.errors import ErasedError
from gateway.exchange.approvals import Officer
from gateway.exchange.errors import IllegalTransitionError, InFlightError, OfficerExcludedError
from gateway.exchange.lifting import deadline
from ipx import evidence
from ipx.answers import Denied, Pending, Released, Withdrawn
from ipx.problems import ConflictError, NotFoundError
from tests.exchange.approving import (
    CONTACT,
    EITHER,
    OLGA,
    OTTO,
    PERSONAL,
    SEALED,
    TWO,
    ask_contact,
    grant,
    looked_at,
    only_task,
    put,
)
from tests.exchange.world import COURT, CUSTOMS, OFFICE

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""For rules that no database has a part in."""


def test_a_denial_that_an_approval_could_lift_is_pending_with_a_receipt_at_once(gateway):
    put(gateway)

    answer = ask_contact(gateway)

    assert isinstance(answer, Pending)
    assert answer.approvals_needed == (("personal_data",),)
    assert gateway.receipt(answer)["outcome"] == "pending"
    assert gateway.receipt(answer)["until"] == answer.until
    assert only_task(gateway).groups == (CONTACT,)


def test_a_granted_approval_releases_what_it_was_granted_for(gateway):
    put(gateway)
    pending = ask_contact(gateway)

    task = grant(gateway, only_task(gateway))
    answer = looked_at(gateway, pending)

    assert task.state == "granted"
    assert task.exchange_state == "released"
    assert isinstance(answer, Released)
    assert "owner_contacts" in answer.fields
    assert gateway.receipt(answer)["approvals"] == ["personal_data"]
    assert answer.obligations["retain_days"] == 30


def test_the_bundle_of_an_approved_exchange_proves_filing_and_end_offline(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    grant(gateway, only_task(gateway))

    data = gateway.client().bundle(pending.evidence.exchange)
    report = evidence.verify(data, gateway.trust, now=gateway.services.clock())

    assert report.outcome == "released"
    assert report.receipt.prior is not None
    assert gateway.count("log_entry WHERE step_id LIKE 'exchange:%'") == 2


@ON_SQLITE
def test_polling_says_pending_until_it_is_over(gateway):
    put(gateway)
    pending = ask_contact(gateway)

    while_waiting = looked_at(gateway, pending)
    grant(gateway, only_task(gateway))

    assert while_waiting.evidence.raw == pending.evidence.raw
    assert isinstance(looked_at(gateway, pending), Released)


def test_the_same_bytes_get_the_pending_answer_and_later_the_final_one(gateway):
    put(gateway)
    request = gateway.sign(CUSTOMS, groups=[CONTACT])
    first = gateway.client().send(request)

    again = gateway.client().send(request)
    grant(gateway, only_task(gateway))
    later = gateway.client().send(request)

    assert again.evidence.raw == first.evidence.raw
    assert isinstance(later, Released)
    assert gateway.count("exchange") == 1


def test_a_refusal_by_one_officer_is_a_denial_with_a_receipt(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    task = only_task(gateway)

    said = gateway.services.approvals.refuse(task.id, OTTO, version=task.version, reason_code="not_necessary")
    answer = looked_at(gateway, pending)

    assert said.state == "refused"
    assert isinstance(answer, Denied)
    assert answer.reason == "approval_refused"
    assert gateway.receipt(answer)["prior"]


def test_past_the_deadline_it_is_denied_by_the_worker(gateway, monkeypatch):
    put(gateway)
    pending = ask_contact(gateway)
    _later(gateway, monkeypatch, timedelta(days=31))

    assert gateway.services.settling.go_round() == 1
    answer = looked_at(gateway, pending)

    assert answer.reason == "approval_expired"
    assert gateway.services.approvals.list("ipo-xa", state="expired")[0].state == "expired"
    assert gateway.services.settling.go_round() == 0


def test_a_verdict_after_the_deadline_is_refused_and_changes_nothing(gateway, monkeypatch):
    put(gateway)
    ask_contact(gateway)
    task = only_task(gateway)
    acts = gateway.count("audit_entry")
    _later(gateway, monkeypatch, timedelta(days=31))

    with pytest.raises(IllegalTransitionError):
        grant(gateway, task)

    assert only_task(gateway) == task
    assert gateway.count("audit_entry") == acts


def test_two_officers_are_needed_for_a_seal(gateway):
    put(gateway, SEALED)
    pending = ask_contact(gateway)

    first = grant(gateway, only_task(gateway))
    with pytest.raises(IllegalTransitionError):
        grant(gateway, first)
    second = grant(gateway, first, OLGA)

    assert (first.state, first.quorum) == ("open", 2)
    assert second.state == "granted"
    assert isinstance(looked_at(gateway, pending), Released)


@ON_SQLITE
def test_each_approval_of_a_set_needs_its_own_quorum(gateway):
    put(gateway, TWO)
    pending = ask_contact(gateway)
    one, other = gateway.services.approvals.list("ipo-xa")

    grant(gateway, one)
    while_waiting = looked_at(gateway, pending)
    grant(gateway, other)

    assert isinstance(while_waiting, Pending)
    assert looked_at(gateway, pending).evidence.raw != while_waiting.evidence.raw
    assert gateway.receipt(looked_at(gateway, pending))["approvals"] == ["personal_data", "settlement_terms"]


@ON_SQLITE
def test_one_of_two_ways_suffices_and_the_other_ends_with_it(gateway):
    put(gateway, EITHER)
    pending = ask_contact(gateway)
    one, other = gateway.services.approvals.list("ipo-xa")
    gateway.services.approvals.refuse(one.id, OTTO, version=1, reason_code="no_consent")

    grant(gateway, other)

    assert isinstance(looked_at(gateway, pending), Released)


@ON_SQLITE
def test_an_officer_narrows_and_never_widens(gateway):
    put(gateway)
    pending = gateway.ask(CUSTOMS, groups=[CONTACT, "trademark.priority"], purpose="border_enforcement")
    task = only_task(gateway) if isinstance(pending, Pending) else None
    assert task is None or set(task.groups) <= {CONTACT, "trademark.priority"}

    narrowed = ask_contact(gateway)
    with pytest.raises(InvalidInputError):
        grant(gateway, gateway.services.approvals.list("ipo-xa")[-1], groups=[CONTACT, "trademark.goods"])

    assert isinstance(narrowed, Pending)


@ON_SQLITE
def test_a_group_that_an_officer_took_out_is_withheld_and_says_so(gateway):
    put(gateway, PERSONAL.replace('"trademark.priority"', '"trademark.examination"'))
    pending = gateway.ask(CUSTOMS, groups=[CONTACT, "trademark.examination"])

    grant(gateway, only_task(gateway), groups=[CONTACT])
    answer = looked_at(gateway, pending)

    assert [(item.group, item.reason) for item in answer.withheld] == [("trademark.examination", "not_approved")]
    assert "owner_contacts" in answer.fields


def test_a_policy_that_changes_meanwhile_makes_a_granted_approval_void(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    task = only_task(gateway)
    put(gateway, PERSONAL.replace('@retain_days("30")', '@retain_days("10")'))

    said = grant(gateway, task)
    answer = looked_at(gateway, pending)

    assert said.state == "void"
    assert isinstance(answer, Denied)
    assert answer.reason == "approval_void"


@ON_SQLITE
def test_a_policy_of_somebody_else_voids_nothing(gateway):
    put(gateway)
    ask_contact(gateway)
    other = PERSONAL.replace("contact-by-approval", "another").replace("customs-xa", "court-xa")
    put(gateway, other, owner="ipo-xb")

    assert grant(gateway, only_task(gateway)).exchange_state == "released"


@ON_SQLITE
def test_a_record_that_changes_meanwhile_makes_a_granted_approval_void(gateway, monkeypatch):
    put(gateway)
    pending = ask_contact(gateway)
    _change_record(gateway, monkeypatch)

    grant(gateway, only_task(gateway))

    assert looked_at(gateway, pending).reason == "approval_void"
    assert gateway.services.approvals.list("ipo-xa", state="void")


@ON_SQLITE
def test_what_may_not_even_be_acknowledged_is_never_pending(gateway):
    put(gateway, PERSONAL.replace('IPX::Action::"acknowledge", ', ""))

    answer = gateway.ask(CUSTOMS, groups=[CONTACT], purpose="notify_owner")

    assert isinstance(answer, Denied)
    assert gateway.count("approval_task") == 0


def test_the_requester_takes_a_pending_request_back(gateway):
    put(gateway)
    pending = ask_contact(gateway)

    taken_back = gateway.client().withdraw(pending.evidence.exchange)

    assert isinstance(taken_back, Withdrawn)
    assert isinstance(looked_at(gateway, pending), Withdrawn)
    assert gateway.services.approvals.list("ipo-xa", state="withdrawn")
    with pytest.raises(ConflictError):
        gateway.client().withdraw(pending.evidence.exchange)
    with pytest.raises(IllegalTransitionError):
        grant(gateway, gateway.services.approvals.list("ipo-xa", state="withdrawn")[0])


@ON_SQLITE
def test_only_the_requester_takes_a_request_back(gateway):
    put(gateway)
    pending = ask_contact(gateway)

    for client_id in (OFFICE, COURT):
        with pytest.raises(NotFoundError):
            gateway.client(client_id).withdraw(pending.evidence.exchange)

    assert isinstance(looked_at(gateway, pending), Pending)


@ON_SQLITE
def test_an_officer_sees_what_is_asked_and_why_it_was_denied(gateway):
    put(gateway)
    ask_contact(gateway, case_ref=None)

    detail = gateway.services.approvals.show(only_task(gateway).id, "ipo-xa")

    assert detail.record == gateway.urn()
    assert detail.groups_asked == (CONTACT,)
    assert detail.legal_basis.startswith("XA Customs")
    assert any("approvals" in line["cedar"] for report in detail.why["policies"] for line in report["failing"])
    assert detail.is_current


def test_a_note_is_readable_for_officers_encrypted_at_rest_and_no_part_of_the_audit_trail(gateway):
    put(gateway)
    ask_contact(gateway)
    task = grant(gateway, only_task(gateway), note="Ms Example called")

    [verdict] = gateway.services.approvals.show(task.id, "ipo-xa").verdicts

    assert verdict.note == "Ms Example called"
    with gateway.services.database.read() as session:
        stored = session.execute(text("SELECT note FROM approval_verdict")).scalar_one()
        audited = session.execute(text("SELECT detail FROM audit_entry WHERE act = 'approval.granted'")).scalar_one()
    assert b"Example" not in bytes(stored)
    assert "Example" not in str(audited)


def test_a_verdict_is_an_act_in_the_log(gateway):
    put(gateway)
    ask_contact(gateway)

    grant(gateway, only_task(gateway))

    with gateway.services.database.read() as session:
        row = session.execute(text("SELECT actor, log_index FROM audit_entry WHERE act = 'approval.granted'")).one()
    assert row.actor == "person:otto"
    assert row.log_index is not None
    gateway.services.log.audit()


@ON_SQLITE
def test_another_agency_sees_and_decides_nothing(gateway):
    put(gateway)
    ask_contact(gateway)
    task = only_task(gateway)

    assert gateway.services.approvals.list("ipo-xb") == []
    with pytest.raises(UnknownError):
        gateway.services.approvals.show(task.id, "ipo-xb")
    with pytest.raises(UnknownError):
        grant(gateway, task, Officer("person:eve", "ipo-xb"))


@ON_SQLITE
def test_nobody_decides_on_a_request_of_their_own(gateway):
    put(gateway)
    ask_contact(gateway)

    with pytest.raises(OfficerExcludedError):
        grant(gateway, only_task(gateway), Officer(f"client:{CUSTOMS}", "ipo-xa"))


@ON_SQLITE
def test_a_holder_says_how_long_its_officers_have(gateway):
    gateway.services.approvals.set_period("ipo-xa", 1, actor="operator:test")
    put(gateway)

    ask_contact(gateway)

    task = only_task(gateway)
    assert timedelta(hours=20) < task.expires_at - task.opened_at < timedelta(days=4)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-25", 1, "2026-11-26"),  # a Wednesday
        ("2026-11-25", 5, "2026-12-02"),
        ("2026-11-27", 1, "2026-11-30"),  # a Friday
        ("2026-11-28", 1, "2026-11-30"),  # a Saturday
        ("2026-11-25", 30, "2026-12-25"),  # never more than 30 days in all
    ],
)
def test_working_days_are_monday_to_friday(start, days, end):
    noon = timedelta(hours=12)

    assert deadline(datetime.fromisoformat(f"{start}T12:00Z"), days) == datetime.fromisoformat(f"{end}T00:00Z") + noon


def test_an_erased_exchange_takes_the_officers_words_with_it(gateway):
    put(gateway)
    pending = ask_contact(gateway)
    with pytest.raises(InFlightError):
        gateway.services.erasure.exchange(pending.evidence.exchange, legal_basis="order", actor="operator:test")
    task = grant(gateway, only_task(gateway), note="Ms Example called")

    gateway.services.erasure.exchange(pending.evidence.exchange, legal_basis="order", actor="operator:test")

    with pytest.raises(ErasedError):
        gateway.services.approvals.show(task.id, "ipo-xa")
    assert gateway.count("exchange WHERE pending_salt IS NOT NULL OR salt IS NOT NULL") == 0


def test_a_pending_exchange_stands_in_the_list_and_later_again_with_its_end(gateway):
    put(gateway)
    pending = ask_contact(gateway)

    before = [line.outcome for line in gateway.client().exchanges("requester")]
    grant(gateway, only_task(gateway))
    after = [line.outcome for line in gateway.client().exchanges("requester")]

    assert isinstance(pending, Pending)
    assert (before, after) == (["pending"], ["released"])


def _later(gateway, monkeypatch, by):
    clock = gateway.services.clock
    for service in (gateway.services.settling, gateway.services.approvals):
        monkeypatch.setattr(service, "_clock", lambda: clock() + by)


def _change_record(gateway, monkeypatch):
    """Let the holder's system give another version of every record from now on."""
    fetch = gateway.services.holders.fetch

    def changed(*given):
        held = fetch(*given)
        return replace(held, found=replace(held.found, raw=held.found.raw + b" "))

    monkeypatch.setattr(gateway.services.holders, "fetch", changed)
