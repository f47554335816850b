"""The safety rules 1, 3 and 4, each at least one test: what is outside schema, catalogue and registers is denied."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from policies import cedar, documents
from policies.decision import OUTSIDE_CATALOGUE
from policies.engine import Agency, Denial, Release, decide, decide_early, obtainable
from policies.schema import cedar_schema
from tests.policies.asking import BASIS, border, refusal

# 1 everything against the schema


@pytest.mark.parametrize(
    "fact",
    [
        "holder",
        "jurisdiction",
        "status",
        "stage",
        "sealed",
        "unpublished",
        "deferred",
        "notified",
        "under_appeal",
        "final",
        "consent_all",
        "right_keys",
        "case_numbers",
        "parties",
    ],
)
@pytest.mark.parametrize("record_type", ["trademark", "customs_recordal", "detention", "court_case", "admin_case"])
def test_a_record_that_lacks_any_required_fact_is_denied(shipped, world, record_type, fact):
    holder = {"trademark": "ipo-xa", "court_case": "court-xa", "admin_case": "regulator-xa"}.get(
        record_type, "customs-xa"
    )
    asked = world.question("customs-xa", holder, record_type, "border_enforcement")
    facts = {name: value for name, value in asked.record.facts.items() if name != fact}

    decision = decide(shipped, replace(asked, record=replace(asked.record, facts=facts)))

    assert refusal(decision) == ("error", OUTSIDE_CATALOGUE)


def test_the_optional_fact_may_be_absent_or_present(shipped, world):
    with_date = border(world, facts={"happened_on": world.now})

    assert isinstance(decide(shipped, border(world)), Release)
    assert isinstance(decide(shipped, with_date), Release)


@pytest.mark.parametrize(
    "facts",
    [
        {"colour": "red"},
        {"stage": "lost"},
        {"jurisdiction": "ZZ"},
        {"sealed": "no"},
        {"sealed": 0},
        {"right_keys": "EM|trademark|1"},
        {"right_keys": frozenset({1})},
        {"happened_on": "2026-11-25"},
        {"happened_on": datetime(2026, 11, 25)},  # noqa: DTZ001 -- the flaw under test
        {"holder": "ipo-xb"},
        {"holder": "nobody"},
    ],
    ids=str,
)
def test_a_fact_outside_the_schema_denies(shipped, world, facts):
    assert refusal(decide(shipped, border(world, facts=facts))) == ("error", OUTSIDE_CATALOGUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "marketing"},
        {"mode": "stream"},
        {"approvals": frozenset({"everything"})},
        {"record_type": "spaceship"},
        {"groups": frozenset({"trademark.secret"})},
        {"groups": frozenset({"release"})},
        {"groups": frozenset({"detention.goods"})},
        {"record": None},
        {"source": ""},
        {"legal_basis": "\ud800"},
        {"asking": Agency("customs-xa", "navy", frozenset(), suspended=False)},
        {"asking": Agency("customs xa", "customs", frozenset(), suspended=False)},
        {"asking": Agency('x"', "customs", frozenset(), suspended=False)},
    ],
    ids=str,
)
def test_a_question_outside_the_catalogue_is_denied_and_raises_nothing(shipped, world, changes):
    asked = replace(border(world), **changes)

    decision = decide(shipped, asked)

    assert refusal(decision) == ("error", OUTSIDE_CATALOGUE)
    assert not decision.may_acknowledge
    assert obtainable(shipped, asked, decision) is decision
    if asked.record is not None:
        assert refusal(decide_early(shipped, asked)) == ("error", OUTSIDE_CATALOGUE)


def test_entities_are_never_read_without_the_schema(world):
    schema = cedar.read_schema(cedar_schema(world.catalogue))
    found = documents.entities(world.catalogue, border(world))
    del found[-1]["attrs"]["sealed"]

    with pytest.raises(cedar.CedarRefusedError):
        cedar.known_entities(json.dumps(found), schema)


def test_a_forbid_over_a_class_of_groups_is_never_skipped(world):
    text = 'forbid (principal, action in IPX::Action::"class.public", resource is IPX::Trademark);'
    book = world.book(world.policy("holder", "ipo-xa", "no-public", text, '@reason("closed")'))

    decision = decide(book, border(world))

    assert refusal(decision) == ("holder", "closed")


@pytest.mark.parametrize(("action", "context"), [("release", "{}"), ("detention.goods", None), ("unheard.of", None)])
def test_one_request_the_schema_refuses_stops_the_whole_batch(shipped, world, action, context):
    asked = border(world)
    known = cedar.known_entities(json.dumps(documents.entities(world.catalogue, asked)), shipped.schema)
    rules = shipped.holder_slice("ipo-xa", "trademark").rules
    fine = json.dumps(documents.context(world.catalogue, asked))
    requests = [
        cedar.request(documents.client_uid(asked), name, documents.record_uid(asked), given)
        for name, given in [("release", fine), (action, context or fine)]
    ]

    with pytest.raises(cedar.CedarRefusedError):
        cedar.ask(requests, rules, known, shipped.schema)


# 3 nobody and nothing are not asked about


@pytest.mark.parametrize("missing", ["IPX::Client", "IPX::Agency", "IPX::Source", "IPX::Trademark"])
def test_an_entity_that_is_missing_denies_even_under_an_unconditional_permit(world, missing, monkeypatch):
    anything = world.permit(["trademark.biblio"], "Trademark")
    book = world.book(world.policy("holder", "ipo-xa", "anything", anything, BASIS), without=["gateway"])
    complete = documents.entities

    monkeypatch.setattr(
        "policies.hearing.entities",
        lambda *given: [one for one in complete(*given) if one["uid"]["type"] != missing],
    )

    assert refusal(decide(book, border(world))) == ("error", OUTSIDE_CATALOGUE)


def test_a_record_of_another_holder_is_not_taken_for_ones_own(shipped, world):
    asked = replace(border(world), record=world.record("ipo-xb", "trademark"))

    assert refusal(decide(shipped, asked)) == ("error", OUTSIDE_CATALOGUE)


def test_one_agency_cannot_be_two(shipped, world):
    asked = world.question("ipo-xa", "ipo-xa", "trademark", "examination")
    two_faced = replace(asked, asking=replace(asked.asking, suspended=True))

    assert refusal(decide(shipped, two_faced)) == ("error", OUTSIDE_CATALOGUE)


# 4 facts come from registers: the request's own words decide nothing


def test_the_legal_basis_a_requester_writes_opens_nothing(shipped, world):
    asked = world.question("regulator-xa", "customs-xa", "detention", "statistics", legal_basis="19 CFR 133.25(b)")

    assert isinstance(decide(shipped, asked), Denial)
