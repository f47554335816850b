"""The story's requests, put to the real policies with the facts of the demo world's records: no server, no network."""

from datetime import UTC, datetime

import pytest

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Absent, Found, RecordKey
from connectors.source_file import read_source
from connectors.sources import open_source
from connectors.tools import MappingTools
from gateway.demo import turns
from gateway.demo.world import AGENCIES, build
from gateway.records.codes import code
from gateway.records.facts import PartyKeys, facts
from gateway.records.identifiers import canonical
from gateway.records.policy_catalogue import policy_catalogue
from gateway.records.record import make_record
from gateway.records.record_ids import record_id
from policies.bundle_files import default_egress, load
from policies.engine import (
    Agency,
    CaseReference,
    Client,
    Denial,
    Question,
    Record,
    Release,
    Representation,
    compile_book,
    decide,
    decide_early,
)

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
CASE = CaseReference(turns.ACTIVE_CASE, "XA", active=True, verified=True, defendants=frozenset())


@pytest.fixture(scope="module")
def book():
    own = [default_egress(agency.code, agency.purposes) for agency in AGENCIES]
    return compile_book(policy_catalogue(), [*load(), *own], ())


@pytest.fixture(scope="module")
def facts_of(tmp_path_factory):
    """Facts of a record of the world, by source and key; None where the source has no such record."""
    world = build(tmp_path_factory.mktemp("world"))
    files = [read_source(path.read_text(encoding="utf-8")) for path in world.sources]
    opened = {
        (file.holder, file.record_type): open_source(
            file,
            secrets=world.secrets,
            variables={"IPX_SOURCES": str(world.sources_root)},
            tools=MappingTools(canonical, code, lambda *_: []),
        )
        for file in files
    }

    def facts_of(turn):
        source = opened[turn.holder, turn.record_type]
        found = source.connector.fetch(RecordKey(turn.key), Deadline.within(10))
        if isinstance(found, Absent):
            return None
        assert isinstance(found, Found), found
        mapped = source.apply(found)
        assert isinstance(mapped, Mapped)
        record = make_record(
            record_id(turn.holder, turn.record_type, "x"),
            mapped.fields,
            source=source.file.name,
            source_ref=mapped.source_ref,
            jurisdiction="XA",
            revision="1",
            as_of=NOW,
            recorded_at=NOW,
            sealed_by="gateway",
        )
        return facts(record, on=NOW.date(), party_keys=PartyKeys(b"x" * 32))

    yield facts_of
    for source in opened.values():
        source.close()


def agency(code):
    known = next(known for known in AGENCIES if known.code == code)
    return Agency(known.code, known.kind, frozenset(known.jurisdictions), suspended=False)


def question(turn, record_facts=None, *, right_keys=()):
    return Question(
        client=Client(turn.client, frozenset(), 2, suspended=False),
        asking=agency(turn.client.partition(".")[0]),
        supplier=None,
        holder=agency(turn.holder),
        source=f"{turn.holder}-source",
        record_type=turn.record_type,
        record=Record("digest", record_facts) if record_facts else None,
        groups=frozenset(turn.groups),
        purpose=turn.purpose,
        legal_basis=turn.legal_basis,
        mode="single",
        now=NOW,
        approvals=frozenset(),
        case_reference=CASE if turn.case_ref else None,
        representing=Representation("owner", frozenset(right_keys), verified=True) if right_keys else None,
        delegation=None,
    )


def short(groups):
    return {group.rpartition(".")[2] for group in groups}


def test_customs_gets_the_mark_without_the_owners_contact(book, facts_of):
    decision = decide(book, question(turns.MARK_AT_THE_BORDER, facts_of(turns.MARK_AT_THE_BORDER)))

    assert isinstance(decision, Release)
    assert {"biblio", "status", "mark", "goods", "owner", "representative"} <= short(decision.disclosed)
    assert "trademark.owner.contact" in {row.group for row in decision.withheld}


def test_the_office_gets_contact_persons_but_no_prices(book, facts_of):
    decision = decide(book, question(turns.RECORDAL, facts_of(turns.RECORDAL)))

    assert "customs_recordal.contact" in decision.disclosed
    assert "customs_recordal.secret" not in decision.disclosed


def test_before_seizure_five_facts_go_after_it_the_traders_too(book, facts_of):
    before, after = (facts_of(turn) for turn in (turns.OWNER_BEFORE_SEIZURE, turns.OWNER_AFTER_SEIZURE))

    early = decide(book, question(turns.OWNER_BEFORE_SEIZURE, before, right_keys=before["right_keys"]))
    late = decide(book, question(turns.OWNER_AFTER_SEIZURE, after, right_keys=after["right_keys"]))

    assert early.disclosed == {"detention.goods"}
    assert late.disclosed == {f"detention.{group}" for group in ("goods", "manufacturer", "exporter", "importer")}


def test_a_group_that_nobody_gives_is_denied_before_the_holder_is_called(book):
    decision = decide_early(book, question(turns.CONTACT_ABROAD))

    assert isinstance(decision, Denial)
    assert decision.may_acknowledge


def test_the_foreign_office_is_called_for_what_it_would_release(book):
    assert not isinstance(decide_early(book, question(turns.MARK_ABROAD)), Denial)


def test_a_court_gets_a_detention_for_the_case_that_cites_it_only(book, facts_of):
    known = facts_of(turns.DETENTION_FOR_CASE)

    without = decide_early(book, question(turns.DETENTION_WITHOUT_CASE))
    cited = decide(book, question(turns.DETENTION_FOR_CASE, known))

    assert isinstance(without, Denial)
    assert cited.disclosed == {"detention.core", "detention.goods", "detention.importer"}


def test_a_public_case_is_released_a_sealed_one_not_even_acknowledged(book, facts_of):
    public = decide(book, question(turns.OPEN_CASE, facts_of(turns.OPEN_CASE)))
    sealed = decide(book, question(turns.SEALED_CASE, facts_of(turns.SEALED_CASE)))

    assert isinstance(public, Release)
    assert isinstance(sealed, Denial)
    assert not sealed.may_acknowledge


def test_the_case_that_does_not_exist_does_not_exist(facts_of):
    assert facts_of(turns.NO_SUCH_CASE) is None


def test_every_purpose_of_the_story_is_registered_for_its_agency():
    told = [turn for turn in vars(turns).values() if isinstance(turn, turns.Turn)]

    for turn in told:
        known = next(agency for agency in AGENCIES if turn.client.startswith(f"{agency.code}."))
        assert turn.purpose in known.purposes
