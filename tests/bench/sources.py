"""What comes in: records mapped in a second by format, rows of a database, memory while a large folder is followed."""

import json
import multiprocessing
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from openpyxl import Workbook

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Changes, Watermark
from connectors.source_file import read_source
from connectors.sources import OpenSource, open_source
from gateway.wiring import mapping_tools
from tests.bench import figures
from tests.bench.answers import Faults

HEAD = """
source: {{name: bench-{kind}, holder: ipo-xa, record_type: {type}, schema_version: 1, kind: {kind}}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P1D, stale: P2D}}
"""
MARKS = """
key: application_number
map:
  office: {{const: XA}}
  application_number: {{path: {number}, use: [trim], required: true}}
  application_date: {{path: {filed}, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
  verbal_element: {{path: {name}, use: [collapse]}}
  disclaimer: {{each: {each}, map: {{text: {{path: {text}, use: [collapse], required: true}}}}}}
"""
PAGE_BYTES = 200_000
"""A record of the large folder: a long text, as registers have some."""


@dataclass(frozen=True, slots=True)
class Size:
    records: int
    rows: int
    megabytes: int


def measure(folder: Path, size: Size, faults: Faults) -> None:
    """Print records a second and core for each format, rows a second, and the memory a folder takes."""
    place = folder / "sources"
    place.mkdir()
    for form, write in _FORMS.items():
        source = _files(place / form, form, lambda target, write=write: write(target, size.records))
        _report(f"mapped_{form}", source, size.records, faults)
    _report("mapped_sql", _table(place / "table.db", size.rows), size.rows, faults)
    figures.say(f"following {size.megabytes} MB")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        records, before, after = pool.submit(follow_large, str(place / "large"), size.megabytes).result()
    if records != _large_count(size.megabytes):
        faults.add(f"of a large folder {records} records came")
    figures.count("large_folder", size.megabytes, "MB")
    figures.count("large_folder_memory", (after - before) / 1024, "MB more than before")


def follow_large(place: str, megabytes: int) -> tuple[int, int, int]:
    """Follow a large folder in a process of its own.

    Returns:
        how many records were mapped, and the largest memory of the process before and after, in KiB.
    """
    count = _large_count(megabytes)
    text = "word " * (PAGE_BYTES // 5)
    source = _files(Path(place), "xml", lambda target: _write_xml(target, count, text=text, each=20))
    before = _most_memory()
    mapped = _mapped(source)
    return mapped, before, _most_memory()


def _most_memory() -> int:
    """Give the largest memory of this process so far, in KiB; `getrusage` counts what it was forked from as well."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def _large_count(megabytes: int) -> int:
    return megabytes * 1_000_000 // PAGE_BYTES


def _report(name: str, source: OpenSource, expected: int, faults: Faults) -> None:
    began, cpu = perf_counter(), process_time()
    mapped = _mapped(source)
    spent, cpu = perf_counter() - began, process_time() - cpu
    source.close()
    if mapped != expected:
        faults.add(f"{name}: {mapped} of {expected} records were mapped")
    figures.rate(name, mapped / spent)
    figures.rate(f"{name}_per_core", mapped / cpu)


def _mapped(source: OpenSource) -> int:
    mark: Watermark | None = None
    count = 0
    while True:
        changes = source.connector.changes(mark, Deadline.within(600))
        if not isinstance(changes, Changes):
            return count
        count += sum(isinstance(source.apply(found), Mapped) for found in changes.found)
        if changes.complete:
            return count
        mark = changes.next


def _files(place: Path, form: str, write: Callable[[Path], None]) -> OpenSource:
    place.mkdir(parents=True)
    write(place)
    read, names = _READ[form]
    text = HEAD.format(kind="files", type="trademark")
    text += f'reach: {{location: "{place}", match: "*.{form}", ready: {{quiet_seconds: 0}}}}\nread: {read}\n'
    return _opened(text + MARKS.format(**names))


def _opened(text: str) -> OpenSource:
    return open_source(
        read_source(text), secrets={}, variables={}, tools=mapping_tools(), clock=lambda: datetime.now(UTC)
    )


_NAMES = {"number": "no", "filed": "filed", "name": "name", "each": "notes", "text": "text"}
_READ = {
    "xml": ('{format: xml, records: "/marks/mark"}', _NAMES),
    "json": ('{format: json, records: "marks"}', _NAMES),
    "csv": ("{format: csv}", _NAMES | {"each": '"@"', "text": "note"}),
    "xlsx": ("{format: xlsx}", _NAMES | {"each": '"@"', "text": "note"}),
}


def _write_xml(place: Path, count: int, *, text: str = "a note", each: int = 1) -> None:
    for start in range(0, count, each):
        marks = "".join(
            f"<mark><no>{n:09}</no><filed>2024-01-10</filed><name>MARK {n}</name>"
            f"<notes><text>{text}</text></notes></mark>"
            for n in range(start, min(start + each, count))
        )
        (place / f"{start:09}.xml").write_text(f"<marks>{marks}</marks>")


def _write_json(place: Path, count: int) -> None:
    for n in range(count):
        mark = {"no": f"{n:09}", "filed": "2024-01-10", "name": f"MARK {n}", "notes": [{"text": "a note"}]}
        (place / f"{n:09}.json").write_text(json.dumps({"marks": [mark]}))


def _write_csv(place: Path, count: int) -> None:
    rows = (f"{n:09},2024-01-10,MARK {n},a note\n" for n in range(count))
    (place / "marks.csv").write_text("no,filed,name,note\n" + "".join(rows))


def _write_xlsx(place: Path, count: int) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["no", "filed", "name", "note"])
    for n in range(count):
        sheet.append([f"{n:09}", "2024-01-10", f"MARK {n}", "a note"])
    book.save(place / "marks.xlsx")


_FORMS: dict[str, Callable[[Path, int], None]] = {
    "xml": _write_xml,
    "json": _write_json,
    "csv": _write_csv,
    "xlsx": _write_xlsx,
}


def _table(place: Path, rows: int) -> OpenSource:
    database = sqlite3.connect(place)
    database.execute("CREATE TABLE MARK (no TEXT PRIMARY KEY, filed TEXT, name TEXT, note TEXT, at TEXT)")
    database.executemany(
        "INSERT INTO MARK VALUES (?, '2024-01-10', ?, 'a note', ?)",
        ((f"{n:09}", f"MARK {n}", f"2026-01-10 08:{n // 60 % 60:02}:{n % 60:02}") for n in range(rows)),
    )
    database.commit()
    database.close()
    text = HEAD.format(kind="sql", type="trademark")
    text += f'reach: {{url: "sqlite:///{place}", table: MARK, key: no, watermark: {{column: at, zone: UTC}}}}\n'
    return _opened(text + MARKS.format(**_READ["csv"][1]))
