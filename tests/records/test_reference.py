"""The page of record types is what the declarations say, and every type, group, field, rule and list stands in it."""

import pytest

from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import table_names
from gateway.records.dated_rules import DATED_RULES
from gateway.records.identifiers import RULES
from gateway.records.reference import reference
from gateway.records.rule_words import _WORDS, sentence
from gateway.records.rules import PLAIN_RULES
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")


def test_the_page_is_the_one_that_the_declarations_make():
    assert reference() == PAGE, "run: python -m gateway.records.reference > docs/records.md"


@pytest.mark.parametrize("name", sorted(CATALOGUE.types))
def test_every_group_and_field_of_a_type_stands_in_its_section(name):
    known = CATALOGUE.types[name]
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert [group for group in known.groups if not group.startswith("record.") and f"`{group}`" not in section] == []
    named = [field for field, group in known.fields.items() if not group.startswith("record.")]
    assert [field for field in named if f"`{field.removesuffix('_raw')}`" not in section] == []
    for element in (value.metadata["st96"] for value in known.schema.fields.values()):
        assert element is None or f"← {element}" in section


def test_every_identifier_and_code_list_has_a_line_that_says_something():
    lines = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    said = {cells[0].strip("| `"): cells[1] for cells in lines}

    assert [kind for kind in RULES if not said.get(kind, "").strip(" |")] == []
    assert [table for table in table_names() if table not in said] == []


def test_every_rule_has_words():
    assert _WORDS.keys() == PLAIN_RULES.keys() | DATED_RULES.keys()
    assert sentence("word_needs", {"field": "a", "words": ["x", "y"], "needs": "b"}) == "`a` `x` or `y` without `b`"
