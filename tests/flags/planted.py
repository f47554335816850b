"""A made-up quarter of a year of exchanges, the same each time, with odd things planted in it that flags must find."""

import hashlib
import random
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import insert

from gateway.agencies.models import Agency
from gateway.auditor.flag_methods import BULK, HOURS, KINDS, PAIR, PROBING, PURPOSE, VOLUME
from gateway.auditor.models import ExchangeSearch
from gateway.exchange.models import Exchange
from ipx.ids import uuid7

END = date(2026, 11, 24)
DAYS = 75
LOOKED_AT = 40
"""Days at the end that flags are made for; the ones before tell what is usual."""
HOLDERS = ("ipo-a", "ipo-b", "registry-c")
AGENCIES = {
    "customs-a": ("customs", "border_enforcement", 26),
    "customs-b": ("customs", "border_enforcement", 14),
    "court-a": ("court", "court_proceeding", 12),
    "court-b": ("court", "court_proceeding", 9),
    "market-a": ("regulator", "market_surveillance", 18),
    "chamber-a": ("arbitration", "arbitration", 5),
}
"""Code → kind, purpose, requests on a working day."""


class World:
    """Rows of exchanges, and what was planted: kind, requester, holder, subject and day of each odd thing."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows, self.named, self.planted = [], [], set()
        for number in range(DAYS):
            self._usual_day(END - timedelta(days=DAYS - 1 - number))
        self._plant()
        self._plant_what_is_not_odd()

    def _usual_day(self, day: date) -> None:
        weight = 0.25 if day.weekday() >= 5 else 1.0
        for code, (_, purpose, requests) in AGENCIES.items():
            for _ in range(round(requests * weight * self.random.uniform(0.6, 1.5))):
                silent = self.random.random() < 0.06
                self.ask(
                    day,
                    code,
                    hour=self.random.randint(7, 17),
                    holder=self.random.choice(HOLDERS[:2]),
                    purpose=purpose,
                    reason="no_information" if silent else None,
                    person=f"{code}-{self.random.randint(1, 4)}",
                )

    def ask(self, day, requester, *, hour, holder, purpose, reason=None, person=None, record=None, client="desk"):
        name = uuid7()
        at = datetime(day.year, day.month, day.day, hour, self.random.randint(0, 59), tzinfo=UTC)
        record = record or f"{holder}/{self.random.randint(1, 20_000)}"
        self.rows.append(
            {
                "id": name,
                "client_id": f"{requester}.{client}",
                "requester": requester,
                "holder": holder,
                "jti": name,
                "request_sha256": b"",
                "record_type": "trademark",
                "record_sha256": hashlib.sha256(record.encode()).digest(),
                "purpose": purpose,
                "received_at": at,
                "deadline_at": at,
                "node": "",
                "state": "denied" if reason else "released",
                "reason": reason,
            }
        )
        self.named.append({"exchange_id": name, "log_index": len(self.named), "withheld": [], "person": person})

    def _plant(self) -> None:
        """Plant five of each kind, on days of their own, of sizes that an auditor would want to hear of."""
        days = [END - timedelta(days=number) for number in range(1, LOOKED_AT - 1)]
        self.random.shuffle(days)
        some = iter(days)
        codes = list(AGENCIES)
        for number in range(5):
            code = codes[number]
            kind, purpose, requests = AGENCIES[code]
            usual = {"holder": "ipo-a", "purpose": purpose}

            day = next(some)
            for _ in range(max(45, 5 * requests)):
                self.ask(day, code, hour=self.random.randint(8, 16), **usual)
            self.planted.add((VOLUME, code, "", "", day))

            day = next(some)
            for _ in range(7):
                self.ask(day, code, hour=self.random.choice([1, 2, 3]), **usual)
            self.planted.add((HOURS, code, "", f"{code}.desk", day))

            day, holder = next(some), f"museum-{number}"
            self.ask(day, code, hour=10, holder=holder, purpose=purpose)
            self.planted.add((PAIR, code, holder, "", day))

            day = next(some)
            for _ in range(16):
                reason = self.random.choice(["no_information", "sealed"])
                self.ask(day, code, hour=11, reason=reason, client="probe", **usual)
            self.planted.add((PROBING, code, "ipo-a", f"{code}.probe", day))

            day, odd = next(some), "arbitration" if kind != "arbitration" else "examination"
            self.ask(day, code, hour=9, holder="ipo-b", purpose=odd)
            self.planted.add((PURPOSE, code, "", odd, day))

            day = next(some)
            for record in range(70):
                self.ask(day, code, hour=14, person=f"{code}-1", record=f"{day}/{record}", client="bulk", **usual)
            self.planted.add((BULK, code, "", f"{code}-1", day))

    def _plant_what_is_not_odd(self) -> None:
        """Plant what comes near and is none: a busy day, a clumsy clerk, an early hour, a long list, an old pair."""
        code, usual = "chamber-a", {"holder": "ipo-a", "purpose": "arbitration"}
        for number, count, hour, more in (
            (3, 20, 10, {}),
            (6, 9, 11, {"reason": "no_information", "client": "clerk"}),
            (9, 4, 2, {}),
            (12, 20, 14, {"person": f"{code}-2"}),
        ):
            for _ in range(count):
                self.ask(END - timedelta(days=number), code, hour=hour, **usual, **more)
        for number in (DAYS - 2, 20):
            self.ask(END - timedelta(days=number), code, hour=9, holder="registry-c", purpose="arbitration")

    def write(self, database) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        kinds = {code: kind for code, (kind, _, _) in AGENCIES.items()}
        agencies = [
            {"code": code, "kind": kind, "name": code, "jurisdictions": [], "created_at": now}
            for code, kind in kinds.items()
        ]
        with database.write() as session:
            session.execute(insert(Agency), agencies)
            session.execute(insert(Exchange), self.rows)
            session.execute(insert(ExchangeSearch), self.named)


def scores(planted, raised):
    """Give precision and recall of each kind: `{kind: (precision, recall, raised, planted)}`.

    A day on which a planted oddity is, by its size, odd in another way too (a burst is a volume as well) counts for
    neither: it is planted, only not as that kind.
    """
    busy = {(requester, day) for _, requester, _, _, day in planted}
    found = {}
    for kind in KINDS:
        wanted = {one for one in planted if one[0] == kind}
        given = {one for one in raised if one[0] == kind}
        false = {one for one in given - wanted if (one[1], one[4]) not in busy}
        hits = len(wanted & given)
        found[kind] = (hits / (hits + len(false)) if hits + len(false) else 1.0, hits / len(wanted), given, wanted)
    return found
