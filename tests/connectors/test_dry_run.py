import re
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.dry_run import FieldGroups, Report, Unusable, dry_run
from connectors.dry_run_page import render
from gateway.wiring import mapping_tools

XML = """
reach: {location: "${HERE}", match: "*.xml", ready: {quiet_seconds: 0}}
read: {format: xml, namespaces: {t: "urn:made-up"}, expect: "/t:D", records: "//t:R", deleted: "//t:Gone"}
key: number
map:
  office: {path: "t:Office", use: [trim, {code: st3}]}
  number: {path: "t:No", use: [trim], required: true}
  status: {path: "t:Status", use: [trim, {code: state}], raw: true}
  filed: {path: "t:Filed", use: [{date: ["%Y-%m-%d"]}], required: true}
  goods:
    each: "t:Class"
    map: {class_number: {path: "t:N", use: [{number: nice}]}, texts: {each: "t:T", map: {lang: "@l", text: "."}}}
  contact: {path: "t:Contact"}
on_error: {goods: flag}
"""

GROUPS = FieldGroups(
    {
        "office": "trademark.biblio",
        "number": "trademark.biblio",
        "filed": "trademark.biblio",
        "status": "trademark.status",
        "goods": "trademark.goods",
        "contact": "trademark.owner.contact",
        "priority": "trademark.priority",
        "extensions": "trademark.extensions",
    },
    personal=frozenset({"trademark.owner.contact"}),
)


def mark(number, *, filed="2026-01-02", classes="<Class><N>9</N><T l='en'>a</T><T l='de'>b</T></Class>"):
    return (
        f'<D xmlns="urn:made-up"><R><Office>EM</Office><No>{number}</No><Status>Registered</Status>'
        f"<Filed>{filed}</Filed>{classes}<Contact>Jane Doe, 1 Road</Contact><Extra>x</Extra></R></D>"
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def try_out(tools, folder, write_source):
    def run(text=XML, *, kind="files", **more):
        values = {"HERE": str(folder)} | more.pop("values", {})
        return dry_run(
            write_source(text, kind=kind),
            secrets=values,
            variables=values,
            groups=lambda record_type: GROUPS,
            **{"tools": tools, **more},
        )

    return run


def test_a_clean_source_exits_with_0_and_shows_what_its_records_become(folder, try_out):
    for number in range(7):
        (folder / f"{number}.xml").write_text(mark(number), encoding="utf-8")

    report = try_out()

    assert isinstance(report, Report)
    assert (report.exit_code, report.mapped, report.quarantined, len(report.shown)) == (0, 7, [], 5)
    first, second, third = re.sub(r"[\d.]+ ms", "N ms", render(report)).splitlines()[:3]
    assert first.startswith("schema ok · secrets 0 missing · reach ok (7 files) · capabilities fetch changes")
    assert first.endswith(" · push-down none · deletions yes")
    assert second == "mapped 7   quarantined 0   flagged 0   N ms/record"
    assert third == "  0  trademark  office=EM status=registered filed=2026-01-02 goods=1 class, 2 languages   … 1 more"


def test_every_rejected_record_stands_with_every_reason_and_its_place(folder, try_out):
    (folder / "1.xml").write_text(mark(1), encoding="utf-8")
    (folder / "2.xml").write_text(mark(2, filed="2026022"), encoding="utf-8")
    (folder / "3.xml").write_text("<D xmlns='urn:other'/>", encoding="utf-8")
    (folder / "4.xml").write_text("<D", encoding="utf-8")
    (folder / "5.xml").write_text(mark(5, classes="<Class><N>99</N></Class><Class><N>9</N></Class>"), encoding="utf-8")

    report = try_out()
    page = render(report)

    assert report.exit_code == 1
    assert (
        "rejected fields\n"
        "  2  filed  bad_date   /t:D/t:R/t:Filed\n"
        "  3.xml  (whole record)  wrong_namespace   root element {urn:other}D\n"
        "  4.xml  (whole record)  not_parseable   line 1\n"
        "flagged fields\n"
        "  5  goods[0].class_number  bad_identifier   /t:D/t:R/t:Class/t:N\n"
    ) in page
    assert "unmapped (kept in extensions)  t:Extra 2 · t:Class 1\n" in page
    assert (
        "groups filled  trademark.biblio .status .goods .owner.contact .extensions"
        "      never filled  trademark.priority\n"
    ) in page


def test_personal_values_and_extensions_are_not_printed(folder, try_out):
    (folder / "1.xml").write_text(mark(1, classes="").replace("<Office>EM</Office>", ""), encoding="utf-8")
    text = XML.replace("  office: ", "  unused: ")

    hidden, told = render(try_out(text)), render(try_out(text), personal=True)

    assert "contact=•••" in hidden
    assert "Jane Doe" not in hidden
    assert "contact=Jane Doe, 1 Road" in told


def test_a_tombstone_is_counted_as_such(folder, try_out):
    (folder / "1.xml").write_text(mark(1).replace("<R>", "<Gone>").replace("</R>", "</Gone>"), encoding="utf-8")

    report = try_out()

    assert (report.mapped, report.deleted, report.exit_code) == (0, 1, 0)
    assert "deleted 1" in render(report)


def test_a_wrong_source_file_exits_with_2_and_names_every_fault(try_out):
    outcome = try_out(XML.replace("key: number", "key: nothing\nextra: 1"))

    assert isinstance(outcome, Unusable)
    assert outcome.exit_code == 2
    assert render(outcome) == "source file refused\n  /  unknown key: extra\n"


def test_missing_secrets_and_variables_are_named(try_out):
    outcome = try_out(XML.replace("${HERE}", "${NOT_SET}/${secret:NOR_THIS}"))

    page = render(outcome)

    assert outcome.exit_code == 2
    assert "${NOT_SET} is not set" in page
    assert "${secret:NOR_THIS} is not set" in page


def test_a_source_that_cannot_be_reached_exits_with_2(folder, try_out):
    folder.rmdir()

    outcome = try_out()

    assert (outcome.exit_code, render(outcome)) == (2, "schema ok · reach failed: unreachable\n")


def test_a_dry_run_writes_nothing(folder, try_out):
    (folder / "1.xml").write_text(mark(1), encoding="utf-8")
    before = sorted(str(path) for path in folder.parent.rglob("*"))

    try_out()

    assert sorted(str(path) for path in folder.parent.rglob("*")) == before


def test_a_dry_run_may_stop_early_and_says_so(folder, try_out):
    for number in range(9):
        (folder / f"{number}.xml").write_text(mark(number), encoding="utf-8")

    report = try_out(records_max=4, show=2)

    assert (report.mapped, report.stopped, len(report.shown)) == (4, True, 2)
    assert "stopped early" in render(report)


SQL = """
reach: {url: "${secret:DSN}", table: T, key: NO, watermark: {column: AT, zone: UTC}, limits: {rows: 3}}
key: number
map: {number: {path: NO, use: [trim], required: true}}
"""


@pytest.mark.parametrize("count", [2, 9])
def test_a_table_is_read_whole_even_beyond_what_one_search_may_give(holder, try_out, count):
    holder.run(
        "CREATE TABLE T (NO VARCHAR(9), AT TIMESTAMP)",
        *(f"INSERT INTO T VALUES ('{n}', '2026-01-01 00:00:00')" for n in range(count)),
    )

    report = try_out(SQL, kind="sql", values={"DSN": holder.reader})

    assert (report.mapped, report.exit_code, report.secrets) == (count, 0, 1)
    assert "reach ok (table T) · capabilities fetch search changes" in render(report)


@pytest.mark.parametrize("holder", ["postgresql"], indirect=True)
def test_an_account_that_can_write_exits_with_2(holder, try_out):
    holder.run("CREATE TABLE T (NO VARCHAR(9), AT TIMESTAMP)")

    outcome = try_out(SQL, kind="sql", values={"DSN": holder.engine.url.render_as_string(hide_password=False)})

    assert outcome.exit_code == 2
    assert "is a superuser" in render(outcome)


def test_the_real_euipo_folder_prints_the_page_of_the_design(ipdata, tools, write_source):
    text = write_source(
        f"reach: {{location: {ipdata / 'trademark' / 'euipo'}, match: '*.xml'}}\nread: {{format: xml, "
        'namespaces: {t: "http://euipo.europa.eu/trademark/data"}, expect: "/t:Transaction", '
        'records: "//t:TradeMark"}\nkey: number\nmap:\n'
        '  number: {path: "t:ApplicationNumber", use: [trim, {number: EM.trademark}], required: true}\n'
        '  application_date: {path: "t:ApplicationDate", use: [{date: ["%Y-%m-%d"]}], required: true}\n'
    )

    outcome = dry_run(text, secrets={}, variables={}, tools=tools)
    lines = render(outcome).splitlines()

    assert lines[0].startswith("schema ok · secrets 0 missing · reach ok (111 files) · capabilities fetch changes")
    assert lines[1].startswith("mapped 110   quarantined 1   flagged 0   ")
    assert "  018229614  application_date  missing_required   /t:Transaction/…/t:TradeMark/t:ApplicationDate" in lines
    assert outcome.exit_code == 1


def test_no_line_of_the_page_holds_a_secret(try_out, tmp_path):
    outcome = try_out(SQL, kind="sql", values={"DSN": f"sqlite:///{tmp_path}/s3cret-place.db"})

    assert isinstance(outcome, Unusable)
    assert "s3cret" not in render(outcome)
    assert Path(tmp_path, "s3cret-place.db").exists() is False


CSV = """\
reach: {location: "${HERE}", match: "*.csv", ready: {quiet_seconds: 0}}
read: {format: csv}
key: application_number
map:
  application_number: {path: no, use: [trim], required: true}
  office: {const: EM}
  application_date: {path: filed, use: [{date: ["%Y-%m-%d"]}], required: true}
  expiry_date: {path: ends, use: [{date: ["%Y-%m-%d"]}]}
"""


def test_each_rejected_row_is_named_by_file_and_number_and_reasons_are_counted(folder, try_out):
    rows = ["no,filed,ends", "1,2024-01-10,", "2,10.1.2024,", "3,11.1.2024,", ",2024-01-10,", "5,2024-01-10"]
    (folder / "marks.csv").write_text("\n".join(rows) + "\n")

    page = render(try_out(CSV))

    assert "by reason  application_date bad_date 2 · application_number missing_required 1 · (whole record) " in page
    assert "  2  application_date  bad_date   marks.csv#2  filed\n" in page
    assert "  marks.csv#4  application_number  missing_required   marks.csv#4  no\n" in page
    assert "  marks.csv#5  (whole record)  not_parseable " in page
    assert "10.1.2024" not in page


def test_what_is_odd_about_records_that_are_served_is_told_and_no_reason_to_fail(folder, try_out, tools):
    odd = replace(tools, oddities=lambda record_type, fields: [("expiry_date", "contradictory", "is past")])
    (folder / "marks.csv").write_text("no,filed,ends\n1,2024-01-10,2025-01-10\n")

    report = try_out(CSV, tools=odd)

    assert (report.exit_code, report.mapped) == (0, 1)
    assert "odd, and served all the same\n  1  expiry_date  contradictory   is past\n" in render(report)


def test_the_catalogue_s_own_oddities_are_among_them(folder, try_out):
    (folder / "marks.csv").write_text("no,filed,ends\n018222197,2024-01-10,2025-01-10\n")
    text = CSV.replace("map:\n", "map:\n  mark_status: {const: registered}\n  mark_feature: {const: word}\n")

    report = try_out(text, tools=mapping_tools())

    assert report.exit_code == 0, render(report)
    assert {why.field for _, why in report.odd} >= {"verbal_element"}
    assert "odd, and served all the same" in render(report)
