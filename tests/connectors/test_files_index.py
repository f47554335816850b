"""The index of a folder may be kept, shared, lost or broken: no answer is wrong for it."""

from connectors.deadline import Deadline
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from tests.connectors.deliveries import SEVEN, XML, keys, mark


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
