"""What changes of policies cost among 10,000 policies of 200 holders: start, reload, replay, difference, memory.

No two policies and no two records are the same, so that nothing is measured that only copies would share.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from gateway.records.policy_catalogue import policy_catalogue
from policies.diff import compare_apart
from policies.engine import PolicyBook, PolicyRef, PolicyText, Question, compile_book, revision_of
from policies.replay import replay
from policies.snapshots import Snapshot
from tests.bench import figures
from tests.bench.answers import Faults
from tests.bench.figures import say

EXCHANGES = 10_000
CHANGED = "holder-007"
_SLICE = 60
"""Policies in the slice whose difference is measured."""


def measure(book: PolicyBook, texts: list[PolicyText], question: Question, exchanges: int, faults: Faults) -> None:
    """Measure what a change costs.

    Args:
        book: compiled of `texts`.
        texts: 10,000 policies and some.
        question: one that is released.
        exchanges: how many to replay.
        faults: where wrong answers are told.
    """
    figures.heading(
        "one policy changes: of a holder; of the gateway; of the gateway, so that no two records are alike to it "
        "(targets: reload 50 ms, replay of 10,000 exchanges 20 s)"
    )
    changed = [_changed(text) if text.ref.owner == CHANGED else text for text in texts]
    for known in book.catalogue.record_types:
        book.holder_slice(CHANGED, known.name)
    times = []
    for _ in range(5):
        started = perf_counter()
        candidate = compile_book(book.catalogue, changed, (), previous=book)
        times.append((perf_counter() - started) * 1000)
    figures.milliseconds("policy-reload-holder", min(times))
    say("policy reload done")
    _replay(book, candidate, question, exchanges, "holder", faults)
    guarded = compile_book(book.catalogue, [*texts, _guardrail()], (), previous=book)
    _replay(book, guarded, question, exchanges, "all", faults)
    by_party = 'resource.parties.contains(IPX::PartyKey::"somebody")'
    guarded = compile_book(book.catalogue, [*texts, _guardrail(by_party)], (), previous=book)
    _replay(book, guarded, question, exchanges, "distinct", faults)
    del guarded
    _difference(book, faults)
    _memory()


def _replay(old: PolicyBook, new: PolicyBook, question: Question, count: int, name: str, faults: Faults) -> None:
    snapshots = list(_snapshots(question, count))
    started = perf_counter()
    report = replay(old, new, snapshots, asks_all=False)
    seconds = perf_counter() - started
    if report.replayed != count:
        faults.add(f"policy: {report.replayed} of {count} exchanges were replayed")
    figures.count(f"policy-replay-{name}-exchanges", report.replayed)
    figures.milliseconds(f"policy-replay-{name}", seconds * 1000)
    say(f"replay ({name}) done")


def _snapshots(question: Question, count: int) -> Iterator[Snapshot]:
    """Make up past exchanges: of forty holders, about records of their own, all groups."""
    drawn = random.Random(7)
    for number in range(count):
        holder = replace(question.holder, code=f"holder-{number * 40 // count:03}")
        record = question.record
        assert record is not None
        facts = {
            **record.facts,
            "holder": holder.code,
            "unpublished": drawn.random() < 0.1,
            "under_appeal": drawn.random() < 0.1,
            "stage": drawn.choice(("applied", "registered", "lapsed")),
            "parties": frozenset({f"party-{number}"}),
            "right_keys": frozenset({f"XA|trademark|{number}"}),
            "case_numbers": frozenset({f"XA-2026-{number}"}),
        }
        yield Snapshot(
            str(number),
            replace(
                question,
                holder=holder,
                source=f"{holder.code}-trademarks",
                groups=frozenset(),
                record=replace(record, digest=f"{number:064}", facts=facts),
            ),
        )


def _difference(book: PolicyBook, faults: Faults) -> None:
    """Compare two slices of sixty policies, all about one record type."""
    figures.heading(f"semantic difference of a slice of {_SLICE} policies, with its process (target: 1 s for 25 pairs)")
    shipped = next(one.cedar for ref, one in book.texts.items() if ref.policy_id == "customs-trademark-border")
    guards = [text for place, one in book.sets.items() if place[0] == "guardrail" for text in one.given]
    places = book.catalogue.enums["Jurisdiction"]
    own = [_copy(shipped, f"border-{number}", places[number]) for number in range(_SLICE - len(guards))]
    old = compile_book(book.catalogue, [*guards, *own], (), validated=frozenset([*guards, *own]))
    narrowed = _text(own[0].ref.policy_id, own[0].cedar.replace('"border_enforcement" }', '"arbitration" }'))
    new = compile_book(book.catalogue, [*guards, narrowed, *own[1:]], (), previous=old)
    started = perf_counter()
    found = compare_apart(old, new, "holder", CHANGED, {})
    seconds = perf_counter() - started
    if found.failure or not any(pair.change == "incomparable" for pair in found.pairs):
        faults.add(f"policy: the difference found nothing {found.failure}")
    figures.count("policy-difference-pairs", len(found.pairs))
    figures.milliseconds("policy-difference", seconds * 1000)
    say("difference done")


def _memory() -> None:
    """Measure a fresh process that holds 10,000 policies and has answered for each of their holders."""
    child = subprocess.run([sys.executable, "-m", "tests.bench.governed"], capture_output=True, check=True, text=True)
    empty, full = map(int, child.stdout.split())
    figures.heading("what 10,000 policies add to a worker, every record type of all holders asked (page: 104 MB)")
    figures.count("policy-memory", full - empty, "MB")


def _changed(text: PolicyText) -> PolicyText:
    if not text.ref.policy_id.endswith("-3"):
        return text
    return PolicyText(
        PolicyRef(text.ref.tier, text.ref.owner, text.ref.policy_id, revision_of(text.cedar + "// new\n")),
        text.cedar + "// new\n",
    )


def _copy(shipped: str, policy_id: str, jurisdiction: str) -> PolicyText:
    """Copy a policy for records of one jurisdiction."""
    named = shipped.replace('@id("customs-trademark-border")', f'@id("{policy_id}")')
    narrowed = f'when {{ resource.jurisdiction == IPX::Jurisdiction::"{jurisdiction}" && '
    return _text(policy_id, named.replace("when { ", narrowed))


def _text(policy_id: str, cedar: str) -> PolicyText:
    return PolicyText(PolicyRef("holder", CHANGED, policy_id, revision_of(cedar)), cedar)


def _guardrail(condition: str = "resource.under_appeal") -> PolicyText:
    cedar = f'@id("stop-final") @reason("stop")\nforbid (principal, action, resource) when {{ {condition} }};\n'
    return PolicyText(PolicyRef("guardrail", "gateway", "stop-final", revision_of(cedar)), cedar)


def _resident_megabytes() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Be the child that is weighed."""
    from tests.bench.decisions import many_texts  # noqa: PLC0415  (imports this module)

    texts, empty = many_texts(), _resident_megabytes()
    book = compile_book(policy_catalogue(), texts, (), validated=frozenset(texts))
    for holder in book.holders:
        for known in book.catalogue.record_types:
            book.holder_slice(holder, known.name)
    sys.stdout.write(f"{empty} {_resident_megabytes()}\n")


if __name__ == "__main__":
    main()
