"""What becomes active when: schedules, shadows, roll backs, emergencies; no worker decides by a book a second old."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from gateway.errors import AlreadyExistsError, InvalidInputError
from gateway.governance import books
from gateway.governance.books import PolicyBooks
from gateway.governance.errors import BaseMovedError, NotEntitledError, NotInStateError, OwnChangeError
from ipx.answers import Denied
from tests.governance import people
from tests.governance.people import ALICE, BEN, BOB, BOTH, MARK, OFFICE

STOP = (
    '@id("stop-customs") @reason("incident")\n'
    'forbid (principal in IPX::Agency::"customs-xa", action, resource is IPX::Trademark);\n'
)


class Later:
    """The gateway's clock, moved."""

    def __init__(self, service, ahead):
        self._service, self._old, self._ahead = service, service._clock, ahead

    def __enter__(self):
        self._service._clock = lambda: self._old() + self._ahead

    def __exit__(self, *_):
        self._service._clock = self._old


class At(Later):
    """The gateway's clock, standing."""

    def __init__(self, service, moment):
        super().__init__(service, timedelta())
        self._moment = moment

    def __enter__(self):
        self._service._clock = lambda: self._moment


def withheld(gateway):
    gateway.services.books.newest()
    return {one.group for one in gateway.ask().withheld}


def test_a_scheduled_change_is_in_shadow_and_then_active(gateway):
    governance = gateway.services.governance
    now = gateway.services.clock()
    ready = people.approve(gateway, people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))}))
    shadowed = governance.activations.schedule(
        ALICE, ready.id, version=ready.version, activate_at=now + timedelta(days=2), shadow_from=now
    )
    assert shadowed.state == "shadow"

    assert "trademark.owner" not in withheld(gateway)
    governance.shadows.settle()
    report = governance.activations.shadow(ALICE, ready.id)
    assert (report.compared, report.differing, report.skipped) == (1, 1, 0)
    assert report.differences[0]["lost"] == ["trademark.owner"]
    assert governance.activations.go_round() == 0

    with Later(governance.activations, timedelta(days=3)):
        assert governance.activations.go_round() == 1
    assert "trademark.owner" in withheld(gateway)
    assert governance.changes.show(ALICE, ready.id).state == "active"


def test_a_scheduled_change_whose_base_moved_goes_back_to_its_author(gateway):
    governance = gateway.services.governance
    now = gateway.services.clock()
    ready = people.approve(gateway, people.asked(gateway, {MARK: people.narrowed(people.text_of(gateway))}))
    governance.activations.schedule(ALICE, ready.id, version=ready.version, activate_at=now + timedelta(hours=1))
    people.activate(gateway, {"public-trademark-basics": None})

    with Later(governance.activations, timedelta(hours=2)):
        governance.activations.go_round()

    found = governance.changes.show(ALICE, ready.id)
    assert (found.state, found.evidence_sha256, found.is_base_moved) == ("draft", None, True)
    assert "trademark.owner" not in withheld(gateway)


def test_a_newer_change_supersedes_and_a_roll_back_is_a_new_activation(gateway):
    governance = gateway.services.governance
    base = governance.activations.history(ALICE, "holder", "ipo-xa")[0]
    first = people.activate(gateway, {MARK: people.narrowed(people.text_of(gateway))})
    second = people.activate(gateway, {"public-trademark-basics": None})
    assert governance.changes.show(ALICE, first.id).state == "superseded"
    newest = governance.activations.history(ALICE, "holder", "ipo-xa")[0]

    with pytest.raises(OwnChangeError):
        governance.activations.roll_back(
            replace(ALICE, roles=BOTH), base.id, in_force=newest.id, reason="I would rather not"
        )
    with pytest.raises(NotEntitledError):
        governance.activations.roll_back(ALICE, base.id, in_force=newest.id, reason="an editor only")
    with pytest.raises(BaseMovedError):
        governance.activations.roll_back(BOB, base.id, in_force=base.id, reason="saw something else")
    with pytest.raises(InvalidInputError):
        governance.activations.roll_back(BOB, base.id, in_force=newest.id, reason=" ")
    made = governance.activations.roll_back(BOB, base.id, in_force=newest.id, reason="too narrow")

    assert (made.kind, made.name) == ("rollback", base.name)
    assert "trademark.owner" not in withheld(gateway)
    history = governance.activations.history(ALICE, "holder", "ipo-xa")
    assert [one.kind for one in history] == ["rollback", "change", "change", "import"]
    assert governance.changes.show(ALICE, second.id).state == "superseded"
    with pytest.raises(NotInStateError):
        governance.activations.roll_back(BOB, base.id, in_force=made.id, reason="twice")


def test_an_emergency_denial_holds_at_once_and_ends_by_itself(gateway):
    emergencies = gateway.services.governance.emergencies
    until = gateway.services.clock() + timedelta(hours=30)
    made = emergencies.deny(ALICE, "guardrail", "gateway", "stop-customs", STOP, until=until, reason="keys lost")

    gateway.services.books.newest()
    denied = gateway.ask()
    assert isinstance(denied, Denied)
    assert denied.reason == "incident"

    with Later(emergencies, timedelta(hours=25)):
        assert emergencies.go_round() == 1
        assert emergencies.go_round() == 0
    assert emergencies.show(ALICE, made.id).overdue_at is not None
    with Later(emergencies, timedelta(hours=31)):
        assert emergencies.go_round() == 1
    assert emergencies.show(ALICE, made.id).ended_at is not None
    assert "trademark.owner" not in withheld(gateway)


def test_an_emergency_only_forbids_and_somebody_else_reviews_it(gateway):
    emergencies = gateway.services.governance.emergencies
    until = gateway.services.clock() + timedelta(hours=5)
    grant = STOP.replace("forbid", "permit").replace('@reason("incident")', '@legal_basis("none")')

    def deny(editor=ALICE, tier="guardrail", owner="gateway", policy_id="stop-customs", cedar=STOP, **changes):
        told = {"until": until, "reason": "keys lost"} | changes
        return emergencies.deny(editor, tier, owner, policy_id, cedar, **told)

    with pytest.raises(InvalidInputError):
        deny(cedar=grant)
    with pytest.raises(NotEntitledError):
        deny(OFFICE)
    with pytest.raises(InvalidInputError):
        deny(until=until + timedelta(days=60))
    with pytest.raises(AlreadyExistsError):
        deny(policy_id="guard-sealed", cedar=STOP.replace("stop-customs", "guard-sealed"))
    made = deny(replace(ALICE, roles=BOTH))
    own = deny(OFFICE, "holder", "ipo-xa")
    with pytest.raises(OwnChangeError):
        emergencies.review(replace(ALICE, roles=BOTH), made.id, "keep")
    emergencies.review(BOB, made.id, "lift")
    emergencies.review(BEN, own.id, "keep")
    with pytest.raises(NotInStateError):
        emergencies.review(BEN, made.id, "keep")

    assert isinstance(gateway.ask(), Denied)
    assert [one.id for one in emergencies.list(OFFICE)] == [own.id]
    assert {one.ref.policy_id for one in gateway.services.policies.active()[1]} & {"stop-customs"}


def test_another_worker_decides_by_no_book_that_it_saw_in_force_a_second_ago(gateway, monkeypatch):
    services, seconds = gateway.services, 1000.0
    monkeypatch.setattr(books, "time", SimpleNamespace(monotonic=lambda: seconds))
    other = PolicyBooks(services.policies, services.books.current().book.catalogue)
    before = other.current()
    people.activate(gateway, {MARK: people.narrowed(people.text_of(gateway))})

    seconds += books.STALE_SECONDS
    after = other.current()

    assert books.STALE_SECONDS <= 1
    assert before.activation < after.activation == services.policies.newest_activation()
    assert after.book.holders["customs-xa"] is before.book.holders["customs-xa"]
    assert after.book.digest == services.books.newest().book.digest


def test_an_emergency_lasts_from_and_to_its_moment_by_the_gateways_clock(gateway):
    emergencies, ahead = gateway.services.governance.emergencies, timedelta(days=300)
    with Later(emergencies, ahead):
        made = emergencies.deny(
            ALICE, "guardrail", "gateway", "stop-customs", STOP, until=timedelta(hours=2), reason="keys lost"
        )
    emergencies.review(BOB, made.id, "keep")
    assert made.until - made.began_at == timedelta(hours=2)
    assert made.began_at - gateway.services.clock() > ahead - timedelta(hours=1)

    for moment, ended in ((made.until - timedelta(microseconds=1), 0), (made.until, 1), (made.until, 0)):
        with At(emergencies, moment):
            assert emergencies.go_round() == ended
    with pytest.raises(InvalidInputError):
        emergencies.deny(ALICE, "guardrail", "gateway", "stop-more", STOP, until=timedelta(0), reason="keys lost")
