"""Mapped records that a source remembers: so many, and of so much memory together, whatever the size of each."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Final

from connectors.formats.document import Json
from connectors.mapping import Mapped

RECORDS: Final = 512
BYTES: Final = 4 << 20
LARGEST_SHARE: Final = 4
"""A record that takes more than one part in so many is not kept: it would push out what is asked for more often."""


class MappedRecords:
    """What was read last goes last. Used by many threads."""

    def __init__(self, *, records: int = RECORDS, total_bytes: int = BYTES) -> None:
        self._most = records
        self._most_bytes = total_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Mapped, int]] = OrderedDict()
        self._bytes = 0

    def get(self, place: Hashable) -> Mapped | None:
        with self._lock:
            found = self._kept.get(place)
            if found is None:
                return None
            self._kept.move_to_end(place)
            return found[0]

    def keep(self, place: Hashable, mapped: Mapped) -> None:
        size = _bytes_of(dict(mapped.fields))
        if size * LARGEST_SHARE > self._most_bytes:
            return
        with self._lock:
            self._bytes += size - self._kept.pop(place, (None, 0))[1]
            self._kept[place] = mapped, size
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def _bytes_of(value: Json) -> int:
    """Say what a JSON value takes in memory; a text that stands in it twice counts twice."""
    size = sys.getsizeof(value)
    if isinstance(value, Mapping):
        size += sum(map(_bytes_of, value.values()))
    elif isinstance(value, list):
        size += sum(map(_bytes_of, value))
    return size
