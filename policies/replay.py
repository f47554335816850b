"""Replay: past questions asked of the book in force and of a candidate, and what would have been otherwise.

Nothing is guessed: a question whose answer needs what its snapshot lacks is counted as not replayable.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from policies.book import PolicyBook
from policies.compiled import CompiledPolicy
from policies.decision import Denial, Release
from policies.question import Question
from policies.remembered import RememberedBook
from policies.rows import RowFilter
from policies.snapshots import Snapshot

BATCH: Final = 64
EXAMPLES: Final = 20
"""Exchanges named for each agency; the rest are counted."""
NEWLY_ALLOWED, NEWLY_DENIED, GROUPS, OBLIGATIONS = "newly_allowed", "newly_denied", "groups", "obligations"
CHANGES: Final = (NEWLY_ALLOWED, NEWLY_DENIED, GROUPS, OBLIGATIONS)

NEEDS_THE_RECORD: Final = "needs_the_record"
"""The candidate would have called the holder, which was not called."""
NEEDS_OTHER_ROWS: Final = "needs_other_rows"
"""The candidate would have asked a source for other rows than were read."""
ROWS_SAY: Final = "rows_say"
"""The same rows would have been read: each of them is a question of its own."""

Decided = Release | Denial


@dataclass(frozen=True, slots=True)
class Difference:
    """How one question would be answered otherwise. `change` is one of `CHANGES`, the gravest that holds."""

    exchange: str
    requester: str
    record_type: str
    purpose: str
    change: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    obligations: bool


@dataclass(slots=True)
class Tally:
    """What would be otherwise for one agency: how often each change, which groups how often, some exchanges by id."""

    replayed: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.changes[difference.change] += 1
        self.gained.update(difference.gained)
        self.lost.update(difference.lost)
        if difference.obligations and difference.change != OBLIGATIONS:
            self.changes[OBLIGATIONS] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(difference)

    def document(self) -> dict[str, Any]:
        return {
            "replayed": self.replayed,
            **{change: self.changes[change] for change in CHANGES},
            "gained": dict(sorted(self.gained.items())),
            "lost": dict(sorted(self.lost.items())),
            "examples": [
                {
                    "exchange": one.exchange,
                    "record_type": one.record_type,
                    "purpose": one.purpose,
                    "change": one.change,
                    "gained": list(one.gained),
                    "lost": list(one.lost),
                    "obligations": one.obligations,
                }
                for one in self.examples
            ],
        }


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """`untouched` questions no changed policy can apply to; `deciding` counts by policy id."""

    replayed: int
    untouched: int
    unchanged: int
    not_replayable: Mapping[str, int]
    whole: Tally
    agencies: Mapping[str, Tally]
    deciding: Mapping[str, int]
    """`<tier>/<owner>/<policy id>` → how many questions it decided in the candidate."""

    def document(self) -> dict[str, Any]:
        """Write it as JSON without floating-point numbers."""
        whole = self.whole.document()
        del whole["examples"], whole["replayed"]
        return {
            "replayed": self.replayed,
            "untouched": self.untouched,
            "unchanged": self.unchanged,
            "not_replayable": dict(sorted(self.not_replayable.items())),
            **whole,
            "agencies": {code: tally.document() for code, tally in sorted(self.agencies.items())},
        }


def replay(
    old: PolicyBook, new: PolicyBook, snapshots: Iterable[Snapshot], *, unreadable: int = 0, asks_all: bool = True
) -> ReplayReport:
    """Ask past questions of both books.

    Args:
        old: the book in force.
        new: the candidate.
        snapshots: past questions; those of one holder, asking agency and record type in a row cost least.
        unreadable: snapshots that could not be read, to be counted with those that cannot be replayed.
        asks_all: ask the candidate also where no policy that can bear on the question differs, to count which decide.
    """
    whole = Tally()
    agencies: dict[str, Tally] = {}
    missing: Counter[str] = Counter({"unreadable": unreadable} if unreadable else {})
    deciding: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    answers = _Answers(old, new)
    for batch in _batches(snapshots):
        touched = answers.differ(batch[0].question)
        questions = [one for one in batch if not one.is_query]
        if not touched:
            counts["untouched"] += len(questions)
        if not touched and not asks_all:
            _count(agencies, questions)
            counts["replayed"] += len(questions)
            continue
        for snapshot, pair in zip(batch, answers.both(batch, touched=touched), strict=True):
            if isinstance(pair, str):
                missing.update({pair} - {ROWS_SAY})
                continue
            before, after = pair
            counts["replayed"] += 1
            _count(agencies, [snapshot])
            deciding.update({f"{ref.tier}/{ref.owner}/{ref.policy_id}" for ref in after.basis.by})
            found = difference(snapshot, before, after)
            if found is not None:
                whole.add(found)
                agencies[found.requester].add(found)
                counts["changed"] += 1
    return ReplayReport(
        replayed=counts["replayed"],
        untouched=counts["untouched"],
        unchanged=counts["replayed"] - counts["changed"],
        not_replayable=missing,
        whole=whole,
        agencies=agencies,
        deciding=deciding,
    )


def difference(snapshot: Snapshot, before: Decided, after: Decided) -> Difference | None:
    """Compare two answers to one question; None where they hand over the same under the same obligations."""
    had = before.disclosed if isinstance(before, Release) else frozenset()
    has = after.disclosed if isinstance(after, Release) else frozenset()
    duties = [one.obligations.document() if isinstance(one, Release) else None for one in (before, after)]
    heavier = None not in duties and duties[0] != duties[1]
    if had == has and not heavier:
        return None
    if not had:
        change = NEWLY_ALLOWED
    elif not has:
        change = NEWLY_DENIED
    else:
        change = GROUPS if had != has else OBLIGATIONS
    question = snapshot.question
    return Difference(
        snapshot.exchange,
        question.asking.code,
        question.record_type,
        question.purpose,
        change,
        tuple(sorted(has - had)),
        tuple(sorted(had - has)),
        obligations=heavier,
    )


class _Answers:
    """Both books' answers: only what they can answer differently is asked of both, and what is alike is asked once."""

    def __init__(self, old: PolicyBook, new: PolicyBook) -> None:
        self._old = RememberedBook(old)
        self._new = RememberedBook(new)
        self._touched: dict[tuple[str, str, str], bool] = {}

    def differ(self, question: Question) -> bool:
        """Whether a policy that is not the same in both books can apply, by its scope, to who asks."""
        place = _place(question)
        known = self._touched.get(place)
        if known is None:
            asking = question.asking.code
            known = self._touched[place] = any(policy.is_for(asking) for policy in self._between(*place))
        return known

    def both(self, batch: list[Snapshot], *, touched: bool) -> Iterator[tuple[Decided, Decided] | str]:
        """Give both answers to each question, or why there are none."""
        with_record = [one.question for one in batch if one.question.record is not None]
        after = iter(self._new.decide_many(with_record))
        before = iter(self._old.decide_many(with_record)) if touched else None
        for snapshot in batch:
            if snapshot.question.record is None:
                yield self._without_record(snapshot)
                continue
            decided = next(after)
            yield (next(before) if before is not None else decided), decided

    def _without_record(self, snapshot: Snapshot) -> tuple[Decided, Decided] | str:
        """What both refuse early is the same; where the candidate would have called the holder, nobody knows."""
        before, after = (book.decide_early(snapshot.question) for book in (self._old, self._new))
        if isinstance(before, Denial) and isinstance(after, Denial):
            return before, after
        if not snapshot.is_query:
            return NEEDS_THE_RECORD
        if isinstance(after, Denial) or (isinstance(before, RowFilter) and before.where == after.where):
            return ROWS_SAY
        return NEEDS_OTHER_ROWS

    def _between(self, holder: str, asking: str, record_type: str) -> list[CompiledPolicy]:
        """Give the policies of both sides that stand in one book only, or otherwise in the other."""
        found: list[CompiledPolicy] = []
        if not (self._old.book.knows(record_type) and self._new.book.knows(record_type)):
            return found
        sides = (
            [book.holder_slice(holder, record_type) for book in (self._old.book, self._new.book)],
            [book.egress_slice(asking, record_type) for book in (self._old.book, self._new.book)],
        )
        for one, other in sides:
            if one is other:
                continue
            before, after = ({} if side is None else side.policies for side in (one, other))
            for name in {**before, **after}:
                pair = before.get(name), after.get(name)
                if pair[0] is not pair[1] and pair[0] != pair[1]:
                    found += (policy for policy in pair if policy is not None)
        return found


def _count(agencies: dict[str, Tally], batch: Iterable[Snapshot]) -> None:
    for snapshot in batch:
        agencies.setdefault(snapshot.question.asking.code, Tally()).replayed += 1


def _batches(snapshots: Iterable[Snapshot]) -> Iterator[list[Snapshot]]:
    """Put together what follows each other about one holder, asking agency and record type."""
    batch: list[Snapshot] = []
    for snapshot in islice(snapshots, None):
        if batch and (len(batch) >= BATCH or _place(batch[0].question) != _place(snapshot.question)):
            yield batch
            batch = []
        batch.append(snapshot)
    if batch:
        yield batch


def _place(question: Question) -> tuple[str, str, str]:
    return question.holder.code, question.asking.code, question.record_type
