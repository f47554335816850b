"""Erasing what exchanges carried: one field, one exchange, a whole retention class; and what goes by schedule.

Each is one transaction with its audit entry and an `erased` leaf, which say that something was erased, on what basis
and by whom, and never what it was. What was signed and logged stays and still verifies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.errors import ErasedError
from gateway.evidence.models import PayloadClassKey
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.exchange.errors import InFlightError
from gateway.exchange.models import ANSWER_KEPT, OPEN, Exchange, ExchangePayload
from gateway.exchange.stored_answer import ANSWER, DISCLOSURES, StoredAnswer, read_answer
from ipx.answers import disclosed_fields

EXPIRED_AT_ONCE: Final = 500
"""Answers that one transaction lets go by schedule."""
SCHEDULE: Final = "retention schedule"
GATEWAY: Final = "gateway"
"""The actor of what the gateway does of itself."""


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """What expires together: a holder's exchanges for records of one type, filed in one month."""

    holder: str
    name: str
    """The record type."""
    month: str
    exchanges: int


class Erasure:
    def __init__(
        self, database: Database, payloads: Payloads, class_keys: ClassKeys, audit: AuditTrail, clock: Clock
    ) -> None:
        self._database = database
        self._payloads = payloads
        self._class_keys = class_keys
        self._audit = audit
        self._clock = clock

    def field(self, exchange_id: str, name: str, *, legal_basis: str, actor: str) -> None:
        """Destroy one field of the record that an exchange handed over; its digest stays in record and receipt.

        Raises:
            UnknownError: there is no such exchange, or it keeps no field of this name.
            InFlightError: it is not over.
            ErasedError: it was erased already, or its fields went by schedule.
        """
        with self._database.write() as session:
            row = self._finished(session, exchange_id)
            cipher = self._payloads.of(exchange_id, row.wrapped_key or b"", row.class_key)
            answer = _answer(session, cipher)
            if not answer.is_whole:
                raise ErasedError(f"the fields of exchange {exchange_id} are kept no longer", receipt=row.receipt)
            named = [disclosure for disclosure in answer.disclosures if name in disclosed_fields(f"~{disclosure}~")]
            if not named:
                raise UnknownError(f"exchange {exchange_id} handed over no field {name}, or it is erased already")
            overwrite_deleted(session)
            for disclosure in named:  # a query's records have one each
                answer = answer.without(disclosure)
            _replace(session, cipher, answer)
            self._record(session, actor, "field.erased", _leaf(row), legal_basis, {"index": row.log_index})
        self.flush_out()

    def exchange(self, exchange_id: str, *, legal_basis: str, actor: str) -> None:
        """Destroy all that an exchange carried, and what ties its receipt to the log.

        Raises:
            UnknownError: there is no such exchange.
            InFlightError: it is not over.
            ErasedError: it was erased already.
        """
        with self._database.write() as session:
            row = self._finished(session, exchange_id)
            self._destroy(session, Exchange.id == exchange_id)
            self._record(session, actor, "exchange.erased", _leaf(row), legal_basis, {"index": row.log_index})
        self.flush_out()

    def retention_class(self, holder: str, name: str, month: str, *, legal_basis: str, actor: str) -> int:
        """Destroy all exchanges of a class by destroying their key; exchanges that are still open wait for their end.

        Returns:
            how many there were.

        Raises:
            UnknownError: there is no such class, or it was erased.
            InFlightError: one of its exchanges is not over.
        """
        with self._database.write() as session:
            key = session.scalar(
                select(PayloadClassKey).filter_by(holder=holder, retention_class=name, month=month).with_for_update()
            )
            if key is None:
                raise UnknownError(f"nothing is kept of {holder}, {name}, {month}: see `ipx-gateway erase classes`")
            mine = Exchange.class_key == key.id
            running = session.scalar(select(Exchange.id).where(mine, Exchange.state.in_(OPEN)).limit(1))
            if running is not None:
                raise InFlightError(running)
            count = self._destroy(session, mine)
            self._class_keys.destroy(session, key.id)
            detail = {"holder": holder, "class": name, "month": month, "exchanges": count}
            self._record(session, actor, "class.erased", f"class:{holder}/{name}/{month}", legal_basis, detail)
        self.flush_out()
        return count

    def classes(self) -> Sequence[RetentionClass]:
        """List what is kept, oldest month first."""
        query = select(Exchange.class_key, func.count()).where(Exchange.class_key.is_not(None))
        with self._database.read() as session:
            counts: dict[str | None, int] = dict(session.execute(query.group_by(Exchange.class_key)).all())
        return [
            RetentionClass(key.holder, key.retention_class, key.month, counts.get(key.id, 0))
            for key in self._class_keys.listed()
        ]

    def expire_answers(self, kept_for: timedelta) -> int:
        """Delete the disclosed fields of releases that ended longer ago; what proves the exchange stays.

        Returns:
            how many releases there were; call again until there are none.
        """
        before = self._clock() - kept_for
        with self._database.write() as session:
            due = session.scalars(
                select(Exchange.id)
                .where(ANSWER_KEPT, Exchange.finished_at < before)
                .limit(EXPIRED_AT_ONCE)
                .with_for_update(skip_locked=True)
            ).all()
            if not due:
                return 0
            self._drop_fields(session, due)
            detail = {"answers": len(due), "ended_before": before.strftime("%Y-%m-%dT%H:%M:%SZ")}
            self._record(session, GATEWAY, "answers.expired", "answers", SCHEDULE, detail)
        return len(due)

    def answers(self, session: Session, exchange_ids: Sequence[str]) -> None:
        """Destroy the disclosed fields of these releases in the caller's transaction; what proves them stays.

        Call `flush_out` after the commit.
        """
        overwrite_deleted(session)
        for start in range(0, len(exchange_ids), EXPIRED_AT_ONCE):
            self._drop_fields(session, exchange_ids[start : start + EXPIRED_AT_ONCE])

    def expire_classes(self, months: Mapping[str, int]) -> int:
        """Erase the classes whose time is over.

        Args:
            months: by record type, how many whole months its exchanges are kept after the month in which they were
                filed. Types that are not named are kept.

        Returns:
            how many exchanges were erased.
        """
        erased = 0
        for key in self._class_keys.listed():
            kept = months.get(key.retention_class)
            if kept is not None and key.month < _months_before(self._clock(), kept):
                try:
                    erased += self.retention_class(
                        key.holder, key.retention_class, key.month, legal_basis=SCHEDULE, actor=GATEWAY
                    )
                except (UnknownError, InFlightError):
                    continue  # another process was faster, or has still to close one of them
        return erased

    def flush_out(self) -> None:
        """Have SQLite move what was overwritten from its journal into the file, as far as nobody is reading there."""
        if self._database.is_sqlite:
            with self._database.writer.connect() as connection:
                connection.commit()
                raw = connection.connection.dbapi_connection
                if raw is not None:
                    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def _drop_fields(self, session: Session, exchange_ids: Sequence[str]) -> None:
        mine = ExchangePayload.exchange_id.in_(exchange_ids)
        fields = delete(ExchangePayload).where(mine, ExchangePayload.name == DISCLOSURES)
        parted = session.scalars(fields.returning(ExchangePayload.exchange_id)).all()
        # Answers of the first version hold fields and signed part in one: they go as a whole.
        whole = set(exchange_ids).difference(parted)
        session.execute(
            delete(ExchangePayload).where(ExchangePayload.exchange_id.in_(whole), ExchangePayload.name == ANSWER)
        )
        gone = update(Exchange).where(Exchange.id.in_(exchange_ids), Exchange.answer_expired_at.is_(None))
        session.execute(gone.values(answer_expired_at=self._clock()))

    def _finished(self, session: Session, exchange_id: str) -> Exchange:
        row = session.get(Exchange, exchange_id, with_for_update=True)
        if row is None:
            raise UnknownError(f"there is no exchange {exchange_id}: its id stands in answer and receipt")
        if row.state in OPEN:
            raise InFlightError(exchange_id)
        if row.wrapped_key is None:
            raise ErasedError(f"exchange {exchange_id} was erased already", receipt=row.receipt)
        return row

    def _destroy(self, session: Session, which: ColumnElement[bool]) -> int:
        """Destroy keys, salts and ciphertexts, and what the search row still says of the case."""
        overwrite_deleted(session)
        mine = select(Exchange.id).where(which)
        connection = session.connection()
        connection.execute(delete(ExchangePayload).where(ExchangePayload.exchange_id.in_(mine)))
        emptied = dict.fromkeys(("wrapped_key", "salt", "pending_salt", "case_hash", "class_key"))
        gone = {**emptied, "erased_at": self._clock()}
        return connection.execute(update(Exchange).where(which).values(gone)).rowcount

    def _record(
        self, session: Session, actor: str, act: str, subject: str, legal_basis: str, detail: Mapping[str, Any]
    ) -> None:
        if not legal_basis.strip():
            raise InvalidInputError([Fault("/legal_basis", "missing", "say on what basis; it is kept for ever")])
        session.flush()
        self._audit.record(session, actor, act, subject, {**detail, "legal_basis": legal_basis}, logged_as="erased")


def overwrite_deleted(session: Session) -> None:
    """Have SQLite overwrite what this transaction deletes. PostgreSQL frees it with its next VACUUM."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _leaf(row: Exchange) -> str:
    """Name an exchange by its place in the log: the audit trail, which nobody can erase, must not name it otherwise."""
    return f"leaf:{row.log_index}"


def _answer(session: Session, cipher: PayloadCipher) -> StoredAnswer:
    stored = session.scalars(
        select(ExchangePayload).where(
            ExchangePayload.exchange_id == cipher.exchange_id, ExchangePayload.name.in_((ANSWER, DISCLOSURES))
        )
    )
    objects = {item.name: cipher.decrypt(item.name, item.ciphertext) for item in stored}
    if ANSWER not in objects:
        raise ErasedError(f"the answer of exchange {cipher.exchange_id} is kept no longer")
    return read_answer(objects)


def _replace(session: Session, cipher: PayloadCipher, answer: StoredAnswer) -> None:
    session.execute(
        delete(ExchangePayload).where(
            ExchangePayload.exchange_id == cipher.exchange_id, ExchangePayload.name.in_((ANSWER, DISCLOSURES))
        )
    )
    rows = [
        {"exchange_id": cipher.exchange_id, "name": name, "ciphertext": cipher.encrypt(name, data)}
        for name, data in answer.objects().items()
    ]
    session.execute(insert(ExchangePayload), rows)


def _months_before(now: datetime, count: int) -> str:
    """Name the oldest month that is still kept."""
    years, month = divmod(now.year * 12 + now.month - 1 - count, 12)
    return f"{years:04}-{month + 1:02}"
