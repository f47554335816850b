"""A past for the demo world: months of exchanges that ended, in the real log, for auditors to search.

    Past(demo).begin()              # instead of `demo.prepare()`: registers the world as of half a year ago
    Past(demo).seed(100_000, echo)  # goes on where an interrupted run ended

What is real: each exchange has a request signed by its client, a receipt signed by the gateway, payloads under a key
of its own, a leaf in the log with tiles and checkpoints, a row in the auditors' index; its bundle verifies. What is
made up: nobody asked. Some fifty exchanges are brokered by the gateway in earnest; every other one repeats one of them
at another time, for another official. Fields of a release are gone after the usual days, as they would be.
"""

import json
import random
import secrets
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, islice
from typing import Final

from sqlalchemy import Connection, func, insert, select

from gateway.clock import utc_now
from gateway.demo import turns
from gateway.demo.repeated import NODE, Made, Pattern, brokered, repeated, sealed
from gateway.demo.run import Demo, DemoError
from gateway.demo.turns import Turn
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogEntry
from gateway.exchange.models import Exchange, ExchangePayload
from gateway.wiring import Services, build
from ipx.keyfile import read_key
from ipx.keys import KeySigner, Signer

HISTORY: Final = timedelta(days=180)
TOGETHER: Final = 2_000
"""Exchanges of one transaction."""
CASES: Final = tuple(f"CX-{number}/2026" for number in range(101, 109))
MARKS: Final = ("202400017", "202400052", "202400108", "202400131", "202400199", "202400207", "202500014", "202500066")
_WEIGHTS: Final = (
    (turns.RECORDAL, 8),
    (turns.MARK_ABROAD, 6),
    (turns.CONTACT_ABROAD, 2),
    (turns.OWNER_BEFORE_SEIZURE, 4),
    (turns.OWNER_AFTER_SEIZURE, 4),
    (turns.DETENTION_FOR_CASE, 3),
    (turns.SEALED_CASE, 1),
    (turns.NO_SUCH_CASE, 1),
    (turns.OPEN_CASE, 4),
)
_OFFICE_HOURS: Final = range(7, 18)

Echo = Callable[[str], None]


class _Moment:
    """A clock that says what it was set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Past:
    def __init__(self, demo: Demo, *, now: datetime | None = None) -> None:
        self._demo = demo
        self._now = now or utc_now()
        self._file = demo.directory / "past.json"

    def begin(self) -> None:
        """Register the world as of half a year ago; does nothing where that was done before.

        Raises:
            DemoError: the world was registered without a past: its keys are of today, and nothing older would verify.
        """
        if self._file.exists():
            self._demo.prepare()
            return
        if self._demo.settings_file.exists():
            raise DemoError(f"the world in {self._demo.directory} has no past: choose another folder with --dir")
        since = (self._now - HISTORY).replace(microsecond=0)
        self._demo.prepare(clock=_Moment(since))
        self._file.write_text(json.dumps({"since": since.isoformat()}), "utf-8")

    def seed(self, count: int, echo: Echo) -> int:
        """Write exchanges until the world's past has so many; gives how many were written now.

        Interrupted, it has written whole batches; called again, it goes on behind them.
        """
        moment = _Moment(datetime.fromisoformat(json.loads(self._file.read_text("utf-8"))["since"]))
        services = build(self._demo.settings, clock=moment)
        try:
            done, newest = _written(services)
            since, moment.at = newest or moment.at, self._now
            if count <= done:
                return 0
            wanted = count - done
            echo(f"brokering {len(self._turns())} exchanges in earnest, to be repeated")
            patterns = self._patterns(services)
            keys = {one.client_id: self._key(one.client_id) for one in patterns}
            times = _times(since, self._now - timedelta(minutes=5), wanted)
            made = _made(services, patterns, keys, times, moment)
            while batch := list(islice(made, TOGETHER)):
                _write(services, batch)
                done += len(batch)
                echo(f"  {done:,} of {count:,} exchanges are in the log ({moment.at:%d %B})")
            services.log.publish_soon()
            moment.at = self._now
            echo("noting what auditors search by")
            services.auditing.indexer.catch_up()
        finally:
            services.close()
        return wanted

    def _key(self, client_id: str) -> Signer:
        key = read_key(self._demo.world.keys[client_id])
        if not isinstance(key, KeySigner):
            raise DemoError(f"{client_id} has a key that signs no requests")
        return key

    def _turns(self) -> list[tuple[Turn, int]]:
        at_the_border = turns.MARK_AT_THE_BORDER
        marks = [(replace(at_the_border, key=mark), 6) for mark in MARKS]
        in_cases = [(replace(at_the_border, key=mark, case_ref=case), 1) for mark in MARKS[:4] for case in CASES]
        return [*marks, *in_cases, *_WEIGHTS]

    def _patterns(self, services: Services) -> list[Pattern]:
        def urn(agency: str, record_type: str, number: str) -> str:
            return self._demo.urn(agency, record_type, number, services.holder_keys)

        patterns = []
        for turn, weight in self._turns():
            pattern = brokered(services, turn.ask(urn), turn.client, weight, self._key(turn.client))
            if pattern is not None:
                patterns.append(pattern)
        return patterns


def _made(
    services: Services,
    patterns: Sequence[Pattern],
    keys: dict[str, Signer],
    times: Iterator[datetime],
    moment: _Moment,
) -> Iterator[Made]:
    chance = random.Random(secrets.randbits(64))  # noqa: S311  (spreads what is asked; nothing secret)
    heights = list(accumulate(one.weight for one in patterns))
    of_today: dict[int, Pattern] = {}
    day = None
    for at in times:
        moment.at = at
        if at.date() != day:
            day, of_today = at.date(), {}
        place = bisect(heights, chance.randrange(heights[-1]))
        pattern = of_today.get(place) or of_today.setdefault(place, sealed(services, patterns[place], at))
        yield repeated(services, pattern, keys[pattern.client_id], at, chance)


def _write(services: Services, batch: Sequence[Made]) -> None:
    """Write exchanges in the transaction of their leaves."""

    def write(connection: Connection) -> None:
        first = connection.execute(select(LogEntry.idx).where(LogEntry.step_id == batch[0].step)).scalar_one()
        connection.execute(insert(Exchange), [one.row | {"log_index": first + n} for n, one in enumerate(batch)])
        connection.execute(insert(ExchangePayload), [payload for one in batch for payload in one.payloads])

    leaves = [Leaf(one.step, one.entry) for one in batch]
    services.log.append_together([*leaves[:-1], replace(leaves[-1], then=write)])


def _written(services: Services) -> tuple[int, datetime | None]:
    """How many exchanges the past has, and when the newest of them was filed."""
    query = select(func.count(), func.max(Exchange.received_at)).where(Exchange.node == NODE)
    with services.database.read_connection() as connection:
        count, newest = connection.execute(query).one()
    return int(count), newest


def _times(begin: datetime, end: datetime, count: int) -> Iterator[datetime]:
    """Spread moments over a past, ever later ones: most in office hours, few at night and at week-ends."""
    hours = [begin + timedelta(hours=number) for number in range(max(1, int((end - begin) / timedelta(hours=1))))]
    heights = list(accumulate(_busy(hour) for hour in hours))
    for number in range(count):
        height = (number + 0.5) * heights[-1] / count
        place = bisect(heights, height)
        below = heights[place - 1] if place else 0.0
        yield hours[place] + timedelta(hours=(height - below) / (heights[place] - below))


def _busy(hour: datetime) -> float:
    if hour.weekday() > 4:  # noqa: PLR2004  (Saturday, Sunday)
        return 0.3
    return 10.0 if hour.hour in _OFFICE_HOURS else 0.5
