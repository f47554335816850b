"""The surface of the catalogue: what must hold for every record type, those of today and those that come."""

import re
import tomllib
from importlib import resources

import pytest

from gateway.agencies.models import AGENCY_KINDS
from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code, code_table, table_names
from gateway.records.declarations import CLEAR
from gateway.records.policy_catalogue import FACTS, policy_catalogue
from gateway.records.reasons import IdentifierError
from policies.cards import labels
from policies.schema import cedar_schema

TYPES = sorted(CATALOGUE.types)
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

CLASS_OF = {
    "trademark": "biblio pub, status pub, mark pub, goods pub, priority pub, examination conf, owner pub,"
    " owner.contact off+p, representative pub, extensions conf",
    "customs_recordal": "public pub, biblio pub, licensees off, contact off+p, supply_chain off, recognition off,"
    " undertakings off, risk conf, secret conf, extensions conf",
    "detention": "core off, goods off, classification off, value conf, markings conf, manufacturer conf+p,"
    " exporter conf+p, importer conf+p, declarant conf+p, transport conf, samples conf, owner_response off,"
    " outcome off, referral conf, officer conf+p, extensions conf",
    "court_case": "docket pub, parties pub, individuals off+p, counsel pub+p, relief pub, damages pub, outcome pub,"
    " compliance off, judgment_public pub, judgment_public_unmasked off+p, judgment_party conf, judgment_full seal,"
    " sealed_items seal, extensions conf",
    "settlement": "existence off, consent off, parties conf, individuals conf+p, undertakings conf, breach conf,"
    " terms seal, extensions conf",
    "admin_case": "decision pub, respondents pub, individuals conf+p, goods off, repeat off, review off,"
    " measures conf, transfer conf, evidence conf, complainant conf+p, extensions conf",
}
"""Groups and classes of the types that the shipped policies name, written out a second time on purpose."""


def test_the_sixteen_types_of_the_catalogue_are_there():
    wanted = (
        "trademark patent design copyright_registration geographical_indication plant_variety party ownership_event"
        " opposition customs_recordal detention admin_case court_case settlement referral attestation"
    )
    assert set(TYPES) == set(wanted.split())


@pytest.mark.parametrize("name", TYPES)
def test_every_field_of_the_schema_is_in_exactly_one_group(name):
    known = CATALOGUE.types[name]
    schema = known.schema

    assert schema.fields.keys() == known.fields.keys()
    assert {field: declared.metadata["group"] for field, declared in schema.fields.items()} == dict(known.fields)
    assert set(known.fields.values()) == set(known.groups), "a group without fields"


@pytest.mark.parametrize("name", TYPES)
def test_every_group_belongs_to_its_type_or_to_the_envelope(name):
    groups = CATALOGUE.types[name].groups

    assert all(group.startswith((f"{name}.", "record.")) for group in groups)
    assert {group for group in groups if group.startswith("record.")} == {
        "record.provenance",
        "record.links",
        "record.retention",
    }


def test_a_group_has_one_class_and_one_personal_mark_wherever_it_stands():
    seen = {}
    for known in CATALOGUE.types.values():
        for name, group in known.groups.items():
            assert seen.setdefault(name, group) == group


@pytest.mark.parametrize("name", TYPES)
def test_names_are_snake_case_and_none_is_a_clear_claim(name):
    known = CATALOGUE.types[name]

    assert all(SNAKE.fullmatch(field) for field in known.fields)
    assert not CLEAR & known.fields.keys()
    assert all(SNAKE.fullmatch(part) for group in known.groups for part in group.split("."))


@pytest.mark.parametrize("name", TYPES)
def test_a_coded_field_keeps_its_source_text_in_the_same_group(name):
    known = CATALOGUE.types[name]

    for field, declared in known.schema.fields.items():
        kind = str(declared.metadata["is"])
        if kind.startswith("code:") and not code_table(kind.removeprefix("code:").removesuffix("!")).is_lossless:
            assert known.fields[f"{field}_raw"] == known.fields[field]


@pytest.mark.parametrize("name", sorted(CLASS_OF))
def test_groups_have_the_classes_the_design_gives_them(name):
    words = {"pub": "public", "off": "official", "conf": "confidential", "seal": "sealed"}
    wanted = {}
    for group in CLASS_OF[name].split(", "):
        short, marks = group.split()
        wanted[f"{name}.{short}"] = (words[marks.removesuffix("+p")], marks.endswith("+p"))
    own = {group: about for group, about in CATALOGUE.types[name].groups.items() if group.startswith(name)}

    assert {group: (about.classification, about.personal) for group, about in own.items()} == wanted


def test_detention_goods_holds_the_five_facts_of_the_regulation_and_nothing_else():
    detention = CATALOGUE.types["detention"]

    assert detention.fields_of("detention.goods") == ("importation_date", "port_of_entry", "goods")
    assert detention.groups["detention.goods"].law == "19 CFR 133.25(b)"


def test_elements_of_st96_are_kept_with_the_fields():
    fields = CATALOGUE.types["trademark"].schema.fields

    assert fields["registration_date"].metadata["st96"] == "RegistrationDate"
    assert fields["goods_services"].metadata["st96"] == "GoodsServicesBag"


def test_policies_get_every_type_and_group_and_exactly_the_facts():
    catalogue = policy_catalogue()

    assert {known.name for known in catalogue.record_types} == set(TYPES)
    assert (
        sum(len({g.name for g in known.groups if not g.name.startswith("record.")}) for known in catalogue.record_types)
        == 148
    )
    assert [fact.name for fact in FACTS if fact.is_optional] == ["happened_on"]
    assert catalogue.enums["AgencyKind"] == AGENCY_KINDS
    assert '"detention.importer"' in cedar_schema(catalogue)


def test_jurisdictions_can_be_limited_to_those_of_a_deployment():
    assert policy_catalogue(jurisdictions=["XA", "XB"]).enums["Jurisdiction"] == ("XA", "XB")


@pytest.mark.parametrize("name", table_names())
def test_every_code_table_loads_and_knows_its_own_words(name):
    table = code_table(name)

    assert table.version
    assert table.source
    for word in table.words:
        if table.into is None:
            assert code(name, word) == word
        else:
            assert word in code_table(table.into).words


def test_every_table_a_readme_promises_is_there():
    readme = resources.files("gateway.records.codes").joinpath("README.md").read_text(encoding="utf-8")
    promised = {
        name
        for row in re.findall(r"^\| (`[^|]*) \|", readme, re.MULTILINE)
        for name in re.findall(r"`([a-z0-9-]+)`", row)
    }

    assert promised <= set(table_names())
    assert len(promised) > 20


def test_words_of_readme_lists_are_those_of_the_tables():
    readme = resources.files("gateway.records.codes").joinpath("README.md").read_text(encoding="utf-8")
    for name, words in re.findall(r"^\| `([a-z-]+)` \| `([a-z_ ]+)` \|$", readme, re.MULTILINE):
        assert set(words.split()) == set(code_table(name).words), name


@pytest.mark.parametrize(
    ("table", "text", "word"),
    [
        ("st3", "EM", "EM"),
        ("iso3166-numeric", "008", "AL"),
        ("iso3166-numeric", "8", "AL"),
        ("iso3166-alpha3", "CHN", "CN"),
        ("unit", "KGM", "kilogram"),
        ("unit", "件", "piece"),
        ("euipo-status", "Application opposed", "opposed"),
        ("euipo-status", "OPPOSITION_PENDING", "opposed"),
        ("euipo-feature", "Figurative", "figurative"),
        ("euipo-feature", "SHAPE_3D", "shape"),
        ("euipo-design-status", "Design lapsed", "lapsed"),
        ("tsdr-status", "800", "registered"),
        ("tsdr-feature", "TYPESET WORD(S) /LETTER(S) /NUMBER(S)", "word"),
        ("tsdr-category", "Trademark, Service Mark", "trademark_and_service_mark"),
        ("st27-event", "R14", "assignment"),
    ],
)
def test_a_code_of_an_office_becomes_a_word_of_ours(table, text, word):
    assert code(table, text) == word


def test_an_unknown_code_is_refused_and_not_repeated():
    with pytest.raises(IdentifierError, match="unknown_code") as refusal:
        code("euipo-status", "Registriert")

    assert refusal.value.reason == "unknown_code"
    assert "Registriert" not in str(refusal.value)


def test_a_table_that_is_not_there_is_a_mistake_of_the_source_file():
    with pytest.raises(LookupError):
        code("euipo-colours", "red")


def test_every_stage_of_every_status_is_a_word_policies_know():
    stages = set(code_table("stage").words)

    for name in table_names():
        document = tomllib.loads(resources.files("gateway.records.codes").joinpath(f"{name}.toml").read_text("utf-8"))
        for about in document["words"].values():
            if isinstance(about, dict) and "stage" in about:
                assert about["stage"] in stages, name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_type_and_every_group_has_words_that_people_read(language):
    words = labels(language)

    assert [name for name in CATALOGUE.types if name not in words["type"]] == []
    assert [group for known in CATALOGUE.types.values() for group in known.groups if group not in words["action"]] == []
