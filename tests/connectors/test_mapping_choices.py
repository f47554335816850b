"""What the mapping language offers for formats that write one thing in several ways or several things in one text."""

import json
from textwrap import dedent

import pytest

from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.quarantine import Quarantined, Reason

READ_XML = '{format: xml, namespaces: {t: "urn:made-up"}, records: "//t:R"}'
READ_JSON = "{format: json, records: rows}"
NUMBER = {"xml": 'number: {path: "t:No", required: true}\n', "json": "number: {path: no, required: true}\n"}


@pytest.fixture
def xml(mapping_of, found):
    def run(inner, entries, read=READ_XML):
        mapping = mapping_of(read, NUMBER["xml"] + dedent(entries))
        return mapping.apply(found(f'<D xmlns="urn:made-up"><R><No>7</No>{inner}</R></D>'))

    return run


@pytest.fixture
def from_json(mapping_of, found):
    def run(row, entries, read=READ_JSON):
        mapping = mapping_of(read, NUMBER["json"] + dedent(entries))
        return mapping.apply(found(json.dumps({"rows": [{"no": "7", **row}]})))

    return run


def reasons(outcome):
    assert isinstance(outcome, Quarantined), outcome
    return [(why.field, why.reason) for why in outcome.reasons]


ANY = 'a: {any: [{path: "t:A", use: [int]}, {path: "t:B", use: [trim]}], raw: true}'


def test_of_any_the_first_that_finds_something_is_read(xml):
    both, second, none = xml("<A> 5 </A><B>x</B>", ANY), xml("<B> x </B>", ANY), xml("", ANY)

    assert (both.fields["a"], both.fields["a_raw"], both.fields["extensions"]) == (5, "5", {"t:B": "x"})
    assert (second.fields["a"], second.fields["a_raw"]) == ("x", "x")
    assert "a" not in none.fields


def test_what_the_first_finds_unfit_is_rejected_whatever_stands_in_the_second(xml):
    assert reasons(xml("<A>five</A><B>x</B>", ANY)) == [("a", Reason.BAD_NUMBER)]


def test_any_that_must_be_there_and_is_not_is_missing_and_names_all_its_places(xml):
    outcome = xml("", 'a: {any: ["t:A", "t:B"], required: true}')

    assert reasons(outcome) == [("a", Reason.MISSING_REQUIRED)]
    assert outcome.reasons[0].where == "/t:D/t:R/t:A or t:B"


def test_a_key_may_be_written_in_one_of_several_ways(mapping_of, found):
    mapping = mapping_of(READ_XML, 'number: {any: ["t:Old", "t:New"], required: true}')

    outcome = mapping.apply(found('<D xmlns="urn:made-up"><R><New>8</New></R></D>'))

    assert outcome.key == "8"


SPLIT = 'a: {each: "t:A", split: ";", map: {name: {path: ".", use: [trim], required: true}, kind: {const: x}}}'


def test_several_objects_in_one_text_are_split(xml, from_json):
    outcome = xml("<A> one ; two;; </A><A>three</A>", SPLIT)

    assert [item["name"] for item in outcome.fields["a"]] == ["one", "two", "three"]
    assert "extensions" not in outcome.fields
    names = from_json({"names": "one; two"}, 'a: {each: names, split: ";", map: {name: "@"}}').fields
    assert (names["a"], "extensions" in names) == ([{"name": "one"}, {"name": "two"}], False)


def test_a_part_that_does_not_fit_leaves_the_whole_text_in_extensions(mapping_of, found):
    numbers = 'a: {each: "t:A", split: ";", map: {n: {path: ".", use: [int]}}}'
    mapping = mapping_of(READ_XML, NUMBER["xml"] + numbers, rest="on_error: {a: flag}")

    outcome = mapping.apply(found('<D xmlns="urn:made-up"><R><No>7</No><A>1;x;3</A></R></D>'))

    assert outcome.fields["a"] == [{"n": 1}, {"n": 3}]
    assert outcome.fields["extensions"] == {"t:A": "1;x;3"}
    assert [flag.rejection.field for flag in outcome.flags] == ["a[1].n"]


def test_a_cell_of_csv_is_split_too(mapping_of, found):
    mapping = mapping_of(
        "{format: csv}", 'number: {path: no, required: true}\na: {each: names, split: "|", map: {name: "@"}}'
    )

    assert mapping.apply(found("no,names\n7,one|two\n")).fields["a"] == [{"name": "one"}, {"name": "two"}]


def test_a_value_written_in_pieces_is_put_together_at_each_place(xml):
    outcome = xml(
        "<C><S>G</S><N>1</N></C><C><S>H</S><N>2</N></C>", """a: {all: "t:C", value: "concat(t:S, '-', t:N)"}"""
    )

    assert outcome.fields["a"] == ["G-1", "H-2"]


def test_groups_of_an_expression_are_written_in_another_way(xml):
    entry = 'a: {path: "t:A", use: [{match: {find: "REEL 0*(\\\\d+)/FRAME 0*(\\\\d+)", write: "\\\\1/\\\\2"}}]}'

    assert xml("<A>AT REEL 048818/FRAME 0520</A>", entry).fields["a"] == "48818/520"
    assert reasons(xml("<A>nothing</A>", entry)) == [("a", Reason.WRONG_TYPE)]


@pytest.mark.parametrize(
    "argument", ['{find: "(a)", write: "b"}', '{find: "(a)", write: "\\\\2"}', '{find: "("}', '{find: "(a)", more: 1}']
)
def test_a_writing_without_its_groups_does_not_compile(mapping_of, argument):
    with pytest.raises(SourceFileError, match="/map/a"):
        mapping_of(READ_XML, NUMBER["xml"] + f'a: {{path: "t:A", use: [{{match: {argument}}}]}}')


MONTHS = 'a: {path: "t:A", use: [{date: {formats: ["%d. %B %Y"], months: de}}]}'


@pytest.mark.parametrize(
    ("text", "day"),
    [("4. Dezember 2008", "2008-12-04"), ("18. November 2008", "2008-11-18"), ("01. März 2009", "2009-03-01")],
)
def test_months_are_read_by_name_in_the_declared_language(xml, text, day):
    assert xml(f"<A>{text}</A>", MONTHS).fields["a"] == day


@pytest.mark.parametrize("text", ["4. December 2008", "31. Februar 2008", "Dezember 2008", "4 Dezember 2008"])
def test_other_dates_in_words_are_no_dates(xml, text):
    assert reasons(xml(f"<A>{text}</A>", MONTHS)) == [("a", Reason.BAD_DATE)]


def test_a_language_whose_months_are_not_known_does_not_compile(mapping_of):
    with pytest.raises(SourceFileError, match="months"):
        mapping_of(READ_XML, NUMBER["xml"] + MONTHS.replace("months: de", "months: xx"))


def test_records_inside_others_carry_what_is_said_once_for_all_of_them(mapping_of, found):
    mapping = mapping_of(
        "{format: json, within: cases, carry: [court], records: decisions}",
        "number: {path: no, required: true}\ncourt: court",
    )
    raw = json.dumps(
        {"cases": [{"court": "A", "decisions": [{"no": "1"}, {"no": "2", "court": "own"}]}, {"court": "B"}]}
    )

    found_ = [mapping.apply(found(raw, position=position)).fields for position in range(2)]

    assert found_ == [{"number": "1", "court": "A"}, {"number": "2", "court": "own"}]


def test_a_document_that_says_there_is_nothing_is_no_fault(mapping_of):
    absent = '{format: json, expect: "code == `0`", absent: "code == `107`", records: rows}'
    mapping = mapping_of(absent, NUMBER["json"])

    document = mapping.format.parse(b'{"code": 107}')

    assert (document.says_absent, document.records(), document.deleted()) == (True, [], [])
    assert not mapping.format.parse(b'{"code": 0, "rows": []}').says_absent


def test_what_must_never_be_stored_is_left_over_nowhere(xml, from_json):
    never_xml = READ_XML.replace("records:", 'never: "t:P[@hidden]/t:Name | t:P/@secret", records:')
    never_json = READ_JSON.replace("records:", "never: person.name, records:")

    outcome = xml('<P hidden="1" secret="x"><Name>Jane</Name><Town>Y</Town></P><P><Name>Joe</Name></P>', "", never_xml)
    row = from_json({"person": {"name": "Jane", "town": "Y"}}, "", never_json)

    assert outcome.fields["extensions"] == {"t:P": [{"@hidden": "1", "t:Town": "Y"}, {"t:Name": "Joe"}]}
    assert row.fields["extensions"] == {"person": {"town": "Y"}}


def test_a_condition_is_no_reading(from_json):
    outcome = from_json(
        {"mark": True, "other": "x"}, "a: {any: [\"[@][?mark] | [0] && 'yes'\", \"[@][?!mark] | [0] && 'no'\"]}"
    )

    assert (outcome.fields["a"], outcome.fields["extensions"]) == ("yes", {"mark": True, "other": "x"})


def test_a_function_over_a_list_reads_that_list_and_nothing_else(from_json):
    outcome = from_json({"items": [{"n": "1", "more": "x"}]}, "a: {all: \"map(&join('-', ['US', @]), items[].n)\"}")

    assert (outcome.fields["a"], outcome.fields["extensions"]) == (["US-1"], {"items": [{"more": "x"}]})


def test_a_number_in_json_is_kept_as_text_beside_its_code(from_json):
    outcome = from_json({"s": 7}, 'state: {path: s, use: [{code: {"7": seven}}], raw: true}')

    assert (outcome.fields["state"], outcome.fields["state_raw"]) == ("seven", "7")


def test_a_root_without_namespace_is_another_schema_where_none_was_expected(mapping_of, found):
    plain = mapping_of('{format: xml, expect: "/A", records: "/A"}', 'number: {path: "No", required: true}')
    named = mapping_of(READ_XML.replace("records:", 'expect: "/t:D", records:'), NUMBER["xml"])

    assert reasons(plain.apply(found("<B/>"))) == [("", Reason.UNKNOWN_SCHEMA)]
    assert reasons(named.apply(found("<D/>"))) == [("", Reason.WRONG_NAMESPACE)]
    assert isinstance(plain.apply(found("<A><No>1</No></A>")), Mapped)
