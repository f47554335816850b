"""A catalogue becomes a Cedar schema: every group an action under its class, every code list an enumeration."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from policies import cedar, documents
from policies.engine import is_valid
from policies.schema import Attribute, CatalogueError, FieldGroup, RecordType, cedar_schema, entity_type


def test_the_same_catalogue_always_gives_the_same_text_and_cedar_reads_it(world):
    text = cedar_schema(world.catalogue)

    assert text == cedar_schema(world.catalogue)
    cedar.read_schema(text)


def test_a_group_stands_below_its_class_and_below_personal_if_it_is(world):
    text = cedar_schema(world.catalogue)

    lines = [line.strip() for line in text.splitlines()]
    assert 'action "trademark.owner.contact" in ["class.official", "class.personal"]' in lines
    assert 'action "court_case.judgment_full", "court_case.sealed_items" in ["class.sealed"]' in lines


def test_groups_of_the_envelope_apply_to_every_type_that_has_them(world):
    text = cedar_schema(world.catalogue)

    about = 'permit (principal, action == IPX::Action::"record.links", resource is IPX::{}) when {{ resource.sealed }};'
    assert is_valid(about.format("Trademark"), text)
    assert is_valid(about.format("CourtCase"), text)


def test_a_group_of_another_type_does_not_apply(world):
    policy = 'permit (principal, action == IPX::Action::"trademark.goods", resource is IPX::Detention);'

    assert not is_valid(policy, cedar_schema(world.catalogue))


@pytest.mark.parametrize(
    "condition",
    [
        'context.purpose == IPX::Purpose::"border_enforcment"',
        'resource.stage == IPX::Stage::"seised"',
        'context.approvals.contains(IPX::Approval::"anything")',
        "context.case_reference.verified",
        "resource.happened_on < context.now",
        "resource.colour",
        'resource.sealed == "true"',
    ],
)
def test_typos_unguarded_options_and_wrong_types_are_invalid(world, condition):
    policy = f"permit (principal, action, resource is IPX::Detention) when {{ {condition} }};"

    assert not is_valid(policy, cedar_schema(world.catalogue))


@pytest.mark.parametrize(
    ("name", "cedar_name"), [("trademark", "Trademark"), ("court_case", "CourtCase"), ("admin_case", "AdminCase")]
)
def test_a_record_type_has_an_entity_type(name, cedar_name):
    assert entity_type(name) == cedar_name


def group(name, classification="public"):
    return FieldGroup(name, classification, is_personal=False)


def test_a_group_with_two_classes_makes_no_schema(world):
    types = (
        RecordType("patent", (group("record.note"),)),
        RecordType("design", (group("record.note", "official"),)),
    )

    with pytest.raises(CatalogueError, match=r"record\.note has two classes"):
        cedar_schema(replace(world.catalogue, record_types=types))


@pytest.mark.parametrize(
    "types",
    [
        (),
        (RecordType("patent", ()),),
        (RecordType("patent", (group("patent.biblio"), group("patent.biblio"))),),
        (RecordType("patent", (group("biblio"),)),),
        (RecordType("patent", (group("patent.bib lio"),)),),
        (RecordType("patent", (group('patent.x"'),)),),
        (RecordType("patent", (group("class.public"),)),),
        (RecordType("patent", (group("patent.biblio", "secret"),)),),
        (RecordType("Patent", (group("patent.biblio"),)),),
        (RecordType("client", (group("client.name"),)),),
        (RecordType("stage", (group("stage.name"),)),),
        (RecordType("patent", (group("patent.a"),)), RecordType("patent", (group("patent.b"),))),
    ],
)
def test_malformed_doubled_and_taken_names_make_no_schema(world, types):
    with pytest.raises(CatalogueError):
        cedar_schema(replace(world.catalogue, record_types=types))


@pytest.mark.parametrize(
    "enums",
    [
        {"Purpose": ()},
        {"Purpose": ("a", "a")},
        {"Purpose": ('a"',)},
        {"purpose": ("a",)},
        {"Client": ("a",)},
    ],
)
def test_code_lists_that_cedar_cannot_take_make_no_schema(world, enums):
    with pytest.raises(CatalogueError):
        cedar_schema(replace(world.catalogue, enums={**world.catalogue.enums, **enums}))


def test_a_missing_code_list_makes_no_schema_and_is_named(world):
    enums = {name: values for name, values in world.catalogue.enums.items() if name != "Mode"}

    with pytest.raises(CatalogueError, match="Mode"):
        cedar_schema(replace(world.catalogue, enums=enums))


@pytest.mark.parametrize(
    "facts",
    [
        (Attribute("x", "Text", is_optional=False),),
        (Attribute("x", "Set<Text>", is_optional=False),),
        (Attribute("x", "Bool", is_optional=False), Attribute("x", "Bool", is_optional=False)),
        (Attribute("X", "Bool", is_optional=False),),
    ],
)
def test_facts_of_unknown_kind_or_doubled_make_no_schema(world, facts):
    with pytest.raises(CatalogueError):
        cedar_schema(replace(world.catalogue, facts=facts))


def test_documents_are_what_cedar_reads(world):
    asked = world.question(
        "court-xa",
        "customs-xa",
        "detention",
        "court_proceeding",
        case_reference=world.case(),
        representing=world.owner("k1"),
        facts={"happened_on": world.now, "parties": frozenset({"p1"})},
    )

    entities, context = documents.documents(world.catalogue, asked)

    known = cedar.known_entities(entities, cedar.read_schema(cedar_schema(world.catalogue)))
    assert len(json.loads(entities)) == 5
    assert len(known) >= 5
    assert json.loads(context)["now"] == {"__extn": {"fn": "datetime", "arg": "2026-11-25T08:00:00.000Z"}}


def test_a_unit_stands_between_a_client_and_its_agency(world):
    asked = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")
    in_unit = replace(asked, client=replace(asked.client, units=frozenset({"customs-xa.north"})))
    text = 'permit (principal in IPX::Unit::"customs-xa.north", action, resource is IPX::Trademark);'
    book = world.book(world.policy("holder", "ipo-xa", "north", text, '@legal_basis("a law")'))

    from policies.engine import decide  # noqa: PLC0415 -- one use

    assert "trademark.examination" in decide(book, in_unit).disclosed
    assert "trademark.examination" not in decide(book, asked).disclosed


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 25, 8, 0, tzinfo=UTC), "2026-11-25T08:00:00.000Z"),
        (datetime(2026, 11, 25, 8, 0, 1, 999_999, tzinfo=UTC), "2026-11-25T08:00:01.999Z"),
        (datetime(2026, 11, 25, 8, 0, tzinfo=timezone(timedelta(hours=8))), "2026-11-25T00:00:00.000Z"),
    ],
)
def test_instants_are_utc_with_three_decimals_and_z(moment, text):
    assert documents.instant_text(moment) == text


def test_an_instant_without_zone_is_refused():
    with pytest.raises(documents.OutsideCatalogueError):
        documents.instant_text(datetime(2026, 11, 25))  # noqa: DTZ001 -- the flaw under test
