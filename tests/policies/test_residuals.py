"""The translation of single residuals, also in forms that this release of Cedar does not write."""

import pytest

from policies.cedar import Residual
from policies.reference import PolicyRef
from policies.residuals import Known, read_residual
from policies.rows import FALSE, TRUE, Compare, Contains, Exists, Not, OneOf

REF = PolicyRef("holder", "customs-xa", "some", "00000000")
RECORD = {"unknown": [{"Value": "resource"}]}


def fact(name, below=RECORD):
    return {".": {"left": below, "attr": name}}


def value(of):
    return {"Value": of}


def entity(kind, name):
    return value({"__entity": {"type": f"IPX::{kind}", "id": name}})


def instant(text):
    return {"datetime": [value(text)]}


def later(moment, duration):
    return {"offset": [moment, {"duration": [value(duration)]}]}


def sides(operator, left, right):
    return {operator: {"left": left, "right": right}}


@pytest.fixture
def translate(world):
    known = Known("IPX::Detention", "customs-xa-detentions", world.agencies["customs-xa"], None)

    def translate(condition, effect="permit"):
        reading = read_residual(REF, Residual(effect, condition), known)
        return None if reading.is_widened else reading.where

    return translate


@pytest.mark.parametrize(
    ("condition", "node"),
    [
        (value(of=True), TRUE),
        (value(of=False), FALSE),
        (fact("sealed"), Compare("eq", "sealed", value=True)),
        (sides("==", entity("Stage", "seized"), fact("stage")), Compare("eq", "stage", "seized")),
        (sides("!=", fact("stage"), entity("Stage", "seized")), Not(Compare("eq", "stage", "seized"))),
        (sides("==", entity("Stage", "seized"), entity("Stage", "seized")), TRUE),
        (sides("==", entity("Stage", "seized"), entity("Status", "seized")), FALSE),
        (sides("==", value("x"), value(of=True)), FALSE),
        (sides("==", fact("holder"), entity("Agency", "customs-xa")), TRUE),
        (sides("==", fact("kind", fact("holder")), entity("AgencyKind", "court")), FALSE),
        (fact("suspended", fact("holder")), FALSE),
        (sides("contains", fact("jurisdictions", fact("holder")), entity("Jurisdiction", "XA")), TRUE),
        (sides("<", instant("2026-01-01"), instant("2026-01-02")), TRUE),
        (sides(">=", instant("2026-01-01T00:00:00Z"), instant("2026-01-01T01:00:00+0100")), TRUE),
        (
            sides("<", fact("happened_on"), instant("2026-01-01")),
            Compare("lt", "happened_on", "2026-01-01T00:00:00.000Z"),
        ),
        (
            sides("<=", instant("2026-01-01"), fact("happened_on")),
            Compare("ge", "happened_on", "2026-01-01T00:00:00.000Z"),
        ),
        (
            sides(">", fact("happened_on"), later(instant("2026-01-01"), "1d2h3m4s5ms")),
            Compare("gt", "happened_on", "2026-01-02T02:03:04.005Z"),
        ),
        (
            sides(">", fact("happened_on"), later(instant("2026-01-02"), "-1d")),
            Compare("gt", "happened_on", "2026-01-01T00:00:00.000Z"),
        ),
        (
            sides("==", fact("happened_on"), instant("2026-01-01")),
            Compare("eq", "happened_on", "2026-01-01T00:00:00.000Z"),
        ),
        (sides("contains", value(["a", "b"]), fact("status")), OneOf("status", ("a", "b"))),
        (sides("contains", {"Set": [value("b"), value("a")]}, fact("status")), OneOf("status", ("a", "b"))),
        (sides("contains", value([]), fact("status")), FALSE),
        (sides("contains", value(["a"]), value("a")), TRUE),
        (sides("containsAny", fact("right_keys"), value([])), FALSE),
        (sides("containsAll", fact("right_keys"), value([])), TRUE),
        (sides("containsAll", fact("right_keys"), value(["a"])), Contains("right_keys", "a")),
        (sides("containsAny", value(["a"]), fact("right_keys")), Contains("right_keys", "a")),
        ({"isEmpty": {"arg": fact("right_keys")}}, Not(Exists("right_keys"))),
        ({"isEmpty": {"arg": value([])}}, TRUE),
        ({"has": {"left": RECORD, "attr": "happened_on"}}, Exists("happened_on")),
        ({"has": {"left": RECORD, "attr": ["happened_on"]}}, Exists("happened_on")),
        ({"is": {"left": RECORD, "entity_type": "IPX::Detention"}}, TRUE),
        ({"is": {"left": RECORD, "entity_type": "IPX::Trademark", "in": entity("Agency", "customs-xa")}}, FALSE),
        ({"is": {"left": RECORD, "entity_type": "IPX::Detention", "in": entity("Agency", "customs-xa")}}, TRUE),
        ({"is": {"left": RECORD, "entity_type": "IPX::Detention", "in": entity("Source", "elsewhere")}}, FALSE),
        (sides("in", {"unknown": [value("action")]}, entity("Action", "release")), TRUE),
    ],
)
def test_what_has_a_node_is_translated_exactly(translate, condition, node):
    assert translate(condition) == node


@pytest.mark.parametrize(
    "condition",
    [
        value("text"),
        value(7),
        {"like": {"left": fact("status"), "pattern": ["Wildcard"]}},
        {"Record": {}},
        fact("name", fact("holder")),
        fact("name", fact("status")),
        sides("==", fact("stage"), fact("status")),
        sides("==", fact("status"), value("")),
        sides("==", fact("right_keys"), value(["a"])),
        sides("<", fact("status"), value("a")),
        sides("<", value("a"), value("b")),
        sides("<", fact("happened_on"), instant("yesterday")),
        sides("<", fact("happened_on"), later(instant("2026-01-01"), "soon")),
        sides("<", fact("happened_on"), later(instant("2026-01-01"), "9999999999999d")),
        sides("<", fact("happened_on"), later(value("x"), "1d")),
        sides("<", fact("happened_on"), {"toDate": [fact("happened_on")]}),
        sides("contains", fact("right_keys"), fact("status")),
        sides("contains", value([[["a"]]]), fact("status")),
        {"isEmpty": {"arg": value("a")}},
        {"has": {"left": fact("holder"), "attr": "kind"}},
        {"has": {"left": RECORD, "attr": ["holder", "kind"]}},
        sides("in", fact("holder"), entity("Agency", "customs-xa")),
        sides("in", RECORD, entity("Detention", "digest")),
        sides("in", RECORD, value("a")),
        {"is": {"left": fact("holder"), "entity_type": "IPX::Agency"}},
        {"shortOf": [value(of=True)]},
    ],
)
def test_what_has_no_node_is_widened(translate, condition):
    assert translate(condition) is None
    assert translate(condition, "forbid") is None
    assert translate({"!": {"arg": condition}}) is None
