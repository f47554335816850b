"""The page about the mapping language: its examples are run, and every word of the language stands in it."""

import json
import re

import pytest

from connectors.formats.document import Limits
from connectors.mapping import RecordMapping
from connectors.protocol import Found
from connectors.source_file import _validator, read_source
from connectors.transforms import _MAKERS
from gateway.records.validation import validate
from tests.conftest import ROOT
from tests.connectors.conftest import JUDGED_ON, source_text

PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: (entries, source, expected)
    for name, entries, source, expected in re.findall(
        r"<!-- mapping: (\w+) -->\n```yaml\n(.*?)```\n\n```\w+\n(.*?)```\n\nbecomes\n\n```json\n(.*?)```",
        PAGE,
        re.DOTALL,
    )
}
READ = {"json": "{format: json}", "xml": '{format: xml, records: "/cases/case"}'}


@pytest.mark.parametrize("name", READ)
def test_each_example_becomes_what_the_page_says(name, catalogue_tools, clock):
    entries, source, expected = EXAMPLES[name]
    indented = "".join(f"  {line}\n" for line in entries.splitlines())
    body = f"reach: {{location: /nowhere, match: '*'}}\nread: {READ[name]}\nkey: case_number\nmap:\n{indented}"
    mapping = RecordMapping(read_source(source_text(body, record_type="admin_case")), catalogue_tools, Limits())

    outcome = mapping.apply(Found(source.encode(), "", "page", None, None, clock()))

    assert json.loads(expected) == dict(outcome.fields)
    assert validate("admin_case", json.loads(expected), today=JUDGED_ON) == []


def test_every_transform_and_every_member_of_read_is_on_the_page():
    assert [name for name in _MAKERS if f"`{name}`" not in PAGE and f"`{{{name}:" not in PAGE] == []
    assert [name for name in _validator().schema["$defs"]["read"]["properties"] if f"`{name}`" not in PAGE] == []


def test_every_way_to_take_an_entry_is_on_the_page():
    entries = _validator().schema["$defs"]["entry"]["oneOf"]
    words = {word for entry in entries for word in entry.get("required", ())} - {"map"}

    assert words == {"all", "each", "one", "any", "const"}
    assert [word for word in words if f"{{{word}:" not in PAGE] == []
