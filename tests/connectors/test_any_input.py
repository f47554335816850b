"""Whatever comes in, what comes out is a value or an error of this room: nothing of a parser's own leaks."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors import strict_yaml
from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.quarantine import Quarantined
from connectors.source_file import read_source
from connectors.strict_yaml import YamlError
from connectors.transforms import pipeline

READS = {
    "xml": '{format: xml, namespaces: {t: "urn:x"}, records: "//*[t:n or n]"}',
    "json": "{format: json, records: '[] || @'}",
    "csv": "{format: csv}",
    "gb18030": "{format: csv, encoding: gb18030}",
}
ENTRIES = {
    "xml": "number: {path: 'n', required: true}\nall_of_it: {all: './/*'}",
    "json": "number: {path: n, required: true}\nrest: {each: m, map: {a: '@', b: {path: x, use: [decimal]}}}",
    "csv": "number: {path: n, required: true}\nday: {path: d, use: [{date: ['%Y%m%d']}]}",
    "gb18030": "number: {path: n, required: true}\nday: {path: d, use: [{date: ['%Y%m%d']}]}",
}
NEAR_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("nmx"), below),
    max_leaves=10,
)
NEAR_XML = st.lists(
    st.sampled_from(
        ["<a>", "</a>", "<n>", "</n>", "<a x='1'/>", "7", "&amp;", "<!--", "-->", "<![CDATA[", "]]>", "\x00", "é"]
    )
).map("".join)
BYTES = (
    st.binary(max_size=80)
    | NEAR_JSON.map(lambda value: json.dumps(value).encode())
    | NEAR_XML.map(lambda text: f"<r>{text}</r>".encode())
    | st.text(alphabet='nd,;"\r\n7é\x00', max_size=40).map(str.encode)
)


@pytest.mark.parametrize("name", list(READS))
def test_any_bytes_are_a_record_or_quarantined(mapping_of, found, name):
    mapping = mapping_of(READS[name], ENTRIES[name])

    @settings(max_examples=300, deadline=None)
    @given(BYTES)
    @example(b"n,d\n7,20260101\n")
    @example(b'{"n": "7"}')
    @example(b"<r><n>7</n></r>")
    def is_judged(raw):
        outcome = mapping.apply(found(raw))
        assert isinstance(outcome, Mapped | Quarantined)
        if isinstance(outcome, Quarantined):
            assert outcome.reasons
        else:
            json.dumps(outcome.fields, allow_nan=False).encode()

    is_judged()


@given(st.text(max_size=200))
@example("a: {b: [c, 'd")
@example("%YAML 9.9\n---\n")
@example("\ufeff")
@example("? ")
@example("!!set {a}")
def test_any_text_is_yaml_or_not_yaml(text):
    with suppress(YamlError):
        strict_yaml.load(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.sampled_from(["source", "reach", "read", "map", "key", "revised", "on_error", "pack"]), value=NEAR_JSON)
def test_any_member_of_a_source_file_is_taken_or_refused(part, value):
    whole = {
        "source": {"name": "xx", "holder": "yy", "record_type": "trademark", "schema_version": 1, "kind": "files"},
        "licence": {"name": "x", "onward": "none"},
        "freshness": {"expect": "P1D", "stale": "P1D"},
        "reach": {"location": "/x", "match": "*"},
        "read": {"format": "json"},
        "key": "number",
        "map": {"number": {"path": "n", "required": True}},
    }
    with suppress(SourceFileError):
        read_source(json.dumps(whole | {part: value}))


NAMES = st.sampled_from(
    ["trim", "date", "pad", "match", "code", "number", "decimal", "bool", "split", "join", "datetime", "first"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(use=st.lists(st.text(max_size=5) | st.dictionaries(NAMES, NEAR_JSON, min_size=1, max_size=1), max_size=2))
def test_any_use_list_is_taken_or_refused(tools, use):
    with suppress(ValueError):
        pipeline(use, tools)
