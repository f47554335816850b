"""What an agency gets: a record with fields withheld, a refusal, silence; always with evidence that holds."""

import pytest

from ipx import evidence, jws, sdjwt
from ipx.answers import Denied, Failed, Released
from ipx.bundle import verify_members
from ipx.problems import NotFoundError
from tests.exchange.world import ARBITRATION, COURT, CUSTOMS, MARK, OFFICE, REGULATOR, ask


def members(answer):
    return evidence.members_of_answer(jws.parse_object(answer.evidence.raw))


def test_a_record_is_released_without_the_owners_contact_and_says_why(gateway):
    answer = gateway.client(CUSTOMS).request(ask(gateway.urn()))

    assert isinstance(answer, Released)
    assert "owners" in answer.fields
    assert "owner_contacts" not in answer.fields
    [withheld] = [item for item in answer.withheld if item.group == "trademark.owner.contact"]
    assert withheld.reason == "not_granted"
    assert answer.obligations["retain_days"] == 90
    assert answer.sealed_by == "gateway"


def test_the_answer_verifies_offline_against_the_pinned_trust_list(gateway):
    answer = gateway.client(CUSTOMS, verified=False).request(ask(gateway.urn()))

    report = evidence.verify(answer.evidence.raw, gateway.trust, now=gateway.services.clock())

    assert report.outcome == "released"
    assert report.exchange == answer.evidence.exchange


def test_only_the_groups_asked_for_are_released_and_nothing_is_said_of_others(gateway):
    answer = gateway.client(CUSTOMS).request(ask(gateway.urn(), groups=("trademark.mark", "trademark.owner.contact")))

    assert "verbal_element" in answer.fields
    assert "application_number" not in answer.fields
    assert [item.group for item in answer.withheld] == ["trademark.owner.contact"]


def test_a_withheld_field_is_nowhere_in_the_answer(gateway):
    answer = gateway.client(CUSTOMS).request(ask(gateway.urn()))
    held = gateway.services.holders
    released = set(answer.fields)

    presentation = sdjwt.verify(
        answer.record, gateway.services.holder_keys.ring(), roles=frozenset({"seal"}), typ="ipx-record+sd-jwt", at=None
    )

    assert held is not None
    assert released <= presentation.claims.keys()
    assert "owner_contacts" not in presentation.claims
    assert b"@" not in answer.record.encode()


def test_a_denial_before_the_fetch_never_reaches_the_holder(gateway, monkeypatch):
    calls = []
    monkeypatch.setattr(gateway.services.holders, "fetch", lambda *given: calls.append(given))

    answer = gateway.ask(
        ARBITRATION, "ipo-xb", number="2023889012", purpose="arbitration", groups=["trademark.owner.contact"]
    )

    assert isinstance(answer, Denied)
    assert calls == []
    assert answer.evidence.receipt


def test_a_court_gets_the_detention_that_its_own_active_case_cites_and_not_without_citing_it(gateway):
    asked = {"agency": "customs-xa", "record_type": "detention", "number": "D2026-0007", "purpose": "court_proceeding"}

    cited = gateway.ask(COURT, **asked, case_ref="IPC 118/2026")
    uncited = gateway.ask(COURT, **asked)

    assert isinstance(cited, Released)
    assert "importer" in cited.fields
    assert isinstance(uncited, Denied)


def test_a_case_that_the_register_does_not_know_opens_nothing(gateway):
    answer = gateway.ask(
        COURT, "customs-xa", "detention", "D2026-0007", purpose="court_proceeding", case_ref="IPC 9999/2026"
    )

    assert isinstance(answer, Denied)


def test_an_owner_is_told_five_facts_before_seizure_and_the_traders_after_it(gateway):
    asked = {"agency": "customs-xa", "record_type": "detention", "purpose": "notify_owner", "client_id": OFFICE}

    before = gateway.ask(number="D2026-0011", legal_basis="19 CFR 133.25(b)", **asked)
    after = gateway.ask(number="D2026-0015", legal_basis="19 CFR 133.42(d)", **asked)

    assert {"importation_date", "port_of_entry", "goods"} <= before.fields.keys()
    assert not {"importer", "exporter", "manufacturer"} & before.fields.keys()
    assert {"importer", "goods"} <= after.fields.keys()


def test_a_sealed_record_and_no_record_look_alike(gateway):
    asked = {
        "client_id": REGULATOR,
        "agency": "court-xa",
        "record_type": "court_case",
        "purpose": "market_surveillance",
    }

    sealed = gateway.ask(number="IPC 24/2026", **asked)
    nothing = gateway.ask(number="IPC 9999/2026", **asked)

    documents = [jws.parse_object(answer.evidence.raw) for answer in (sealed, nothing)]
    assert [answer.slug for answer in (sealed, nothing)] == ["no-information"] * 2
    assert documents[0].keys() == documents[1].keys()
    receipts = [gateway.receipt(answer) for answer in (sealed, nothing)]
    assert receipts[0].keys() == receipts[1].keys()
    differing = {name for name in receipts[0] if receipts[0][name] != receipts[1][name]}
    assert differing <= {"jti", "iat", "req_hash", "snapshot_sha256"}


def test_a_holder_that_is_down_is_a_failed_exchange_with_a_receipt(gateway):
    answer = gateway.ask(OFFICE, "ipo-xb", number="2023889012", purpose="examination")

    assert isinstance(answer, Failed)
    assert answer.stage == "holder"
    assert verify_members(members(answer), gateway.trust, now=gateway.services.clock()).outcome == "failed"


def test_a_suspended_source_is_not_asked(gateway):
    gateway.services.sources.suspend("ipo-xa-trademarks", reason="maintenance", actor="operator:test")

    answer = gateway.ask()

    assert isinstance(answer, Failed)
    assert answer.slug == "holder-failed"


def test_both_parties_read_the_exchange_again_and_a_third_does_not(gateway):
    answer = gateway.client(CUSTOMS).request(ask(gateway.urn()))

    mine = gateway.client(CUSTOMS).exchange(answer.evidence.exchange)
    theirs = gateway.client(OFFICE).exchange(answer.evidence.exchange)

    assert mine.evidence.receipt == theirs.evidence.receipt == answer.evidence.receipt
    assert mine.evidence.raw == answer.evidence.raw
    with pytest.raises(NotFoundError):
        gateway.client(REGULATOR).exchange(answer.evidence.exchange)


def test_every_outcome_is_one_leaf_and_the_log_is_whole(gateway):
    before = gateway.count("log_entry")

    gateway.ask()
    gateway.ask(OFFICE, "ipo-xb", number="2023889012", purpose="examination")
    gateway.ask(REGULATOR, "court-xa", "court_case", "IPC 24/2026", purpose="market_surveillance")

    acts = gateway.count(f"audit_entry WHERE log_index >= {before}")
    assert gateway.count("log_entry") == before + 3 + acts
    gateway.services.log.audit()


def test_what_is_stored_of_an_exchange_is_encrypted(gateway):
    gateway.ask()

    with gateway.services.database.read_connection() as connection:
        stored = b"".join(row[0] for row in connection.exec_driver_sql("SELECT ciphertext FROM exchange_payload"))
    assert MARK.encode() not in stored
    assert b"border_enforcement" not in stored
