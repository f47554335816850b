"""A log as it is after years: many entries in its tree, tiles and head before the first call."""

from gateway.demo.run import Demo
from gateway.evidence.leaf import Leaf
from gateway.evidence.sequencer import Ticket
from gateway.wiring import build
from tests.bench.figures import say

CHUNK = 8192
SAID_EVERY = 100_000


def age(demo: Demo, entries: int) -> None:
    """Append through the log's own batches, larger ones than callers make; the server publishes them at its start."""
    services = build(demo.settings)
    try:
        batches = services.log._batches
        for start in range(0, entries, CHUNK):
            numbers = range(start, min(start + CHUNK, entries))
            batches.commit([Ticket(Leaf(f"aged:{number}", _entry(number))) for number in numbers])
            if start // SAID_EVERY != numbers[-1] // SAID_EVERY:
                say(f"log aged by {numbers[-1] + 1:,} of {entries:,} entries")
    finally:
        services.close()


def _entry(number: int) -> bytes:
    """As long as an exchange's."""
    return b'{"c":"%043d","o":"released","t":1790000000,"v":1}' % number
