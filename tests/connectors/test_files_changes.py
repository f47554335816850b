"""Of a record delivered several times the newest state counts, and changes bring each state once."""

from connectors.kinds import files
from connectors.mapping import Mapped
from connectors.protocol import Absent
from connectors.quarantine import Quarantined, Reason
from tests.connectors.deliveries import SEVEN, keys, mark


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
