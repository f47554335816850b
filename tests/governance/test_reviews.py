"""Second persons: who may say what about which evidence, on either database."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidInputError, UnknownError
from gateway.governance.errors import (
    BaseMovedError,
    ChangedMeanwhileError,
    EvidenceChangedError,
    NotEntitledError,
    NotInStateError,
    OwnChangeError,
)
from gateway.governance.models import Review
from tests.governance import people
from tests.governance.people import ALICE, BEN, BOB, BOTH, CUSTOMS, MARK, NEGATIVE, OFFICE

WIDER = 'IPX::Action::"trademark.owner", IPX::Action::"trademark.extensions",'


def widened(gateway):
    return people.text_of(gateway).replace('IPX::Action::"trademark.owner",', WIDER)


def say(gateway, who, change, **changes):
    told = {"version": change.version, "evidence_sha256": change.evidence_sha256, "verdict": "approve"} | changes
    return gateway.services.governance.reviews.say(who, change.id, **told)


def test_whoever_wrote_a_part_of_it_cannot_approve(gateway):
    both, other = replace(ALICE, roles=BOTH), replace(BOB, roles=BOTH)
    changes = gateway.services.governance.changes
    opened = people.draft(gateway, {MARK: people.narrowed(people.text_of(gateway))}, editor=both)
    saved = changes.save(other, opened.id, version=opened.version, reason="said better")
    found = changes.run_evidence(both, saved.id, version=saved.version)
    asked = changes.ask_review(both, found.id, version=found.version)

    for author in (both, other):
        with pytest.raises(OwnChangeError):
            say(gateway, author, asked)

    assert changes.show(ALICE, asked.id).state == "checked"
    with pytest.raises(NotInStateError):
        gateway.services.governance.activations.activate(both, asked.id, version=asked.version)


def test_the_database_itself_takes_no_review_by_the_author(gateway):
    asked = people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    own = Review(
        change_id=asked.id,
        evidence_sha256="0" * 64,
        reviewer=ALICE.actor,
        author=ALICE.actor,
        verdict="approve",
        comment="",
        ticks=[],
        at=gateway.services.clock(),
    )

    with pytest.raises(IntegrityError), gateway.services.database.write() as session:
        session.add(own)


def test_what_widens_needs_two_who_tick_each_group(gateway):
    asked = people.asked(gateway, {MARK: widened(gateway)})
    assert asked.widened == ("trademark/trademark.extensions",)
    assert asked.reviewers_needed == 2

    with pytest.raises(InvalidInputError, match="tick each"):
        say(gateway, BOB, asked)
    first = say(gateway, BOB, asked, ticks=asked.widened)
    with pytest.raises(NotInStateError):
        gateway.services.governance.activations.activate(ALICE, first.id, version=first.version)
    with pytest.raises(NotInStateError, match="has reviewed"):
        say(gateway, BOB, first, ticks=asked.widened)
    second = say(gateway, BEN, first, ticks=asked.widened)

    assert (first.state, second.state) == ("checked", "reviewed")
    made = gateway.services.governance.activations.activate(ALICE, second.id, version=second.version)
    assert made.state == "active"


def test_a_review_speaks_of_the_evidence_it_saw_only(gateway):
    changes = gateway.services.governance.changes
    asked = people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    saved = changes.save(ALICE, asked.id, version=asked.version, policies={MARK: widened(gateway)})
    assert (saved.state, saved.evidence, saved.evidence_sha256) == ("draft", (), None)

    with pytest.raises(NotInStateError):
        say(gateway, BOB, asked)
    found = changes.run_evidence(ALICE, saved.id, version=saved.version)
    again = changes.ask_review(ALICE, found.id, version=found.version)
    with pytest.raises(EvidenceChangedError):
        say(gateway, BOB, asked)

    assert again.evidence_sha256 != asked.evidence_sha256


def test_a_review_after_the_base_moved_is_void_and_nothing_unreviewed_becomes_active(gateway):
    governance = gateway.services.governance
    late = people.approve(gateway, people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))}))
    other = people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    people.activate(gateway, {"public-trademark-basics": None})

    with pytest.raises(BaseMovedError):
        governance.activations.activate(ALICE, late.id, version=late.version)
    with pytest.raises(BaseMovedError):
        say(gateway, BOB, other)
    assert governance.changes.show(ALICE, late.id).is_base_moved

    rebased = governance.changes.rebase(ALICE, late.id, version=late.version)
    assert (rebased.state, rebased.evidence_sha256, rebased.is_base_moved) == ("draft", None, False)
    assert [edit.name for edit in rebased.edits] == [MARK]
    assert "public-trademark-basics" not in rebased.policies


def test_two_editors_of_one_policy_lose_nothing_of_each_other(gateway):
    changes = gateway.services.governance.changes
    opened = people.draft(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    wide, outcomes = widened(gateway), []
    gate = threading.Barrier(2)

    def save(who, cedar):
        gate.wait()
        try:
            outcomes.append(changes.save(who, opened.id, version=opened.version, policies={MARK: cedar}))
        except ChangedMeanwhileError as error:
            outcomes.append(error)

    first = threading.Thread(target=save, args=(ALICE, wide))
    second = threading.Thread(target=save, args=(OFFICE, wide + "// of the office\n"))
    for thread in (first, second):
        thread.start()
    for thread in (first, second):
        thread.join()

    saved = [one for one in outcomes if not isinstance(one, ChangedMeanwhileError)]
    [refused] = [one for one in outcomes if isinstance(one, ChangedMeanwhileError)]
    winner = ALICE if saved[0].policies[MARK] == wide else OFFICE
    assert len(saved) == 1
    assert changes.show(ALICE, opened.id).policies[MARK] == saved[0].policies[MARK]
    assert f"since then: {winner.actor} saved {MARK}" in str(refused)


def test_two_changes_of_one_policy_meet_at_the_rebase(gateway):
    changes = gateway.services.governance.changes
    other = people.draft(gateway, {MARK: widened(gateway)}, editor=OFFICE)
    people.activate(gateway, {MARK: people.narrowed(people.text_of(gateway))})

    with pytest.raises(InvalidInputError, match="somebody else's change"):
        changes.rebase(OFFICE, other.id, version=other.version)

    assert changes.show(OFFICE, other.id).policies[MARK] == other.policies[MARK]


def test_a_conflict_is_settled_by_saying_whose_version_counts(gateway):
    changes, first = gateway.services.governance.changes, people.text_of(gateway)
    mine = people.draft(gateway, {MARK: widened(gateway), "public-trademark-basics": None}, editor=OFFICE)
    other = people.draft(gateway, {MARK: widened(gateway), "public-trademark-basics": None}, editor=OFFICE)
    people.activate(gateway, {MARK: people.narrowed(first)})
    wide = mine.policies[MARK]

    ours = changes.rebase(OFFICE, mine.id, version=mine.version, keep="ours")
    theirs = changes.rebase(OFFICE, other.id, version=other.version, keep="theirs")

    assert (ours.policies[MARK], theirs.policies[MARK]) == (wide, people.narrowed(first))
    assert [edit.name for edit in theirs.edits] == ["public-trademark-basics"]
    assert not {"public-trademark-basics"} & {*ours.policies, *theirs.policies}
    assert {one.state for one in (ours, theirs)} == {"draft"}


def test_an_agencys_editors_touch_their_own_policies_only(gateway):
    changes = gateway.services.governance.changes
    mine = people.draft(gateway, {MARK: people.narrowed(people.text_of(gateway))}, editor=OFFICE)

    for tier, owner in (("guardrail", "gateway"), ("holder", "customs-xa"), ("egress", "customs-xa")):
        with pytest.raises(NotEntitledError):
            changes.open(OFFICE, tier, owner, title="not mine")
    with pytest.raises(UnknownError):
        changes.show(CUSTOMS, mine.id)
    with pytest.raises(UnknownError):
        changes.save(CUSTOMS, mine.id, version=mine.version, policies={MARK: None})
    with pytest.raises(NotEntitledError):
        changes.open(BOB, "holder", "ipo-xa", title="an approver writes nothing")

    assert [one.id for one in changes.list(CUSTOMS)] == []
    assert [one.id for one in changes.list(OFFICE)] == [mine.id]
    assert changes.open(OFFICE, "egress", "ipo-xa", title="mine").tier == "egress"


def test_a_rejection_ends_it_and_says_why(gateway):
    asked = people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))})

    with pytest.raises(InvalidInputError, match="say why"):
        say(gateway, BOB, asked, verdict="reject")
    rejected = say(gateway, BOB, asked, verdict="reject", comment="no legal basis")

    assert (rejected.state, rejected.note) == ("rejected", "no legal basis")
    with pytest.raises(NotInStateError):
        gateway.services.governance.changes.save(ALICE, rejected.id, version=rejected.version, title="again")


def test_failing_evidence_keeps_a_draft_and_says_what_fails(gateway):
    wrong = {**NEGATIVE, "expect": {"outcome": "released", "groups": ["trademark.owner.contact"]}}
    found = people.checked(gateway, {MARK: people.narrowed(people.text_of(gateway))}, tests={NEGATIVE["name"]: wrong})

    assert (found.state, found.evidence_sha256) == ("draft", None)
    assert not found.found("tests").is_passed
    failed = [one for one in found.found("tests").result["results"] if not one["is_passed"]]
    assert [one["name"] for one in failed] == [NEGATIVE["name"]]
    with pytest.raises(NotInStateError):
        gateway.services.governance.changes.ask_review(ALICE, found.id, version=found.version)


def test_a_set_without_a_negative_test_of_a_type_it_opens_does_not_pass(gateway):
    taken = dict.fromkeys(people.draft(gateway, {}).tests)

    found = people.checked(gateway, {MARK: people.narrowed(people.text_of(gateway))}, tests=taken)

    assert found.found("tests").result["missing"] == ["trademark"]
    assert found.state == "draft"


def test_every_step_is_in_the_audit_trail_with_a_leaf(gateway):
    change = people.activate(gateway, {MARK: people.narrowed(people.text_of(gateway))})

    with gateway.services.database.read() as session:
        rows = session.execute(
            text("SELECT act, actor, log_index FROM audit_entry WHERE subject = :s ORDER BY log_index"),
            {"s": f"change:{change.id}"},
        ).all()
    assert [row.act for row in rows] == [
        "policy.change_opened",
        "policy.change_saved",
        "policy.change_checked",
        "policy.review_asked",
        "policy.change_approved",
        "policy.change_activated",
    ]
    assert all(row.log_index is not None for row in rows)
    assert {row.actor for row in rows} == {ALICE.actor, BOB.actor}


def test_an_act_that_cannot_be_logged_does_not_happen(gateway, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("no log")

    opened = people.draft(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    monkeypatch.setattr(gateway.services.audit, "record", broken)

    with pytest.raises(RuntimeError):
        gateway.services.governance.changes.withdraw(ALICE, opened.id, version=opened.version)

    assert gateway.services.governance.changes.show(ALICE, opened.id).state == "draft"
