"""Facts about a request that only registers can tell: the case it cites, the right owner for whom an agency asks."""

from collections.abc import Iterable

from sqlalchemy import select

from connectors.deadline import Deadline
from connectors.protocol import Absent
from gateway.agencies.models import Agency, Source
from gateway.db.engine import Database
from gateway.exchange.holders import HeldRecord, Holders, SourceRef, Unavailable
from gateway.exchange.sealing import RecordSeals, SealedRecord
from policies.engine import CaseReference, Representation

NOTIFY_OWNER = "notify_owner"
CASE_OVER = frozenset({"decided", "settled", "revoked"})


class CaseRegister:
    """Looks a cited case up at the court that keeps it: the requester's own register first, then its jurisdictions'."""

    def __init__(self, database: Database, holders: Holders, seals: RecordSeals) -> None:
        self._database = database
        self._holders = holders
        self._seals = seals

    def look_up(
        self, number: str, asking: str, jurisdictions: frozenset[str], deadline: Deadline
    ) -> CaseReference | Unavailable | None:
        """Give what the register says of a case; None where no register asked knows it.

        Returns:
            `Unavailable` where a register that may know it could not be asked: a case is never taken on trust.
        """
        down: Unavailable | None = None
        for source in self._registers(asking, jurisdictions):
            match self._holders.fetch_key(source, None, number, deadline):
                case Absent():
                    continue
                case Unavailable():
                    down = Unavailable("policy", "case_register_unavailable")
                case HeldRecord() as held:
                    return self._reference(number, self._seals.seal(held))
        return down

    def _reference(self, number: str, sealed: SealedRecord | Unavailable) -> CaseReference | Unavailable:
        if isinstance(sealed, Unavailable):
            return Unavailable("policy", "case_register_unavailable")
        facts = sealed.facts
        parties = facts["parties"]
        return CaseReference(
            number=number,
            jurisdiction=str(facts["jurisdiction"]),
            active=facts["stage"] not in CASE_OVER and not facts["final"],
            verified=True,
            defendants=parties if isinstance(parties, frozenset) else frozenset(),
        )

    def _registers(self, asking: str, jurisdictions: frozenset[str]) -> list[SourceRef]:
        wanted = (
            select(Source, Agency)
            .join(Agency, Agency.code == Source.holder)
            .where(Source.record_type == "court_case", Source.suspended_at.is_(None), Agency.suspended_at.is_(None))
            .order_by(Source.holder != asking, Source.holder)
        )
        with self._database.read() as session:
            rows = session.execute(wanted).all()
        return [
            SourceRef(source.name, source.sha256, source.holder, source.record_type, agency.jurisdictions[0])
            for source, agency in rows
            if source.holder == asking or jurisdictions & set(agency.jurisdictions)
        ]


class Representations:
    """Finds out whether the asking agency keeps the register of a right that a record concerns."""

    def __init__(self, database: Database, holders: Holders, seals: RecordSeals) -> None:
        self._database = database
        self._holders = holders
        self._seals = seals

    def of(self, right_keys: Iterable[str], asking: str, deadline: Deadline) -> Representation | Unavailable | None:
        """Give the owner whom the asking agency can notify: of the rights that stand in its own register."""
        found: set[str] = set()
        party = ""
        for right_key in sorted(right_keys):
            _, right_type, number = right_key.split("|", 2)
            source = self._own_source(asking, right_type)
            if source is None:
                continue
            held = self._holders.fetch_key(source, None, number, deadline)
            if isinstance(held, Unavailable):
                return Unavailable("policy", "right_register_unavailable")
            if isinstance(held, Absent):
                continue
            sealed = self._seals.seal(held)
            if isinstance(sealed, Unavailable):
                return Unavailable("policy", "right_register_unavailable")
            own = sealed.facts["right_keys"]
            if isinstance(own, frozenset) and right_key in own:
                found.add(right_key)
                parties = sealed.facts["parties"]
                party = min(parties, default="") if isinstance(parties, frozenset) else ""
        return Representation(party or "unknown", frozenset(found), verified=True) if found else None

    def _own_source(self, asking: str, record_type: str) -> SourceRef | None:
        wanted = (
            select(Source, Agency)
            .join(Agency, Agency.code == Source.holder)
            .where(Source.holder == asking, Source.record_type == record_type, Source.suspended_at.is_(None))
        )
        with self._database.read() as session:
            row = session.execute(wanted).one_or_none()
        if row is None:
            return None
        source, agency = row
        return SourceRef(source.name, source.sha256, source.holder, source.record_type, agency.jurisdictions[0])
