import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.kinds import files
from connectors.mapping import Mapped
from connectors.protocol import Absent, Changes, Failed, FailReason, Found, RecordKey
from connectors.quarantine import Quarantined, Reason
from connectors.row_filter import EVERYTHING

SEVEN = RecordKey("7")


def mark(number, *, word="x", at="2026-01-01T00:00:00Z", name="R"):
    return f'<D xmlns="urn:made-up"><At>{at}</At><{name}><No>{number}</No><W>{word}</W></{name}></D>'


class Drop:
    """A folder into which a holder's system delivers. Files are as old as the test says, on the test's clock."""

    def __init__(self, path, clock):
        self.path = path
        self.clock = clock

    def put(self, name, content, *, age_seconds=3600):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.touch(file, age_seconds)
        return file

    def touch(self, file, age_seconds):
        stamp = self.clock().timestamp() - age_seconds
        os.utime(file, (stamp, stamp))


@pytest.fixture
def drop(tmp_path, clock):
    (tmp_path / "in").mkdir()
    return Drop(tmp_path / "in", clock)


XML = """
reach: {location: "${HERE}", match: "*.xml", ready: {quiet_seconds: 30}%s}
read: {format: xml, namespaces: {t: "urn:made-up"}, expect: "/t:D", records: "//t:R", deleted: "//t:Gone"}
key: number
revised: {path: "/t:D/t:At", use: [{datetime: UTC}]}
map:
  number: {path: "t:No", use: [trim], required: true}
  word: {path: "t:W", use: [trim]}
"""


@pytest.fixture
def xml(opened, drop, write_source):
    def make(reach="", **more):
        return opened(write_source(XML % reach), HERE=str(drop.path), **more)

    return make


def test_a_record_is_fetched_by_its_key_with_the_bytes_of_its_file(drop, xml, deadline, clock):
    file = drop.put("any-name.xml", mark(7, word="Añejo"))
    source = xml()

    found = source.connector.fetch(SEVEN, deadline)

    assert isinstance(found, Found)
    assert (found.raw, found.source_ref, found.key) == (file.read_bytes(), "any-name.xml", "7")
    assert (found.revised, found.fetched_at) == (datetime(2026, 1, 1, tzinfo=UTC), clock())
    assert source.apply(found).fields["word"] == "Añejo"


def test_a_record_of_megabytes_is_mapped_each_time_and_no_copy_stays(drop, xml, deadline):
    drop.put("7.xml", mark(7, word="long " * 300_000))
    drop.put("8.xml", mark(8))
    source = xml()

    def applied(key):
        return source.apply(source.connector.fetch(RecordKey(key), deadline))

    assert applied("7") is not applied("7")
    assert applied("8") is applied("8")


def test_absent_is_said_only_after_looking(drop, xml, deadline):
    drop.put("1.xml", mark(1))
    source = xml()
    assert source.connector.fetch(SEVEN, deadline) == Absent()

    drop.put("new.xml", mark(7))

    assert isinstance(source.connector.fetch(SEVEN, deadline), Found)


def test_a_file_that_changed_is_read_anew_and_one_that_went_is_absent(drop, xml, deadline):
    file = drop.put("7.xml", mark(7, word="old"))
    drop.put("8.xml", mark(8))
    source = xml()
    source.connector.fetch(SEVEN, deadline)

    drop.put("7.xml", mark(7, word="newer", at="2026-01-02T00:00:00Z"))
    assert source.apply(source.connector.fetch(SEVEN, deadline)).fields["word"] == "newer"
    file.unlink()

    assert source.connector.fetch(SEVEN, deadline) == Absent()


def test_a_file_that_took_over_another_key_no_longer_answers_for_the_old_one(drop, xml, deadline):
    drop.put("a.xml", mark(7))
    source = xml()
    source.connector.fetch(SEVEN, deadline)

    drop.put("a.xml", mark(8))

    assert source.connector.fetch(SEVEN, deadline) == Absent()
    assert isinstance(source.connector.fetch(RecordKey("8"), deadline), Found)


def test_an_unchanged_folder_is_not_listed_again(drop, xml, deadline, monkeypatch):
    for number in range(20):
        drop.put(f"{number}.xml", mark(number))
    os.utime(drop.path, (time.time() - 60, time.time() - 60))
    source = xml()
    source.connector.fetch(SEVEN, deadline)

    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail("listed again"))

    assert isinstance(source.connector.fetch(SEVEN, deadline), Found)


def test_a_half_written_file_is_neither_read_nor_called_absent(drop, xml, deadline, clock):
    drop.put("7.xml", mark(7)[:20], age_seconds=10)
    source = xml()

    early = source.connector.fetch(SEVEN, deadline)
    drop.put("7.xml", mark(7), age_seconds=0)
    clock.advance(30)
    late = source.connector.fetch(SEVEN, deadline)

    assert early == Failed(FailReason.NOT_READY, timedelta(seconds=20))
    assert isinstance(late, Found)


def test_a_record_that_is_being_written_anew_is_not_served_from_its_old_state(drop, xml, deadline):
    drop.put("7.xml", mark(7))
    source = xml()
    source.connector.fetch(SEVEN, deadline)

    drop.put("7.xml", mark(7)[:20], age_seconds=1)

    assert source.connector.fetch(SEVEN, deadline) == Failed(FailReason.NOT_READY, timedelta(seconds=29))


def test_a_delivery_that_hides_until_it_is_whole_is_not_seen(drop, xml, deadline):
    drop.put("8.xml", mark(8))
    hidden = drop.put(".7.xml", mark(7)[:9])
    source = xml()
    assert source.connector.fetch(SEVEN, deadline) == Absent()

    hidden.write_text(mark(7), encoding="utf-8")
    drop.touch(hidden, 3600)
    hidden.rename(drop.path / "7.xml")

    assert isinstance(source.connector.fetch(SEVEN, deadline), Found)


def test_a_file_that_cannot_be_read_could_be_the_one_asked_for(drop, xml, deadline):
    drop.put("7.xml", mark(7)[:30])
    drop.put("8.xml", mark(8))
    source = xml()

    assert source.connector.fetch(SEVEN, deadline) == Failed(FailReason.RECORD_UNREADABLE)
    assert isinstance(source.connector.fetch(RecordKey("8"), deadline), Found)
    assert source.connector.health().state == "degraded"


def test_a_folder_that_is_not_there_is_not_an_empty_one(drop, xml, deadline):
    file = drop.put("7.xml", mark(7))
    source = xml()
    source.connector.fetch(SEVEN, deadline)

    file.unlink()  # as if the volume were unmounted: the folder is there, and all of it is gone
    assert source.connector.fetch(SEVEN, deadline) == Failed(FailReason.UNREACHABLE)
    drop.path.rmdir()
    assert source.connector.fetch(RecordKey("1"), deadline) == Failed(FailReason.UNREACHABLE)
    assert source.connector.health().state == "down"


def test_an_empty_folder_has_no_records(xml, deadline):
    assert xml().connector.fetch(SEVEN, deadline) == Absent()


def test_links_and_other_things_that_are_no_files_are_passed_over(drop, xml, deadline, tmp_path):
    secret = tmp_path / "secret.xml"
    secret.write_text(mark(7), encoding="utf-8")
    (drop.path / "link.xml").symlink_to(secret)
    os.mkfifo(drop.path / "pipe.xml")
    drop.put("8.xml", mark(8))
    source = xml()

    assert source.connector.fetch(SEVEN, deadline) == Absent()
    assert source.connector.health().note == "1 file, 2 passed over, no plain files"


def test_a_file_swapped_for_a_link_after_listing_is_not_followed(drop, xml, deadline, tmp_path):
    file = drop.put("7.xml", mark(7))
    source = xml()
    source.connector.fetch(SEVEN, deadline)
    elsewhere = tmp_path / "elsewhere.xml"
    elsewhere.write_bytes(file.read_bytes())

    file.unlink()
    file.symlink_to(elsewhere)

    assert not isinstance(source.connector.fetch(SEVEN, deadline), Found)


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "7.xml", "..", "%2e%2e", "7' OR '1'='1", "*"])
def test_a_key_is_looked_up_and_never_made_into_a_path(drop, xml, deadline, key):
    drop.put("7.xml", mark(7))

    assert xml().connector.fetch(RecordKey(key), deadline) == Absent()


def test_subfolders_are_read_only_where_the_source_file_says_so(drop, xml, deadline):
    drop.put("a/b/7.xml", mark(7))
    drop.put("8.xml", mark(8))

    assert xml().connector.fetch(SEVEN, deadline) == Absent()
    found = xml(reach=", subfolders: true").connector.fetch(SEVEN, deadline)
    assert found.source_ref == "a/b/7.xml"


def test_a_tombstone_says_deleted_and_a_later_record_says_it_is_back(drop, xml, deadline):
    drop.put("1.xml", mark(7))
    drop.put("2.xml", mark(7, at="2026-02-01T00:00:00Z", name="Gone"))
    source = xml()

    assert source.connector.fetch(SEVEN, deadline) == Absent()
    drop.put("3.xml", mark(7, at="2026-03-01T00:00:00Z", word="back"))

    assert source.apply(source.connector.fetch(SEVEN, deadline)).fields["word"] == "back"


def test_of_two_files_with_one_key_the_newer_revision_answers(drop, xml, deadline):
    drop.put("a.xml", mark(7, word="new", at="2026-02-01T00:00:00Z"))
    drop.put("b.xml", mark(7, word="old"))
    source = xml()

    outcome = source.apply(source.connector.fetch(SEVEN, deadline))

    assert isinstance(outcome, Mapped)
    assert outcome.fields["word"] == "new"


def test_two_different_records_with_one_key_and_revision_are_not_chosen_from(drop, xml, deadline):
    drop.put("a.xml", mark(7, word="one"))
    drop.put("b.xml", mark(7, word="other"))
    source = xml()

    outcome = source.apply(source.connector.fetch(SEVEN, deadline))

    assert isinstance(outcome, Quarantined)
    assert [why.reason for why in outcome.reasons] == [Reason.DUPLICATE_IN_BATCH]


def test_the_same_file_delivered_twice_is_one_record(drop, xml, deadline):
    drop.put("a.xml", mark(7))
    drop.put("copy of a.xml", mark(7))
    source = xml()

    assert isinstance(source.apply(source.connector.fetch(SEVEN, deadline)), Mapped)


def test_too_large_a_file_is_quarantined_and_not_read_whole(drop, xml, deadline):
    drop.put("7.xml", mark(7, word="x" * 5000))
    source = xml(reach=", limits: {file_bytes: 1000}")

    changes = source.connector.changes(None, deadline)

    assert len(changes.found[0].raw) == 1001
    assert source.apply(changes.found[0]).reasons[0].reason is Reason.TOO_LARGE


def test_more_files_than_allowed_are_not_quietly_cut(drop, xml, deadline):
    for number in range(4):
        drop.put(f"{number}.xml", mark(number))

    assert xml(reach=", limits: {files: 3}").connector.fetch(SEVEN, deadline) == Failed(FailReason.MISCONFIGURED)


def test_changes_bring_every_record_once_and_then_only_what_is_new(drop, xml, deadline):
    drop.put("7.xml", mark(7))
    drop.put("8.xml", mark(8))
    source = xml()

    first = source.connector.changes(None, deadline)
    again = source.connector.changes(first.next, deadline)
    drop.put("9.xml", mark(9), age_seconds=999_999)  # delivered late, with an old time stamp
    late = source.connector.changes(again.next, deadline)

    assert (keys(first), keys(again), keys(late)) == (["7", "8"], [], ["9"])
    assert first.complete


def keys(changes):
    assert isinstance(changes, Changes)
    return sorted(found.key for found in changes.found)


def test_the_same_bytes_again_are_no_change(drop, xml, deadline):
    file = drop.put("7.xml", mark(7))
    source = xml()
    mark_after = source.connector.changes(None, deadline).next

    drop.touch(file, 60)

    assert keys(source.connector.changes(mark_after, deadline)) == []


def test_changes_tell_deletions_and_replaced_revisions_do_not_come(drop, xml, deadline):
    drop.put("1.xml", mark(7), age_seconds=300)
    drop.put("2.xml", mark(7, at="2026-02-01T00:00:00Z"), age_seconds=200)
    drop.put("3.xml", mark(8), age_seconds=100)
    drop.put("4.xml", mark(8, at="2026-02-01T00:00:00Z", name="Gone"), age_seconds=100)
    source = xml()

    changes = source.connector.changes(None, deadline)

    assert [(found.key, found.source_ref) for found in changes.found] == [("7", "2.xml")]
    assert changes.deleted == ("8",)


def test_an_older_revision_after_a_newer_one_is_quarantined(drop, xml, deadline):
    drop.put("1.xml", mark(7, at="2026-02-01T00:00:00Z"))
    source = xml()
    after = source.connector.changes(None, deadline).next

    drop.put("2.xml", mark(7, at="2026-01-01T00:00:00Z"))
    (found,) = source.connector.changes(after, deadline).found

    assert [why.reason for why in source.apply(found).reasons] == [Reason.OLDER_REVISION]
    assert source.connector.fetch(SEVEN, deadline).source_ref == "1.xml"


def test_an_unreadable_file_comes_with_its_bytes_and_is_quarantined(drop, xml, deadline):
    drop.put("bad.xml", b"\xff\xfe not xml")
    source = xml()

    (found,) = source.connector.changes(None, deadline).found

    assert (found.key, found.raw) == (None, b"\xff\xfe not xml")
    assert source.apply(found).reasons[0].reason is Reason.WRONG_ENCODING


def test_many_files_come_in_batches_until_complete(drop, xml, deadline, monkeypatch):
    monkeypatch.setattr(files, "BATCH_FILES", 3)
    for number in range(8):
        drop.put(f"{number}.xml", mark(number))
    source, seen, mark_now, calls = xml(), [], None, 0

    while True:
        changes = source.connector.changes(mark_now, deadline)
        seen += keys(changes)
        mark_now, calls = changes.next, calls + 1
        if changes.complete:
            break

    assert (sorted(seen), calls) == ([str(number) for number in range(8)], 3)


def test_an_index_that_is_kept_survives_and_a_lost_one_means_all_again(drop, xml, deadline, tmp_path):
    drop.put("7.xml", mark(7))
    state = tmp_path / "state"
    state.mkdir()
    after = xml(state=state).connector.changes(None, deadline).next

    kept = xml(state=state).connector.changes(after, deadline)
    anew = xml().connector.changes(after, deadline)

    assert (keys(kept), keys(anew)) == ([], ["7"])
    assert (state / "test-source.index").stat().st_mode & 0o777 == 0o600


def test_another_mapping_begins_the_index_anew(drop, opened, write_source, deadline, tmp_path):
    drop.put("7.xml", mark(7))
    text = write_source(XML % "")
    opened(text, HERE=str(drop.path), state=tmp_path).connector.fetch(SEVEN, deadline)

    other = text.replace("use: [trim], required", "use: [trim, {prefix: 'N'}], required")

    source = opened(other, HERE=str(drop.path), state=tmp_path)
    assert source.connector.fetch(RecordKey("N7"), deadline).key == "N7"
    assert source.connector.fetch(SEVEN, deadline) == Absent()


def test_a_broken_index_is_made_anew_from_the_folder(drop, xml, deadline, tmp_path):
    drop.put("7.xml", mark(7))
    xml(state=tmp_path).close()
    for name in ("test-source.index", "test-source.index-wal"):
        (tmp_path / name).write_bytes(b"not an index any more" * 500)

    assert isinstance(xml(state=tmp_path).connector.fetch(SEVEN, deadline), Found)


def test_an_index_that_cannot_be_used_is_our_fault_and_not_an_absent_record(drop, xml, deadline):
    drop.put("7.xml", mark(7))
    source = xml()
    source.connector._inner._index._connection.execute("DROP TABLE record")

    assert source.connector.fetch(SEVEN, deadline) == Failed(FailReason.MISCONFIGURED)
    assert source.connector.changes(None, deadline) == Failed(FailReason.MISCONFIGURED)


def test_two_processes_may_share_one_index(drop, xml, deadline, tmp_path):
    one, other = xml(state=tmp_path), xml(state=tmp_path)

    drop.put("7.xml", mark(7))
    assert isinstance(one.connector.fetch(SEVEN, deadline), Found)
    drop.put("8.xml", mark(8))
    assert isinstance(other.connector.fetch(RecordKey("8"), deadline), Found)

    after = other.connector.changes(None, deadline)
    assert keys(one.connector.changes(after.next, deadline)) == []


def test_a_first_reading_that_takes_too_long_goes_on_where_it_stopped(drop, xml):
    for number in range(250):
        drop.put(f"{number}.xml", mark(number))
    source, ticks = xml(), iter(range(1_000_000))

    answers = []
    while not answers or answers[-1] == Failed(FailReason.TIMEOUT):
        answers.append(source.connector.fetch(SEVEN, Deadline(next(ticks) + 150.0, lambda: float(next(ticks)))))

    assert isinstance(answers[-1], Found)
    assert 1 < len(answers) < 6


def test_a_folder_cannot_be_searched(drop, xml, deadline):
    assert xml().connector.search(EVERYTHING, None, deadline) == Failed(FailReason.UNSUPPORTED)
    assert xml().connector.capabilities().operations == {"fetch", "changes"}


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


def test_a_relative_location_depends_on_the_process_and_is_refused(opened, write_source):
    with pytest.raises(SourceFileError, match="absolute"):
        opened(write_source(XML % ""), HERE="relative/path")
    with pytest.raises(SourceFileError, match="HERE"):
        opened(write_source(XML % ""))


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
