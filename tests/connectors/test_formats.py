import base64
import codecs
import io

import openpyxl
import pytest

from connectors.formats.csv_document import CsvFormat
from connectors.formats.document import Limits, ReadRules
from connectors.formats.json_document import JsonFormat, JsonPath
from connectors.formats.xlsx_document import XlsxFormat
from connectors.formats.xml_document import XmlFormat, XmlPath
from connectors.quarantine import Reason, UnreadableError

NS = {"t": "urn:made-up"}


def xml(**more):
    limits = more.pop("limits", Limits())
    return XmlFormat(ReadRules("xml", namespaces=NS, records="//t:R", **more), limits)


def refusal(format_, raw):
    with pytest.raises(UnreadableError) as caught:
        format_.parse(raw if isinstance(raw, bytes) else raw.encode())
    return caught.value.reason


def doc(inner="<R><A>x</A></R>", before=""):
    return f'{before}<D xmlns="urn:made-up">{inner}</D>'


BOMB = '<!DOCTYPE D [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (doc("<R>&b;</R>", BOMB), Reason.FORBIDDEN_XML),
        (doc("<R>&x;</R>", '<!DOCTYPE D [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), Reason.FORBIDDEN_XML),
        (
            doc("<R>%x;</R>", '<!DOCTYPE D [<!ENTITY % x SYSTEM "http://elsewhere.example/x"> %x;]>'),
            Reason.FORBIDDEN_XML,
        ),
        (doc(before='<!DOCTYPE D SYSTEM "http://elsewhere.example/d.dtd">'), Reason.FORBIDDEN_XML),
        (doc(before="<!DOCTYPE D>"), Reason.FORBIDDEN_XML),
        (doc("<R>&undeclared;</R>"), Reason.NOT_PARSEABLE),
        ("<D xmlns='urn:made-up'><R></D>", Reason.NOT_PARSEABLE),
        (doc() + doc(), Reason.NOT_PARSEABLE),
        (doc()[:-3], Reason.NOT_PARSEABLE),
        ("", Reason.NOT_PARSEABLE),
        (b"<D xmlns='urn:made-up'><R>\xff</R></D>", Reason.WRONG_ENCODING),
        (doc("<R>\x00</R>"), Reason.NOT_PARSEABLE),
        (doc("<R>&#0;</R>"), Reason.NOT_PARSEABLE),
        (doc("<R>" + "<a>" * 64 + "</a>" * 64 + "</R>"), Reason.TOO_DEEP),
        (doc("<R>" + "<a>" * 400 + "</a>" * 400 + "</R>"), Reason.TOO_DEEP),
    ],
)
def test_xml_that_is_broken_or_reaches_out_is_refused(raw, reason):
    assert refusal(xml(), raw) is reason


def test_sixty_four_levels_are_the_last_that_are_read():
    inner = "<R>" + "<a>" * 62 + "</a>" * 62 + "</R>"

    assert len(xml().parse(doc(inner).encode()).records()) == 1


def test_a_doctype_may_be_passed_over_but_its_entities_never_are():
    lenient = xml(doctype="ignore")

    assert (
        len(lenient.parse(doc(before='<!DOCTYPE D SYSTEM "http://elsewhere.example/d.dtd">').encode()).records()) == 1
    )
    assert refusal(lenient, doc("<R>&b;</R>", BOMB)) is Reason.FORBIDDEN_XML


PICTURE = '<!ENTITY p SYSTEM "p.tif" NDATA TIF>'


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (PICTURE + '<!ENTITY x SYSTEM "file:///etc/passwd">', Reason.FORBIDDEN_XML),
        (PICTURE + "<!ENTITY x \"<!ENTITY y SYSTEM 'p' NDATA T>\">", Reason.FORBIDDEN_XML),
        (PICTURE + '<!ENTITY % x SYSTEM "http://elsewhere.example/x"> %x;', Reason.FORBIDDEN_XML),
    ],
)
def test_names_of_pictures_pass_with_a_doctype_and_no_other_entity_beside_them(declared, reason):
    lenient = xml(doctype="ignore")

    assert len(lenient.parse(doc(before=f"<!DOCTYPE D [{PICTURE}]>").encode()).records()) == 1
    assert refusal(lenient, doc(before=f"<!DOCTYPE D [{declared}]>")) is reason
    assert refusal(lenient, doc("<R>&p;</R>", f"<!DOCTYPE D [{PICTURE}]>")) in (
        Reason.FORBIDDEN_XML,
        Reason.NOT_PARSEABLE,
    )
    assert refusal(xml(), doc(before=f"<!DOCTYPE D [{PICTURE}]>")) is Reason.FORBIDDEN_XML


def workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


@pytest.mark.parametrize("format_of", [CsvFormat, XlsxFormat])
def test_a_table_without_the_column_that_every_file_has_is_of_another_kind(format_of):
    rows = [["Number", "Name"], ["1", "x"]]
    raw = "\n".join(map(",".join, rows)).encode() if format_of is CsvFormat else workbook(rows)
    name = "csv" if format_of is CsvFormat else "xlsx"

    assert len(format_of(ReadRules(name, expect="number"), Limits()).parse(raw).records()) == 1
    assert refusal(format_of(ReadRules(name, expect="case"), Limits()), raw) is Reason.UNKNOWN_SCHEMA


def test_size_and_number_of_records_are_limited():
    assert refusal(xml(limits=Limits(file_bytes=20)), doc()) is Reason.TOO_LARGE
    assert refusal(xml(limits=Limits(records=1)), doc("<R/><R/>")) is Reason.TOO_LARGE


def test_another_namespace_is_told_from_another_document():
    format_ = xml(expect="/t:D")

    assert refusal(format_, '<D xmlns="urn:other"><R/></D>') is Reason.WRONG_NAMESPACE
    assert refusal(format_, '<E xmlns="urn:made-up"><R/></E>') is Reason.UNKNOWN_SCHEMA
    assert len(format_.parse(doc().encode()).records()) == 1


def test_the_declared_encoding_rules_and_not_what_the_file_says_of_itself():
    raw = doc("<R><A>中文</A></R>", '<?xml version="1.0" encoding="GB18030"?>').encode("gb18030")

    (record,) = xml(encoding="gb18030").parse(raw).records()

    assert [leaf.value for leaf in XmlPath("t:A", NS).leaves(record)] == ["中文"]
    assert refusal(xml(), raw) is Reason.WRONG_ENCODING


def test_a_byte_outside_the_table_of_gb18030_is_refused():
    raw = doc("<R>").encode("gb18030") + b"\x81\x20" + b"</R>"

    assert refusal(xml(encoding="gb18030"), raw) is Reason.WRONG_ENCODING


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", codecs.BOM_UTF8), ("utf-16", codecs.BOM_UTF16_LE)])
def test_a_byte_order_mark_of_the_declared_encoding_is_cut(encoding, mark):
    text = doc().encode("utf-16-le" if encoding == "utf-16" else encoding)

    assert len(xml(encoding=encoding).parse(mark + text).records()) == 1


def test_a_byte_order_mark_of_another_encoding_is_refused():
    assert refusal(xml(encoding="iso-8859-1"), codecs.BOM_UTF8 + doc().encode()) is Reason.WRONG_ENCODING


def test_a_path_that_opens_another_document_is_no_xpath():
    for path in ("document('x')//a", "//t:R[document('x')]", "re:match(., 'a')", "//unknown:R", "//["):
        with pytest.raises(ValueError):  # noqa: PT011  (the words are lxml's)
            XmlPath(path, NS)
    assert XmlPath("//t:R[contains(., 'document(')]", NS).text


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"a": 1, "a": 2}', Reason.NOT_PARSEABLE),
        ('{"a": NaN}', Reason.NOT_PARSEABLE),
        ('{"a": Infinity}', Reason.NOT_PARSEABLE),
        ('{"a": "\\x"}', Reason.NOT_PARSEABLE),
        ('{"a": 1} {"b": 2}', Reason.NOT_PARSEABLE),
        ('{"a": ', Reason.NOT_PARSEABLE),
        ('{"a": "\\u0000"}', Reason.NOT_PARSEABLE),
        ('{"a": "\\ud800"}', Reason.WRONG_ENCODING),
        (b'{"a": "\xff"}', Reason.WRONG_ENCODING),
        ("[" * 65 + "]" * 65, Reason.TOO_DEEP),
        ("[" * 100_000, Reason.TOO_DEEP),
        ('{"a": ' + "9" * 5000 + "}", Reason.BAD_NUMBER),
        ("[1]", Reason.WRONG_TYPE),
        ('"text"', Reason.WRONG_TYPE),
        ("<html>not JSON</html>", Reason.NOT_PARSEABLE),
    ],
)
def test_json_that_is_broken_or_ambiguous_is_refused(raw, reason):
    assert refusal(JsonFormat(ReadRules("json"), Limits()), raw) is reason


def test_json_with_a_byte_order_mark_is_read():
    document = JsonFormat(ReadRules("json", records="rows", deleted="gone"), Limits()).parse(
        codecs.BOM_UTF8 + b'{"rows": [{"a": 1}, {"a": 2}], "gone": [{"a": 3}]}'
    )

    assert (len(document.records()), len(document.deleted())) == (2, 1)


@pytest.mark.parametrize(
    ("expression", "ways"),
    [
        ("a.b", {("a", "b")}),
        ("a[].b", {("a", "b")}),
        ("a[0]", {("a",)}),
        ("a[?kind=='ORG'].b", {("a", "b")}),
        ("a || b", {("a",), ("b",)}),
        ("join(', ', a[].b)", {("a", "b")}),
        ("{x: a.b, y: c}", {("a", "b"), ("c",)}),
        ("a.*", {("a",)}),
        ("@", {()}),
    ],
)
def test_what_an_expression_reads_is_known_without_running_it(expression, ways):
    assert JsonPath(expression).ways == ways


def csv_format(**more):
    return CsvFormat(ReadRules("csv", **more), more.pop("limits", Limits()))


def test_a_row_of_csv_is_cut_out_by_its_bytes():
    raw = b'no;text\r\n1;"two\r\nlines"\r\n2;plain\r\n'
    format_ = csv_format(delimiter=";")

    rows = format_.rows(raw)

    assert [raw[span.start : span.stop] for _, span in rows] == [b'1;"two\r\nlines"\r\n', b"2;plain\r\n"]
    assert format_.header(raw) == b"no;text\r\n"
    assert rows[0][0].get("TEXT") == "two\r\nlines"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk", "shift_jis"])
def test_rows_are_cut_alike_in_every_encoding_that_is_allowed(encoding):
    raw = "番号,名称\n1,東京\n2,大阪".encode(encoding)

    rows = csv_format(encoding=encoding).rows(raw)

    assert [raw[span.start : span.stop].decode(encoding) for _, span in rows] == ["1,東京\n", "2,大阪"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a,b\n1,2,3\n", Reason.NOT_PARSEABLE),
        (b'a,b\n1,"2\n3,4\n', Reason.NOT_PARSEABLE),
        (b'a,b\n1,"2"x\n', Reason.NOT_PARSEABLE),
        (b"a,A\n1,2\n", Reason.UNKNOWN_SCHEMA),
        (b"a,\n1,2\n", Reason.UNKNOWN_SCHEMA),
        (b"", Reason.UNKNOWN_SCHEMA),
        (b'"a\nb",c\n1,2\n', Reason.NOT_PARSEABLE),
        (b"a,b\n1,\xff\n", Reason.WRONG_ENCODING),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", Reason.TOO_LARGE),
    ],
)
def test_csv_that_is_not_what_it_was_declared_to_be_is_refused(raw, reason):
    assert refusal(csv_format(), raw) is reason


def test_one_row_that_does_not_fit_does_not_spoil_the_others():
    rows = csv_format().rows(b"a,b\n1,2\n3\n5,6\n")

    assert [None if row is None else row.get("a") for row, _ in rows] == ["1", None, "5"]


def test_csv_in_an_encoding_without_line_feeds_of_its_own_is_refused():
    with pytest.raises(ValueError, match="utf-16"):
        csv_format(encoding="utf-16")


def test_bytes_that_were_no_text_are_not_called_text(mapping_of, found):
    mapping = mapping_of("{format: json}", "number: {path: n, required: true}")

    outcome = mapping.apply(found('{"n": "b\'' + base64.b64encode(b"x").decode() + "'\"}"))

    assert [why.reason for why in outcome.reasons] == [Reason.WRONG_ENCODING]
