"""Everybody acts at once, in threads of their own, on either database: nothing unreviewed comes into force."""

import threading

import pytest
from sqlalchemy import select

from gateway.errors import GatewayError
from gateway.governance.errors import BaseMovedError, NotInStateError
from gateway.governance.models import Activation, ChangeRequest, PolicyRevision, Review
from tests.governance import people
from tests.governance.people import ALICE, BEN, BOB, MARK, OFFICE

TAKEN_OUT = "public-trademark-basics"
COMMENT = "// saved while others activated\n"


def at_once(*acts):
    """Run acts in threads that begin together; gives what each returned or how it was refused."""
    gate, outcomes = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number, act):
        gate.wait()
        try:
            outcomes[number] = act()
        except GatewayError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=one) for one in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_of_reviews_saves_and_activations_at_once_only_what_was_reviewed_comes_into_force(gateway):
    governance = gateway.services.governance
    text = people.text_of(gateway)
    one = people.approve(gateway, people.asked(gateway, {MARK: people.narrowed(text)}))
    two = people.approve(gateway, people.asked(gateway, {MARK: people.narrowed(text)}))
    late = people.asked(gateway, {TAKEN_OUT: None})
    [imported] = governance.activations.history(BOB, "holder", "ipo-xa")

    def review():
        return governance.reviews.say(
            BEN,
            late.id,
            version=late.version,
            evidence_sha256=late.evidence_sha256,
            verdict="approve",
            ticks=late.widened,
        )

    def activate(change):
        return lambda: governance.activations.activate(ALICE, change.id, version=change.version)

    def save():
        return governance.changes.save(
            OFFICE, two.id, version=two.version, policies={MARK: people.narrowed(text) + COMMENT}
        )

    outcomes = at_once(activate(one), activate(two), save, review, activate(late), activate(one))

    made = [found for found in governance.activations.history(BOB, "holder", "ipo-xa") if found.id != imported.id]
    assert len(made) == 1, outcomes
    with gateway.services.database.read() as session:
        row = session.get_one(Activation, made[0].id)
        change = session.get_one(ChangeRequest, row.change_id)
        texts = session.scalars(select(PolicyRevision.cedar_text).where(PolicyRevision.id.in_(row.revisions))).all()
        approvals = session.scalars(
            select(Review).where(Review.change_id == change.id, Review.evidence_sha256 == change.evidence_sha256)
        ).all()
    assert change.id in {one.id, two.id}
    assert [found.verdict for found in approvals] == ["approve"]
    assert not any(COMMENT in found for found in texts)
    assert change.base == imported.id
    # Whatever was said of the third meanwhile, it was about other policies than are in force now.
    after = governance.changes.show(ALICE, late.id)
    assert after.is_base_moved
    with pytest.raises((BaseMovedError, NotInStateError)):
        governance.activations.activate(ALICE, late.id, version=after.version)


def test_roll_backs_at_once_undo_one_thing_once(gateway):
    activations = gateway.services.governance.activations
    people.activate(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    newest, base = activations.history(BOB, "holder", "ipo-xa")

    def undo(who):
        return lambda: activations.roll_back(who, base.id, in_force=newest.id, reason="at once")

    outcomes = at_once(undo(BOB), undo(BEN), undo(BOB))

    assert sorted(isinstance(found, BaseMovedError) for found in outcomes) == [False, True, True]
    assert [found.kind for found in activations.history(BOB, "holder", "ipo-xa")] == ["rollback", "change", "import"]
