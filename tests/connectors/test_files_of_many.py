"""Files that hold many records, in JSON and CSV: each record comes alone, without its neighbours."""

import os
import shutil
from pathlib import Path

from connectors.mapping import Mapped
from connectors.protocol import RecordKey
from connectors.quarantine import Reason
from tests.connectors.deliveries import SEVEN

JSON = """
reach: {location: "${HERE}", match: "*.json", ready: {quiet_seconds: 0}}
read: {format: json, records: "cases"}
key: number
map: {number: {path: no, use: [trim], required: true}, word: {path: word}}
"""


def test_several_records_of_one_json_file_are_told_apart(drop, opened, write_source, deadline):
    drop.put("all.json", '{"cases": [{"no": "6", "word": "six"}, {"no": "7", "word": "seven"}]}')
    source = opened(write_source(JSON), HERE=str(drop.path))

    found = source.connector.fetch(SEVEN, deadline)

    assert (found.source_ref, found.position) == ("all.json#2", 1)
    assert source.apply(found).fields["word"] == "seven"


def test_a_file_of_many_records_is_parsed_once_for_all_of_them(drop, opened, write_source, deadline, monkeypatch):
    drop.put("all.json", '{"cases": [' + ", ".join(f'{{"no": "{n}"}}' for n in range(50)) + "]}")
    source = opened(write_source(JSON), HERE=str(drop.path))
    changes = source.connector.changes(None, deadline)
    parses = []
    parse = source.mapping.format.parse
    monkeypatch.setattr(source.mapping.format, "parse", lambda raw: parses.append(1) or parse(raw))

    keys_seen = {source.apply(found).key for found in changes.found}

    assert (len(keys_seen), len(parses)) == (50, 1)


def test_one_key_twice_in_one_file_is_a_duplicate(drop, opened, write_source, deadline):
    drop.put("all.json", '{"cases": [{"no": "7", "word": "a"}, {"no": "7", "word": "b"}]}')
    source = opened(write_source(JSON), HERE=str(drop.path))

    assert source.apply(source.connector.fetch(SEVEN, deadline)).reasons[0].reason is Reason.DUPLICATE_IN_BATCH


CSV = """
reach: {location: "${HERE}", match: "*.csv", ready: {quiet_seconds: 0}}
read: {format: csv, encoding: gb18030}
key: number
map: {number: {path: 番号, use: [trim], required: true}, word: {path: 名称}}
"""


def test_a_row_of_csv_is_fetched_with_its_header_and_without_its_neighbours(drop, opened, write_source, deadline):
    drop.put("all.csv", "番号,名称\r\n6,六\r\n7,七\r\nbroken\r\n".encode("gb18030"))
    source = opened(write_source(CSV), HERE=str(drop.path))

    found = source.connector.fetch(SEVEN, deadline)
    changes = source.connector.changes(None, deadline)

    assert found.raw == "番号,名称\r\n7,七\r\n".encode("gb18030")
    assert source.apply(found).fields == {"number": "7", "word": "七"}
    assert [type(source.apply(item)).__name__ for item in changes.found] == ["Mapped", "Mapped", "Quarantined"]


def test_two_thousand_real_declarations_come_one_by_one_without_their_neighbours(
    opened, write_source, ipdata, deadline, clock, tmp_path
):
    for file in (ipdata / "customs").glob("*.csv"):
        copied = Path(shutil.copy(file, tmp_path))
        os.utime(copied, (clock().timestamp(), clock().timestamp()))  # whenever the folder was put on this machine
    text = f"""
    reach: {{location: {tmp_path}, match: "*.csv", ready: {{quiet_seconds: 0}}}}
    read: {{format: csv}}
    key: number
    map:
      number: {{path: Declaration ID, use: [trim], required: true}}
      day: {{path: Date, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
      mass: {{path: Net Mass, use: [decimal]}}
    """
    source = opened(write_source(text))

    seen, mark_now, complete = 0, None, False
    while not complete:
        changes = source.connector.changes(mark_now, deadline)
        assert all(isinstance(source.apply(found), Mapped) for found in changes.found)
        seen, mark_now, complete = seen + len(changes.found), changes.next, changes.complete
    found = source.connector.fetch(RecordKey("64859691"), deadline)

    assert seen == 2000
    assert found.raw.count(b"\n") == 2
    assert source.apply(found).fields["mass"] == "400"
