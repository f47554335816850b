from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from textwrap import dedent

import pytest

from connectors.formats.rows import Row
from connectors.mapping import Mapped
from connectors.quarantine import Quarantined, Reason

READ_XML = '{format: xml, namespaces: {t: "urn:made-up"}, records: "//t:R", deleted: "//t:Gone"}'
NUMBER = 'number: {path: "t:No", use: [trim], required: true}\n'


@pytest.fixture
def xml(mapping_of, found):
    """Apply entries to the inside of one record."""

    def run(inner, entries="", rest=""):
        mapping = mapping_of(READ_XML, NUMBER + dedent(entries), rest=rest)
        return mapping.apply(found(f'<D xmlns="urn:made-up"><R a="1"><No>7</No>{inner}</R></D>'))

    return run


def reasons(outcome):
    assert isinstance(outcome, Quarantined), outcome
    return [(why.field, why.reason) for why in outcome.reasons]


def test_a_path_gives_one_value_and_what_is_empty_is_absent(xml):
    outcome = xml("<A> x </A><B> \n</B>", 'a: {path: "t:A", use: [trim]}\nb: "t:B"\nc: "t:C"')

    assert isinstance(outcome, Mapped)
    assert (outcome.key, outcome.fields["a"]) == ("7", "x")
    assert "b" not in outcome.fields
    assert "c" not in outcome.fields


def test_two_values_for_one_path_are_more_than_one(xml):
    assert reasons(xml("<A>x</A><A>x</A>", 'a: "t:A"')) == [("a", Reason.MORE_THAN_ONE)]
    assert isinstance(xml("<A>x</A><A> </A>", 'a: "t:A"'), Mapped)


def test_all_reasons_of_a_record_are_told_with_their_places(xml):
    outcome = xml(
        "<A>x</A><B>2026022</B>",
        'a: {path: "t:A", use: [int]}\nb: {path: "t:B", use: [{date: ["%Y%m%d"]}]}\nc: {path: "t:C", required: true}',
    )

    assert reasons(outcome) == [
        ("a", Reason.BAD_NUMBER),
        ("b", Reason.BAD_DATE),
        ("c", Reason.MISSING_REQUIRED),
    ]
    assert [why.where for why in outcome.reasons] == ["/t:D/t:R/t:A", "/t:D/t:R/t:B", "/t:D/t:R/t:C"]
    assert "2026022" not in str(outcome)


def test_a_source_text_is_kept_beside_its_code(xml):
    outcome = xml("<S> Registered </S>", 's: {path: "t:S", use: [trim, {code: state}], raw: true}')

    assert (outcome.fields["s"], outcome.fields["s_raw"]) == ("registered", "Registered")


def test_lists_objects_and_constants_nest(xml):
    inner = '<C><N>009</N><T l="en">pens</T><T l="de">Stifte</T></C><C><N>16</N></C><C/>'
    entries = """
    c:
      each: "t:C"
      map:
        n: {path: "t:N", use: [{number: nice}], required: true}
        texts: {each: "t:T", map: {lang: "@l", text: {path: ".", use: [trim]}}}
        kind: {const: nice}
    first: {one: "t:C[1]", map: {n: "t:N"}}
    all_n: {all: "t:C/t:N", use: [{number: nice}]}
    """

    outcome = xml(inner, entries)

    assert outcome.fields["c"] == [
        {"n": "9", "texts": [{"lang": "en", "text": "pens"}, {"lang": "de", "text": "Stifte"}], "kind": "nice"},
        {"n": "16", "kind": "nice"},
    ]
    assert outcome.fields["first"] == {"n": "009"}
    assert outcome.fields["all_n"] == ["9", "16"]


def test_what_an_object_must_have_is_missed_at_its_own_place(xml):
    outcome = xml(
        "<C><N>9</N></C><C><T>x</T></C>", 'c: {each: "t:C", map: {n: {path: "t:N", required: true}, t: "t:T"}}'
    )

    assert reasons(outcome) == [("c[1].n", Reason.MISSING_REQUIRED)]
    assert outcome.reasons[0].where == "/t:D/t:R/t:C/t:N"


def test_a_flagged_field_keeps_what_fits_and_its_bad_text_goes_to_extensions(xml):
    outcome = xml("<V>9</V><V>99</V>", 'v: {all: "t:V", use: [{number: nice}]}', "on_error: {v: flag}")

    assert outcome.fields["v"] == ["9"]
    assert outcome.fields["extensions"]["t:V"] == "99"
    assert [(flag.rejection.field, flag.rejection.reason) for flag in outcome.flags] == [
        ("v[1]", Reason.BAD_IDENTIFIER)
    ]


def test_a_nulled_field_is_left_out_whole_and_kept_in_extensions(xml):
    outcome = xml("<V>9</V><V>99</V>", 'v: {all: "t:V", use: [{number: nice}]}', "on_error: {v: 'null'}")

    assert "v" not in outcome.fields
    assert outcome.fields["extensions"]["t:V"] == ["9", "99"]
    assert len(outcome.flags) == 1


def test_on_error_may_stand_at_the_entry(xml):
    assert isinstance(xml("<V>x</V>", 'v: {path: "t:V", use: [int], on_error: flag}'), Mapped)


def test_what_no_path_reads_is_kept_in_extensions(xml):
    inner = '<A x="1">known</A><B><C>one</C><C>two</C><E/></B><o:F xmlns:o="urn:other">foreign</o:F>mixed'

    outcome = xml(inner, 'a: "t:A"')

    assert outcome.fields["extensions"] == {
        "@a": "1",
        "t:A": {"@x": "1"},
        "t:B": {"t:C": ["one", "two"]},
        "{urn:other}F": "foreign",
        "#text": "mixed",
    }


def test_a_record_read_whole_has_no_extensions(mapping_of, found):
    outcome = mapping_of("{format: json}", "number: {path: n, required: true}").apply(found('{"n": "7", "e": null}'))

    assert outcome.fields == {"number": "7"}


def test_json_paths_leave_over_what_they_do_not_read(mapping_of, found):
    entries = """
    number: {path: no, required: true}
    names: {each: "parties[?kind=='ORG']", map: {name: {path: name, use: [trim], required: true}}}
    court: {path: court.name}
    amount: {path: amount, use: [decimal]}
    """
    raw = """{"no": "7", "amount": 12.50, "court": {"name": "IP Court", "room": 4},
              "parties": [{"kind": "ORG", "name": "A"}, {"kind": "PERSON", "name": "B", "born": 1970}], "x": [1.10]}"""

    outcome = mapping_of("{format: json}", entries).apply(found(raw))

    assert outcome.fields["names"] == [{"name": "A"}]
    assert outcome.fields["amount"] == "12.5"
    assert outcome.fields["extensions"] == {
        "court": {"room": 4},
        "parties": [{"kind": "ORG"}, {"kind": "PERSON", "born": 1970}],
        "x": ["1.10"],
    }


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"n": {"x": 1}}', Reason.WRONG_TYPE),
        ('{"n": [1, 2]}', Reason.MORE_THAN_ONE),
        ('{"n": true}', Reason.WRONG_TYPE),
        ('{"n": "D\u00c3\u00bcsseldorf"}', Reason.WRONG_ENCODING),
        ('{"n": ""}', Reason.MISSING_REQUIRED),
        ('{"n": null}', Reason.MISSING_REQUIRED),
        ("{}", Reason.MISSING_REQUIRED),
    ],
)
def test_a_json_value_of_another_shape_is_refused(mapping_of, found, raw, reason):
    outcome = mapping_of("{format: json}", "number: {path: n, use: [trim], required: true}").apply(found(raw))

    assert reasons(outcome) == [("number", reason)]


def test_a_number_where_a_text_is_wanted_is_written_out(mapping_of, found):
    outcome = mapping_of("{format: json}", "number: {path: n, use: [trim], required: true}").apply(found('{"n": 7}'))

    assert outcome.key == "7"


def test_a_column_is_found_in_either_case_and_children_by_their_name(mapping_of):
    mapping = mapping_of("{format: csv}", "number: {path: NO, required: true}\nrights: {all: 'rights.KEY'}")
    row = Row({"no": "7", "rights": [{"key": "a", "more": "b"}, {"key": "c"}]})

    assert mapping.identify(row).key == "7"
    assert mapping.format.compile("rights.KEY", None).leaves(row)[1].value == "c"


def test_a_record_under_another_key_than_it_was_asked_for_is_refused(mapping_of, found):
    mapping = mapping_of("{format: json}", "number: {path: n, required: true}")

    assert reasons(mapping.apply(found('{"n": "7"}', key="8"))) == [("number", Reason.KEY_MISMATCH)]


def test_a_delete_notice_is_no_empty_record(mapping_of, found):
    mapping = mapping_of(READ_XML, NUMBER)
    raw = '<D xmlns="urn:made-up"><Gone><No>7</No></Gone></D>'

    document = mapping.format.parse(raw.encode())

    assert [mapping.identify(node).key for node in document.deleted()] == ["7"]
    assert reasons(mapping.apply(found(raw))) == [("", Reason.WRONG_TYPE)]


def test_a_revision_from_the_future_is_refused_beyond_a_clock_that_is_a_little_ahead(mapping_of, found):
    mapping = mapping_of(
        "{format: json}", "number: {path: n, required: true}", rest="revised: {path: at, use: [{datetime: UTC}]}"
    )

    assert isinstance(mapping.apply(found('{"n": "7", "at": "2026-11-25T08:04:59Z"}')), Mapped)
    assert reasons(mapping.apply(found('{"n": "7", "at": "2026-11-25T08:10:00Z"}'))) == [
        ("revised", Reason.FUTURE_DATE)
    ]
    assert reasons(mapping.apply(found('{"n": "7", "at": "yesterday"}'))) == [("revised", Reason.BAD_DATE)]


def test_the_revision_of_the_record_goes_before_that_of_its_carrier(mapping_of, found):
    mapping = mapping_of(
        "{format: json}", "number: {path: n, required: true}", rest="revised: {path: at, use: [{datetime: UTC}]}"
    )
    carrier = datetime(2026, 1, 1, tzinfo=UTC)

    with_own = mapping.apply(replace(found('{"n": "7", "at": "2026-02-01T00:00:00Z"}'), revised=carrier))
    without = mapping.apply(replace(found('{"n": "7"}'), revised=carrier))

    assert (with_own.revised, without.revised) == (carrier + timedelta(days=31), carrier)


def test_what_only_the_source_can_see_quarantines_too(mapping_of, found):
    mapping = mapping_of("{format: json}", "number: {path: n, required: true}")

    outcome = mapping.apply(found('{"n": "7"}', findings=(Reason.OLDER_REVISION,)))

    assert reasons(outcome) == [("", Reason.OLDER_REVISION)]


def test_the_catalogue_judges_last_and_not_what_was_already_rejected(mapping_of, found):
    complaints = [("a", "missing_required", ""), ("b", "contradictory", "after c"), ("c", "bad_date", "")]
    mapping = mapping_of(
        "{format: json}",
        "number: {path: n, required: true}\na: {path: a, use: [int]}\nb: {path: b}\nc: {path: c}",
        rest="on_error: {c: 'null'}",
    )
    mapping._validate = lambda record_type, fields: complaints

    outcome = mapping.apply(found('{"n": "7", "a": "x", "b": "y", "c": "z"}'))

    assert reasons(outcome) == [("a", Reason.BAD_NUMBER), ("b", Reason.CONTRADICTORY)]


def test_a_field_the_catalogue_refuses_can_be_nulled_and_is_not_lost(mapping_of, found):
    mapping = mapping_of(
        "{format: json}", "number: {path: n, required: true}\nc: {path: c}", rest="on_error: {c: 'null'}"
    )
    mapping._validate = lambda record_type, fields: [("c", "bad_date", "")]

    outcome = mapping.apply(found('{"n": "7", "c": "z"}'))

    assert outcome.fields == {"number": "7", "extensions": {"c": "z"}}
    assert [flag.rejection.reason for flag in outcome.flags] == [Reason.BAD_DATE]


def test_mapping_is_a_pure_function_of_bytes_and_source_file(mapping_of, found):
    mapping = mapping_of(READ_XML, NUMBER + 'a: {all: "t:A"}')
    raw = found('<D xmlns="urn:made-up"><R><No>7</No><A>1</A><A>2</A><B/></R></D>')

    assert mapping.apply(raw) == mapping.apply(raw)


@pytest.mark.parametrize("raw", ['{"n": false}', '{"n": 1.5}', "{}"])
def test_a_record_without_a_text_for_a_key_is_no_record_even_if_faults_are_only_flagged(mapping_of, found, raw):
    mapping = mapping_of("{format: json}", "number: {path: n, required: true, on_error: flag}")

    outcome = mapping.apply(found(raw))

    if raw == '{"n": 1.5}':
        assert outcome.key == "1.5"
    else:
        assert [why.field for why in outcome.reasons] == ["number"]


def test_a_constant_is_a_field_of_every_record_and_makes_no_object(xml):
    outcome = xml("<A/>", 'kind: {const: word}\nempty: {one: "t:A", map: {kind: {const: word}}}')

    assert outcome.fields["kind"] == "word"
    assert "empty" not in outcome.fields


def test_a_record_s_digest_is_of_its_bytes_also_where_they_were_changed(found):
    one = found('{"n": "7"}')

    assert one.sha256 == sha256(b'{"n": "7"}').digest()
    assert replace(one, raw=b"{}").sha256 == sha256(b"{}").digest()
