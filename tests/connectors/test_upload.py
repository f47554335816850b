"""Spreadsheets that people fill in, and deliveries in zip archives."""

import io
import os
import stat
import time
import zipfile
from datetime import date
from threading import Event

import openpyxl
import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from connectors.quarantine import Reason
from connectors.source_file import read_source
from connectors.template import template

SHEET = """
reach: {{location: "{place}", match: "*.{form}", ready: {{quiet_seconds: 5}}}}
read: {{format: {form}}}
key: detention_number
map:
  detention_number: {{path: number, use: [trim], required: true}}
  suspended_on: {{path: suspended, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
  stage: {{path: stage, use: [{{code: {{S: suspended, R: released}}}}]}}
  quantity: {{path: quantity, use: [decimal]}}
  importer: {{one: "@", map: {{name: {{path: importer name, use: [trim]}}}}}}
"""
HEADER = ["number", "suspended", "stage", "quantity", "importer name"]
D1 = RecordKey("D-1")


@pytest.fixture
def folder(tmp_path, clock):
    clock.advance(10 * 365 * 86_400)  # all that is written now has been quiet for long
    place = tmp_path / "deliveries"
    place.mkdir()
    return place


@pytest.fixture
def upload(folder, opened, write_source):
    def make(form="xlsx"):
        return opened(write_source(SHEET.format(place=folder, form=form), kind="upload", record_type="detention"))

    return make


def workbook(folder, *rows, header=HEADER, change=None, name="may.xlsx"):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (header, *rows):
        sheet.append(row)
    if change:
        change(book, sheet)
    book.save(folder / name)


def reasons(source, found):
    return [(why.field, why.reason) for why in source.apply(found).reasons]


def test_a_row_of_a_workbook_is_a_record(folder, upload, deadline):
    workbook(folder, ["D-1", date(2026, 1, 10), "S", 12.50, " Ali "], [], ["D-2", "2026-01-11", "R", 3, None])
    source = upload()

    first, second = (source.apply(source.connector.fetch(RecordKey(key), deadline)) for key in ("D-1", "D-2"))

    assert first.fields == {
        "detention_number": "D-1",
        "suspended_on": "2026-01-10",
        "stage": "suspended",
        "quantity": "12.5",
        "importer": {"name": "Ali"},
    }
    assert second.fields["quantity"] == "3"
    assert source.connector.fetch(RecordKey("D-3"), deadline) == Absent()


def test_a_formula_is_no_fact_and_an_error_neither(folder, upload, deadline):
    workbook(folder, ["D-1", "2026-01-10", "S", "=1+1", None], ["D-2", "2026-01-10", "S", "#N/A", None])
    source = upload()

    found = [source.connector.fetch(RecordKey(key), deadline) for key in ("D-1", "D-2")]

    assert [reasons(source, one) for one in found] == [[("quantity", Reason.WRONG_TYPE)]] * 2


@pytest.mark.parametrize(
    ("change", "header", "said"),
    [
        (lambda book, sheet: sheet.merge_cells("A2:B2"), HEADER, "wrong_type"),
        (lambda book, sheet: book.create_sheet("more"), HEADER, "unknown_schema"),
        (lambda book, sheet: sheet.cell(2, 9, "x"), HEADER, "unknown_schema"),
        (None, [*HEADER, "Number"], "unknown_schema"),
        (None, ["number", None, "stage", "quantity", "x"], "unknown_schema"),
        (lambda book, sheet: sheet.cell(200_000, 1, "x"), HEADER, "too_large"),
    ],
    ids=["merged cells", "two sheets", "value beside the columns", "a name twice", "a gap", "a far cell"],
)
def test_a_sheet_that_can_be_read_in_two_ways_is_not_read(folder, upload, deadline, change, header, said):
    workbook(folder, ["D-1", "2026-01-10", "S", 1, None], header=header, change=change)
    source = upload()

    (found,) = source.connector.changes(None, deadline).found

    assert [str(why.reason) for why in source.apply(found).reasons] == [said]
    assert source.connector.fetch(D1, deadline) == Failed(FailReason.RECORD_UNREADABLE)


def foul_workbook(change):
    plain = io.BytesIO()
    openpyxl.Workbook().save(plain)
    made = io.BytesIO()
    with zipfile.ZipFile(plain) as book, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as foul:
        for name in book.namelist():
            foul.writestr(name, change(name, book.read(name)))
    return made.getvalue()


DTD = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"<html><table></table></html>", "not_parseable"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "not_parseable"),
        (foul_workbook(lambda name, part: DTD if "sheet1" in name else part), "forbidden_xml"),
        (
            foul_workbook(lambda name, part: DTD.decode().encode("utf-16") if "sheet1" in name else part),
            "not_parseable",
        ),
        (foul_workbook(lambda name, part: b" " * 99_000_000 if "sheet1" in name else part), "too_large"),
    ],
    ids=["html", "xls", "entities", "utf-16", "bomb"],
)
def test_a_file_that_is_no_harmless_workbook_is_quarantined(folder, upload, deadline, raw, said):
    (folder / "may.xlsx").write_bytes(raw)
    source = upload()

    (found,) = source.connector.changes(None, deadline).found

    assert [str(why.reason) for why in source.apply(found).reasons] == [said]


def test_a_csv_with_a_byte_order_mark_is_read_and_one_with_another_delimiter_is_told(folder, upload, deadline):
    row = "number,suspended,stage\nD-1,2026-01-10,S\n"
    (folder / "a.csv").write_bytes(b"\xef\xbb\xbf" + row.encode())
    source = upload("csv")

    good = source.apply(source.connector.fetch(D1, deadline))
    (folder / "a.csv").write_text(row.replace(",", ";"))
    (found,) = source.connector.changes(None, deadline).found

    assert isinstance(good, Mapped)
    (why,) = source.apply(found).reasons
    assert (why.reason, why.detail) == (Reason.UNKNOWN_SCHEMA, "one column by ',', several by ';'")


def test_the_form_of_a_source_comes_back_filled_in_as_records(folder, upload, write_source, deadline):
    text = write_source(SHEET.format(place=folder, form="xlsx"), kind="upload", record_type="detention")
    book = openpyxl.load_workbook(io.BytesIO(template(read_source(text))))
    sheet = book.active
    header = [cell.value for cell in sheet[1]]
    for column, value in enumerate(["0001", "2026-01-10", "S", "2", "x"], 1):
        sheet.cell(2, column).value = value
    book.save(folder / "filled.xlsx")

    outcome = upload().apply(upload().connector.fetch(RecordKey("0001"), deadline))

    assert header == HEADER
    assert sheet["A1"].font.bold
    assert "one of S, R" in sheet["C1"].comment.text
    assert sheet["A2"].number_format == "@"
    assert isinstance(outcome, Mapped)


def test_the_form_of_a_csv_source_is_its_header_line(folder, write_source):
    text = write_source(SHEET.format(place=folder, form="csv"), kind="upload", record_type="detention")

    assert template(read_source(text)) == b"number,suspended,stage,quantity,importer name\r\n"


def test_there_is_no_form_for_documents(write_source):
    text = write_source(
        "reach: {location: /x, match: '*'}\nread: {format: json}\nkey: n\nmap: {n: {path: n, required: true}}\n"
    )

    with pytest.raises(SourceFileError, match="no form for json"):
        template(read_source(text))


# Archives


ZIPPED = """
reach: {{location: "{place}", match: "*.zip", archive: {{members: "*.xml", bytes: 1500000}}}}
read: {{format: xml, records: "/mark"}}
key: number
map:
  number: {{path: no, use: [trim], required: true}}
  name: {{path: name}}
"""


@pytest.fixture
def zipped(folder, opened, write_source):
    return opened(write_source(ZIPPED.format(place=folder)))


def mark(number, name="A"):
    return f"<mark><no>{number}</no><name>{name}</name></mark>"


def deliver(folder, files, name="d.zip", flags=None):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, content in files.items():
            info = zipfile.ZipInfo(inner)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = flags or 0
            archive.writestr(info, content)


def test_records_are_read_out_of_archives(folder, zipped, deadline):
    deliver(folder, {"a/1.xml": mark(1), "2.xml": mark(2), "readme.txt": "no record"})

    found = zipped.connector.fetch(RecordKey("1"), deadline)
    changes = zipped.connector.changes(None, deadline)

    assert (found.raw, found.source_ref) == (mark(1).encode(), "d.zip!/a/1.xml")
    assert sorted(item.key for item in changes.found) == ["1", "2"]
    assert zipped.connector.fetch(RecordKey("3"), deadline) == Absent()


def test_a_new_delivery_under_the_same_name_replaces_the_old_one(folder, zipped, deadline):
    deliver(folder, {"1.xml": mark(1), "2.xml": mark(2)})
    first = zipped.connector.changes(None, deadline)
    deliver(folder, {"1.xml": mark(1), "3.xml": mark(3, "new")})

    second = zipped.connector.changes(first.next, deadline)

    assert [item.key for item in second.found] == ["3"]
    assert zipped.connector.fetch(RecordKey("2"), deadline) == Absent()
    assert isinstance(zipped.connector.fetch(RecordKey("1"), deadline), Found)


@pytest.mark.parametrize(
    ("files", "flags"),
    [
        ({"../../etc/cron.d/x.xml": mark(1)}, None),
        ({"/etc/x.xml": mark(1)}, None),
        ({"a\\..\\x.xml": mark(1)}, None),
        ({"C:x.xml": mark(1)}, None),
        ({"x.xml": "/etc/passwd"}, (stat.S_IFLNK | 0o777) << 16),
        ({"x.xml": " " * 3_000_000}, None),
        ({f"{n}.xml": " " * 800_000 for n in range(2)}, None),
    ],
    ids=["climbs", "absolute", "backslash", "drive", "link", "large", "bomb"],
)
def test_of_a_foul_archive_nothing_is_taken(folder, zipped, deadline, files, flags):
    deliver(folder, {"good.xml": mark(1), **files}, flags=flags)

    assert zipped.connector.fetch(RecordKey("1"), deadline) == Failed(FailReason.RECORD_UNREADABLE)
    (found,) = zipped.connector.changes(None, deadline).found
    assert len(zipped.apply(found).reasons) == 1


@pytest.mark.parametrize("damage", ["no archive", "cut", "lying size", "bad sum"])
def test_a_damaged_archive_is_unreadable(folder, zipped, deadline, damage):
    deliver(folder, {"1.xml": mark(1)})
    raw = bytearray((folder / "d.zip").read_bytes())
    match damage:
        case "no archive":
            raw = bytearray(b"PK but not really")
        case "cut":
            raw = raw[:-30]
        case "lying size":
            place = raw.index(b"PK\x01\x02") + 24
            raw[place : place + 4] = (5).to_bytes(4, "little")
        case "bad sum":
            raw[raw.index(b"1.xml") + 8] ^= 0xFF
    (folder / "d.zip").write_bytes(raw)

    assert zipped.connector.fetch(RecordKey("1"), deadline) == Failed(FailReason.RECORD_UNREADABLE)


def test_a_mount_that_hangs_does_not_hold_the_caller(folder, zipped, monkeypatch):
    deliver(folder, {"1.xml": mark(1)})
    thaw = Event()
    monkeypatch.setattr(os, "scandir", lambda *_: thaw.wait(60) and [])
    began = time.monotonic()

    outcome = zipped.connector.fetch(RecordKey("1"), Deadline.within(0.1))
    thaw.set()

    assert outcome == Failed(FailReason.TIMEOUT)
    assert time.monotonic() - began < 15
