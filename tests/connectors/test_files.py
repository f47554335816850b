"""A record is fetched from the folder as it is now: nothing half-written, nothing stale, nothing from elsewhere."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import SourceFileError
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from connectors.row_filter import EVERYTHING
from tests.connectors.deliveries import SEVEN, XML, mark


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


def test_more_files_than_allowed_are_not_quietly_cut(drop, xml, deadline):
    for number in range(4):
        drop.put(f"{number}.xml", mark(number))

    assert xml(reach=", limits: {files: 3}").connector.fetch(SEVEN, deadline) == Failed(FailReason.MISCONFIGURED)


def test_a_folder_cannot_be_searched(drop, xml, deadline):
    assert xml().connector.search(EVERYTHING, None, deadline) == Failed(FailReason.UNSUPPORTED)
    assert xml().connector.capabilities().operations == {"fetch", "changes"}


def test_a_relative_location_depends_on_the_process_and_is_refused(opened, write_source):
    with pytest.raises(SourceFileError, match="absolute"):
        opened(write_source(XML % ""), HERE="relative/path")
    with pytest.raises(SourceFileError, match="HERE"):
        opened(write_source(XML % ""))
