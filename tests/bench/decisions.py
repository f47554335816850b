"""How long a decision takes: the demo's question to the shipped policies, and to 10,000 policies of 200 holders."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Found, RecordKey
from connectors.source_file import read_source
from connectors.sources import open_source
from gateway.clock import utc_now
from gateway.demo import turns
from gateway.demo.turns import Turn
from gateway.demo.world import AGENCIES, World, build
from gateway.records.facts import PartyKeys, facts
from gateway.records.policy_catalogue import policy_catalogue
from gateway.records.record import make_record
from gateway.records.record_ids import record_id
from gateway.wiring import mapping_tools
from policies.bundle_files import default_egress, load
from policies.engine import (
    Agency,
    Client,
    Denial,
    PolicyBook,
    PolicyRef,
    PolicyText,
    Question,
    Record,
    Release,
    compile_book,
    decide,
    decide_early,
    explain,
    revision_of,
)
from tests.bench import figures, governed
from tests.bench.answers import Faults
from tests.bench.figures import say

HOLDERS, POLICIES_EACH = 200, 50
TEMPLATES = ("ipo-xa", "customs-xa")
"""Whose shipped policies the many holders' are copied from."""


@dataclass(frozen=True, slots=True)
class Size:
    questions: int
    many: bool
    """Ten thousand policies too: they take some seconds to compile."""
    exchanges: int = governed.EXCHANGES
    """To be replayed."""


def measure(folder: Path, size: Size, faults: Faults) -> None:
    world = build(folder / "policy-world")
    turn = turns.MARK_AT_THE_BORDER
    question = _question(turn, _facts(world, turn))
    own = [*load(), *(default_egress(agency.code, agency.purposes) for agency in AGENCIES)]
    started = perf_counter()
    book = compile_book(policy_catalogue(), own, ())
    compiled = (perf_counter() - started) * 1000
    figures.heading(f"policies: {turn.client} asks for {turn.record_type} {turn.key}; {len(own)} shipped policies")
    figures.milliseconds("compile-book", compiled)
    _decide(book, question, "", size, faults)
    if size.many:
        say("compiling 10,000 policies")
        texts = many_texts()
        started = perf_counter()
        # As a gateway starts: its revisions were found valid when they were stored.
        book = compile_book(policy_catalogue(), texts, (), validated=frozenset(texts))
        compiled = (perf_counter() - started) * 1000
        figures.heading(
            f"the same question among {len(texts)} policies of {HOLDERS} more holders "
            "(targets: cold start 8 s, decision 4 ms, p95 6 ms, explain 25 ms)"
        )
        figures.milliseconds("compile-book-10000", compiled)
        asked = replace(
            question, holder=replace(question.holder, code="holder-001"), record=_of("holder-001", question)
        )
        started = perf_counter()
        decide(book, asked)
        figures.milliseconds("first-decision-of-a-holder-10000", (perf_counter() - started) * 1000)
        _decide(book, question, "-10000", size, faults)
        governed.measure(book, texts, question, size.exchanges, faults)


def _decide(book: PolicyBook, question: Question, name: str, size: Size, faults: Faults) -> None:
    if not isinstance(decide(book, question), Release) or isinstance(decide_early(book, question), Denial):
        faults.add("policy: the question of the demo's first act is not decided as the story needs it")
    whole, early = [], []
    for _ in range(size.questions):
        started = perf_counter()
        decide(book, question)
        between = perf_counter()
        decide_early(book, question)
        whole.append((between - started) * 1e6)
        early.append((perf_counter() - between) * 1e6)
    figures.microseconds(f"decide{name}", median(whole))
    figures.microseconds(f"decide{name}-p95", figures.percentile(whole, 95))
    figures.microseconds(f"decide-early{name}", median(early))
    started = perf_counter()
    for _ in range(10):
        explain(book, question, "auditor")
    figures.milliseconds(f"explain{name}", (perf_counter() - started) * 100)
    say(f"policy{name or ''} done")


def many_texts() -> list[PolicyText]:
    """Give the shipped policies, the demo agencies' egress policies, and 10,000 of 200 more holders."""
    return [*load(), *(default_egress(agency.code, agency.purposes) for agency in AGENCIES), *_many()]


def _many() -> Iterator[PolicyText]:
    """Copy the shipped holder policies for many holders, each with an id and a condition of its own, fifty to one."""
    shipped = [text for text in load() if text.ref.tier == "holder" and text.ref.owner in TEMPLATES]
    for number in range(HOLDERS):
        holder = f"holder-{number:03}"
        for copy in range(POLICIES_EACH):
            text = shipped[copy % len(shipped)]
            policy_id = f"{text.ref.policy_id}-{copy}"
            cedar = text.cedar.replace(f'@id("{text.ref.policy_id}")', f'@id("{policy_id}")')
            cedar = cedar.replace("when {", f'when {{ context.legal_basis != "{holder}-{copy}" &&', 1)
            yield PolicyText(PolicyRef("holder", holder, policy_id, revision_of(cedar)), cedar)


def _facts(world: World, turn: Turn):
    """Read the record as the gateway does, down to the facts that policies see."""
    for path in world.sources:
        file = read_source(path.read_text("utf-8"))
        if (file.holder, file.record_type) == (turn.holder, turn.record_type):
            break
    variables = {"IPX_SOURCES": str(world.sources_root)}
    source = open_source(file, secrets=world.secrets, variables=variables, tools=mapping_tools())
    try:
        found = source.connector.fetch(RecordKey(turn.key), Deadline.within(10))
        assert isinstance(found, Found), found
        mapped = source.apply(found)
        assert isinstance(mapped, Mapped), mapped
    finally:
        source.close()
    record = make_record(
        record_id(turn.holder, turn.record_type, turn.key),
        mapped.fields,
        source=file.name,
        source_ref=mapped.source_ref,
        jurisdiction="XA",
        revision="1",
        as_of=utc_now(),
        recorded_at=utc_now(),
        sealed_by="gateway",
    )
    return facts(record, on=utc_now().date(), party_keys=PartyKeys(b"x" * 32))


def _question(turn: Turn, known) -> Question:
    return Question(
        client=Client(turn.client, frozenset(), 2, suspended=False),
        asking=_agency(turn.client.partition(".")[0]),
        supplier=None,
        holder=_agency(turn.holder),
        source=f"{turn.holder}-trademarks",
        record_type=turn.record_type,
        record=Record("0" * 64, known),
        groups=frozenset(turn.groups),
        purpose=turn.purpose,
        legal_basis=turn.legal_basis,
        mode="single",
        now=utc_now().replace(microsecond=0),
        approvals=frozenset(),
        case_reference=None,
        representing=None,
        delegation=None,
    )


def _of(holder: str, question: Question) -> Record:
    assert question.record is not None
    return replace(question.record, facts={**question.record.facts, "holder": holder})


def _agency(code: str) -> Agency:
    known = next(agency for agency in AGENCIES if agency.code == code)
    return Agency(known.code, known.kind, frozenset(known.jurisdictions), suspended=False)
