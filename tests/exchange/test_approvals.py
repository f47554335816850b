"""A denial that an approval could lift waits for the holder's officers; what they grant is decided afresh."""

from ipx import evidence
from ipx.answers import Pending, Released
from tests.exchange.approving import CONTACT, ask_contact, grant, looked_at, only_task, put


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
