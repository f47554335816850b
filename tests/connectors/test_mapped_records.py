"""What a source remembers of mapped records is bounded by what it takes, not only by how many there are."""

import pytest

from connectors.mapped_records import MappedRecords
from connectors.mapping import Mapped
from connectors.protocol import RecordKey


@pytest.fixture
def remembered():
    return MappedRecords(records=3, total_bytes=100_000)


def mapped(characters):
    texts = [{"lang": "en", "text": "x" * (characters // 2)}, {"lang": "fr", "text": "y" * (characters // 2)}]
    return Mapped("7.xml", RecordKey("7"), None, {"goods": texts})


def test_the_one_not_asked_for_longest_goes(remembered):
    records = [mapped(10) for _ in range(4)]
    for number in (0, 1, 2):
        remembered.keep(number, records[number])
    remembered.get(0)

    remembered.keep(3, records[3])

    assert [remembered.get(number) for number in range(4)] == [records[0], None, records[2], records[3]]


def test_large_ones_are_fewer():
    remembered = MappedRecords(total_bytes=100_000)

    for number in range(10):
        remembered.keep(number, mapped(20_000))
        remembered.keep(number, mapped(24_000))  # another reading of the same one takes its place

    assert [number for number in range(10) if remembered.get(number)] == [6, 7, 8, 9]


def test_one_that_would_push_out_the_others_is_not_kept(remembered):
    small = mapped(10)
    remembered.keep("small", small)

    remembered.keep("large", mapped(60_000))

    assert remembered.get("large") is None
    assert remembered.get("small") is small
