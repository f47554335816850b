"""Follows the log and notes, of each exchange that ended, what auditors search by."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import orjson
import structlog
from sqlalchemy import Row, bindparam, delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.auditor.daily_counts import Kind, change, kind_of, recount
from gateway.auditor.hashes import RightHashes
from gateway.auditor.models import ExchangeParty, ExchangeRight, ExchangeSearch, ExchangeVersions
from gateway.auditor.receipts import payload_of
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.exchange.models import Exchange, ExchangePayload

log = structlog.get_logger(__name__)

AT_ONCE: Final = 500
"""Exchanges that one transaction takes in."""
Rows = list[dict[str, Any]]
About = ExchangeRight | ExchangeParty
Versions = tuple[str, ...]
"""Of guardrail, holder and egress policies, as a receipt names them; empty where a tier had none."""
Ended = Row[*tuple[Any, ...]]
"""An exchange that ended, as far as it is read here."""
_ENDED: Final = (
    select(
        *(Exchange.id, Exchange.log_index, Exchange.state, Exchange.receipt, Exchange.wrapped_key, Exchange.class_key),
        *(Exchange.received_at, Exchange.requester, Exchange.holder, Exchange.record_type, Exchange.purpose),
    )
    .where(Exchange.log_index > bindparam("reached"))
    .order_by(Exchange.log_index)
    .limit(AT_ONCE)
)
_KEPT: Final = (
    select(ExchangePayload.exchange_id, ExchangePayload.name, ExchangePayload.ciphertext)
    .where(ExchangePayload.exchange_id.in_(bindparam("exchanges", expanding=True)))
    .where(ExchangePayload.name.in_(("request", "snapshot")))
)


class Indexer:
    """Any number of processes may run it: what one has noted, another notes alike."""

    def __init__(self, database: Database, payloads: Payloads, rights: RightHashes) -> None:
        self._database = database
        self._payloads = payloads
        self._rights = rights

    def reaches(self) -> int:
        """Give the log index up to which exchanges are found by all filters; -1 where none are."""
        with self._database.read() as session:
            return _reached(session)

    def catch_up(self) -> int:
        """Note everything that has ended since; forget what was erased. Returns how many exchanges were noted."""
        self._forget_erased()
        noted = 0
        while count := self._step():
            noted += count
        recount(self._database)
        return noted

    def _step(self) -> int:
        with self._database.read() as session:
            ended = session.execute(_ENDED, {"reached": _reached(session)}).all()
            kept: dict[str, dict[str, bytes]] = {}
            for exchange, name, ciphertext in session.execute(_KEPT, {"exchanges": [row.id for row in ended]}):
                kept.setdefault(exchange, {})[name] = ciphertext
        if not ended:
            return 0
        rows, rights, versions = [], [], set[Versions]()
        parties: Rows = []
        for row in ended:
            objects = self._opened(row, kept.get(row.id, {}))
            receipt = payload_of(row.receipt or "")
            rows.append(_searched(row, receipt, objects.get("request", b"")))
            versions.add(_versions(receipt))
            about = facts_of(objects.get("snapshot", b""))
            hashed = {self._rights.of(right) for right in about.rights}
            rights += [{"right_hash": right, "exchange_id": row.id} for right in hashed]
            if row.state == "released":
                parties += [
                    {"exchange_id": row.id, "party": party, "is_sealed": is_sealed}
                    for party, is_sealed in about.parties.items()
                ]
        try:
            self._note(ended, rows, {ExchangeRight: rights, ExchangeParty: parties}, versions)
        except IntegrityError:  # another process noted the same at this moment: the next round sees it
            return 0
        return len(rows)

    def _note(
        self, ended: Sequence[Ended], rows: Rows, about: Mapping[type[About], Rows], versions: Collection[Versions]
    ) -> None:
        noted = {row["exchange_id"]: row for row in rows}
        with self._database.write() as session:
            before = _known(session, noted)
            for exchange, known in before.items():
                if known.log_index > noted[exchange]["log_index"]:
                    del noted[exchange]  # a later step of it was noted meanwhile
                elif known.state is None:
                    noted[exchange]["state"] = None  # its day is counted anew, and this with it
            change(session, _changes(ended, noted, before))
            _note_versions(session, versions)
            # What another process notes at this moment stays, and is in the way of noting it again.
            replaced = before.keys() & noted.keys()
            for named in (ExchangeSearch, *about):
                session.execute(delete(named).where(named.exchange_id.in_(replaced)))
            for table, found_rows in ((ExchangeSearch, rows), *about.items()):
                fresh = [row for row in found_rows if row["exchange_id"] in noted]
                if fresh:
                    rows_of: Any = table.__table__
                    session.execute(insert(rows_of), fresh)  # beside the mapper, which looks at each row

    def _opened(self, row: Ended, kept: Mapping[str, bytes]) -> dict[str, bytes]:
        """Open what is kept; what was erased meanwhile is not there, and the rest of the row is found without it."""
        if row.wrapped_key is None or not kept:
            return {}
        try:
            cipher: PayloadCipher = self._payloads.of(row.id, row.wrapped_key, row.class_key)
            return {name: cipher.decrypt(name, data) for name, data in kept.items()}
        except GatewayError as error:
            log.warning("exchange indexed without its payload", exchange=row.id, error=type(error).__name__)
            return {}

    def _forget_erased(self) -> None:
        erased = select(ExchangeSearch.exchange_id).join(Exchange, Exchange.id == ExchangeSearch.exchange_id)
        erased = erased.where(Exchange.erased_at.is_not(None)).where(
            or_(
                ExchangeSearch.legal_basis.is_not(None),
                ExchangeSearch.person.is_not(None),
                ExchangeSearch.exchange_id.in_(select(ExchangeRight.exchange_id)),
                ExchangeSearch.exchange_id.in_(select(ExchangeParty.exchange_id)),
            )
        )
        with self._database.read() as session:
            gone = session.scalars(erased).all()
        if gone:
            with self._database.write() as session:
                for table in (ExchangeRight, ExchangeParty):
                    session.execute(delete(table).where(table.exchange_id.in_(gone)))
                for row in session.scalars(select(ExchangeSearch).where(ExchangeSearch.exchange_id.in_(gone))):
                    row.legal_basis = row.person = None


class Facts(NamedTuple):
    """What a decision was about, by the keys that policies know."""

    rights: set[str]
    parties: dict[str, bool]
    """Of the records that were decided on (of a query, of its rows): whether one was sealed."""


def facts_of(snapshot: bytes) -> Facts:
    found = Facts(set(), {})
    if not snapshot:
        return found
    whole = orjson.loads(snapshot)
    for part in (whole, *whole.get("rows", ())):
        for entity in orjson.loads(part["entities"]) if "entities" in part else ():
            attributes = entity["attrs"]
            if part is whole:
                found.rights.update(map(str, attributes.get("right_keys", ())))
            for party in attributes.get("parties", ()):
                key = str(party["__entity"]["id"])
                found.parties[key] = found.parties.get(key, False) or bool(attributes.get("sealed"))
    return found


def _known(session: Session, exchanges: Collection[str]) -> dict[str, ExchangeSearch]:
    """Give what is noted of exchanges, and keep others from changing it."""
    query = select(ExchangeSearch).where(ExchangeSearch.exchange_id.in_(exchanges))
    rows = session.scalars(query.order_by(ExchangeSearch.exchange_id).with_for_update()).all()
    session.expunge_all()  # the rows are replaced beside the mapper
    return {row.exchange_id: row for row in rows}


def _changes(
    ended: Sequence[Ended], noted: Mapping[str, Mapping[str, Any]], before: Mapping[str, ExchangeSearch]
) -> Counter[tuple[date, Kind]]:
    """Say what is counted more and less once this is noted."""
    changes: Counter[tuple[date, Kind]] = Counter()
    for row in ended:
        now, known = noted.get(row.id), before.get(row.id)
        if now is None or now["state"] is None:
            continue
        changes[kind_of(row, now["state"], now["versions"])] += 1
        if known is not None and known.state is not None:
            changes[kind_of(row, known.state, known.versions)] -= 1
    return changes


def _reached(session: Session) -> int:
    reached = session.scalar(select(func.max(ExchangeSearch.log_index)))
    return -1 if reached is None else int(reached)


def _searched(row: Ended, receipt: Mapping[str, Any], request: bytes) -> dict[str, Any]:
    withheld = receipt.get("withheld")
    asked = payload_of(request.decode("ascii", "replace"))
    return {
        "exchange_id": row.id,
        "log_index": row.log_index,
        "legal_basis": asked.get("legal_basis"),
        "book": receipt.get("book"),
        "person": asked.get("person"),
        "state": row.state,
        "versions": versions_id(_versions(receipt)),
        "withheld": [str(item["group"]) for item in withheld if isinstance(item, dict) and "group" in item]
        if isinstance(withheld, list)
        else [],
    }


def versions_id(versions: Versions) -> str:
    """Name versions of policies that decided together; the same ones have the same name everywhere."""
    return hashlib.sha256("|".join(versions).encode()).hexdigest()[:32]


def _versions(receipt: Mapping[str, Any]) -> Versions:
    named = receipt.get("policies")
    said = named if isinstance(named, dict) else {}
    return tuple(str(said.get(tier, "")) for tier in ("guardrail", "holder", "egress"))


def _note_versions(session: Session, versions: Collection[Versions]) -> None:
    known = set(session.scalars(select(ExchangeVersions.id).where(ExchangeVersions.id.in_(map(versions_id, versions)))))
    for one in versions:
        if versions_id(one) not in known:
            guardrail, holder, egress = one
            session.add(ExchangeVersions(id=versions_id(one), guardrail=guardrail, holder=holder, egress=egress))
    session.flush()
