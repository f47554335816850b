"""Reports read counts that are kept by the day, and say at any moment what the exchanges themselves say."""

import json
import random
import threading
from collections import Counter
from datetime import timedelta
from statistics import median

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.auditor.daily_counts import Kind
from gateway.auditor.models import ExchangeDay, ExchangeSearch, ExchangeVersions
from gateway.auditor.scope import Scope
from gateway.exchange.models import Exchange
from ipx.encoding import b64url
from ipx.ids import uuid7

DAYS = 12
INSTANT = timedelta.resolution
NATION, CUSTOMS = Scope("person:carol", None), Scope("person:dora", "customs-xa")
STATES = ("released", "denied", "pending", "failed")


class Past:
    """Exchanges of some days, made up, in the database of a gateway."""

    def __init__(self, services):
        self.services = services
        self.drawn = random.Random(8)
        self.next_leaf = 1_000_000
        self.now = services.clock().replace(hour=15, minute=20)

    def leaf(self):
        self.next_leaf += 1
        return self.next_leaf

    def receive(self, count, **values):
        with self.services.database.write() as session:
            session.execute(insert(Exchange), [self._row() | values for _ in range(count)])

    def _row(self):
        draw, holder = self.drawn, self.drawn.choice(["ipo-xa", "ipo-xb", "customs-xa"])
        at = self.now - timedelta(seconds=draw.randrange(DAYS * 86_400))
        version = f"{holder}@{draw.choice(['0000000a', '0000000b'])}"
        told = b64url(json.dumps({"policies": {"holder": version}}).encode())
        return {
            "id": uuid7(),
            "client_id": "customs-xa.intake",
            "requester": draw.choice(["customs-xa", "court-xa", "ipo-xa"]),
            "holder": holder,
            "jti": uuid7(),
            "request_sha256": bytes(32),
            "record_type": draw.choice(["trademark", "patent"]),
            "record_sha256": bytes(32),
            "purpose": draw.choice(["border_enforcement", "examination"]),
            "received_at": at,
            "deadline_at": at,
            "node": "past",
            "state": draw.choice(STATES),
            "timing_ms": draw.choice([{"policy": 2.5, "holder": draw.randrange(1, 90) / 2}, {"policy": 1.5}, None]),
            "log_index": self.leaf(),
            "receipt": draw.choice(["", f"e30.{told}.e30"]),
        }

    def settle(self):
        """End what is pending, each by a later leaf."""
        with self.services.database.write() as session:
            for exchange in session.scalars(select(Exchange).where(Exchange.state == "pending")):
                exchange.state, exchange.log_index = self.drawn.choice(["released", "withdrawn"]), self.leaf()

    def note(self):
        self.services.auditing.indexer.catch_up()

    def spans(self):
        midnight = self.now.replace(hour=0, minute=0)
        return (
            (self.now - timedelta(days=DAYS), self.now + timedelta(days=1)),
            (midnight - timedelta(days=6), midnight - timedelta(days=2)),
            (self.now - timedelta(days=7, hours=3), self.now - timedelta(hours=9)),
            (midnight + timedelta(hours=1), midnight + timedelta(hours=14)),
            (midnight - timedelta(days=3), midnight - timedelta(days=3) + timedelta(seconds=1)),
        )

    def is_true(self):
        """Hold reports against the exchanges themselves, counted one by one."""
        with self.services.database.read() as session:
            every = list(session.execute(_EVERY))
        for scope in (NATION, CUSTOMS):
            for since, until in self.spans():
                figures = self.services.auditing.statistics.of(scope, since, until)
                counted = [
                    (row, version)
                    for row, version in every
                    if since <= row.received_at < until and scope.agency in (None, row.requester, row.holder)
                ]
                rows = [row for row, _ in counted]
                assert figures.total == len(rows)
                assert told(figures.pairs, "requester", "holder") == Counter(
                    (one.requester, one.holder) for one in rows
                )
                assert told(figures.outcomes) == Counter((one.record_type, one.state) for one in rows)
                assert told(figures.purposes) == Counter((one.requester, one.purpose) for one in rows)
                assert told(figures.policies) == Counter((version, one.state) for one, version in counted if version)
                assert {one.holder: (one.median_ms, one.failed) for one in figures.holders} == times(rows)
                days = Counter(one.received_at.date() for one in rows)
                assert {day.day: day.count for day in figures.days if day.count} == days
                assert (figures.days[0].day, figures.days[-1].day) == (since.date(), (until - INSTANT).date())


def told(cells, *names):
    first, second = names or ("row", "column")
    return {(getattr(cell, first), getattr(cell, second)): cell.count for cell in cells}


def times(rows):
    """Give how long each holder usually took, and how often it failed."""
    found = {}
    for holder in {one.holder for one in rows}:
        own = [one for one in rows if one.holder == holder]
        spent = [one.timing_ms["holder"] for one in own if one.timing_ms and "holder" in one.timing_ms]
        failed = sum(one.state == "failed" for one in own)
        if spent or failed:
            found[holder] = round(median(spent), 1) if spent else 0.0, failed
    return found


_EVERY = (
    select(Exchange, ExchangeVersions.holder)
    .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id, isouter=True)
    .join(ExchangeVersions, ExchangeVersions.id == ExchangeSearch.versions, isouter=True)
)


def kept(services):
    """Give the counts that are kept, and the same counted from what is noted."""
    with services.database.read() as session:
        counts = {
            (row.day, *(getattr(row, name) for name in Kind._fields)): row.count
            for row in session.scalars(select(ExchangeDay))
            if row.count
        }
        noted = select(Exchange, ExchangeSearch).join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id)
        counted = Counter(
            (
                *(row.received_at.date(), row.requester, row.holder, row.record_type, row.purpose),
                *(search.state, search.versions),
            )
            for row, search in session.execute(noted)
        )
    return counts, counted


@pytest.fixture
def past(gateway):
    gateway.ask()
    return Past(gateway.services)


def test_reports_say_what_the_exchanges_say_whatever_is_counted_of_them(past):
    past.receive(200)
    past.is_true()

    past.note()
    past.is_true()
    counts, counted = kept(past.services)
    assert counts == counted

    past.settle()
    past.receive(40)
    past.receive(20, state="received", log_index=None, receipt=None)
    past.is_true()

    past.note()
    past.is_true()
    counts, counted = kept(past.services)
    assert counts == counted
    assert sum(counts.values()) == 241


def test_what_a_node_of_an_older_version_noted_is_counted_anew(past):
    past.receive(120)
    past.note()
    database = past.services.database
    with database.write() as session:
        some = select(ExchangeSearch.exchange_id).order_by(ExchangeSearch.exchange_id).limit(50)
        session.execute(update(ExchangeSearch).where(ExchangeSearch.exchange_id.in_(some)).values(state=None))
    past.settle()
    past.is_true()

    past.note()

    past.is_true()
    counts, counted = kept(past.services)
    assert counts == counted
    assert None not in {state for *_, state, _ in counts}


def test_after_the_upgrade_everything_that_is_noted_is_counted(past):
    past.receive(100)
    past.note()
    with past.services.database.write() as session:
        session.execute(delete(ExchangeDay))
        session.execute(update(ExchangeSearch).values(state=None))
    past.is_true()

    past.note()

    past.is_true()
    counts, counted = kept(past.services)
    assert counts == counted
    assert sum(counts.values()) == 101


def test_two_that_note_the_same_at_once_count_it_once(past):
    past.receive(250)
    past.note()
    past.settle()
    past.receive(250)
    threads = [threading.Thread(target=past.note) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    past.note()

    counts, counted = kept(past.services)
    assert counts == counted
    assert sum(counts.values()) == 501
    past.is_true()
