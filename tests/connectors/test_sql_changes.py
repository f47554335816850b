"""Changes of a table follow its watermark: no row and no deletion is lost or repeated between batches."""

from connectors.kinds import sql_changes
from connectors.protocol import Changes, Failed, FailReason, Found, Watermark
from tests.connectors.detentions import D1, SOURCE, detention


def keys(changes):
    assert isinstance(changes, Changes), changes
    return [found.key for found in changes.found]


def test_changes_follow_the_watermark_with_overlap(customs, holder, deadline):
    source = customs(detention("D-1", at="2026-01-10 08:00:00"), detention("D-2", at="2026-01-10 09:00:00"))

    first = source.connector.changes(None, deadline)
    holder.run(
        detention("D-3", at="2026-01-10 08:56:00"),  # committed late, with a moment that is already past
        detention("D-4", at="2026-01-10 08:00:00"),
        detention("D-5", at="2026-01-11 08:00:00"),
    )
    second = source.connector.changes(first.next, deadline)

    assert (keys(first), first.complete) == (["D-1", "D-2"], True)
    assert keys(second) == ["D-3", "D-2", "D-5"]


def test_rows_that_share_a_moment_are_neither_lost_nor_repeated_between_batches(customs, deadline, monkeypatch):
    monkeypatch.setattr(sql_changes, "BATCH_ROWS", 3)
    source = customs(*(detention(f"D-{n}") for n in range(8)))
    batches, mark = [], None

    for _ in range(3):
        changes = source.connector.changes(mark, deadline)
        batches, mark = [*batches, (keys(changes), changes.complete)], changes.next

    assert batches == [(["D-0", "D-1", "D-2"], False), (["D-3", "D-4", "D-5"], False), (["D-6", "D-7"], True)]


def test_deletions_are_told_unless_the_record_was_entered_anew(customs, deadline):
    source = customs(
        detention("D-1"),
        "INSERT INTO DETENTION_DEL VALUES ('D-1', '2026-01-01 00:00:00')",
        "INSERT INTO DETENTION_DEL VALUES ('D-8', '2026-01-02 00:00:00')",
    )

    changes = source.connector.changes(None, deadline)

    assert changes.deleted == ("D-8",)
    assert source.connector.capabilities().deletions
    assert isinstance(source.connector.fetch(D1, deadline), Found)


def test_a_watermark_of_somebody_else_is_refused(customs, deadline):
    source = customs(detention("D-1"))

    assert source.connector.changes(Watermark("index:7"), deadline) == Failed(FailReason.MISCONFIGURED)


def test_a_source_without_watermark_has_no_changes(customs, deadline):
    text = "\n".join(line for line in SOURCE.splitlines() if "watermark:" not in line)

    source = customs(detention("D-1"), text=text)

    assert source.connector.capabilities().operations == {"fetch", "search"}
    assert source.connector.changes(None, deadline) == Failed(FailReason.UNSUPPORTED)


def test_many_deletions_come_in_batches_and_none_is_lost(customs, deadline, monkeypatch):
    monkeypatch.setattr(sql_changes, "DELETED_ROWS", 2)
    source = customs(*(f"INSERT INTO DETENTION_DEL VALUES ('D-{n}', '2026-01-02 00:00:00')" for n in range(5)))

    deleted, mark, complete = [], None, False
    while not complete:
        changes = source.connector.changes(mark, deadline)
        deleted, mark, complete = [*deleted, *changes.deleted], changes.next, changes.complete

    assert deleted == [f"D-{n}" for n in range(5)]


def test_rows_without_a_moment_are_told_because_changes_never_bring_them(customs, deadline):
    source = customs(detention("D-1"), "INSERT INTO DETENTION VALUES ('D-2', '1', '20260110', NULL, NULL)")

    changes = source.connector.changes(None, deadline)

    assert keys(changes) == ["D-1"]
    assert "1 rows without upd_ts that changes never bring" in source.connector.health().note.lower()
