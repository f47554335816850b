"""Recalls: a holder corrects, seals, unseals, calls back or erases a record that it gave out, and who has it answers.

    open → acknowledged | disputed (→ acknowledged)         told: nothing is to be acknowledged

Addressees are the agencies that receipts prove to have been given the record. A recall is one transaction: its leaf,
its addressees, and the end of every stored answer that holds the record.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import structlog
from sqlalchemy import ColumnElement, CompoundSelect, and_, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.exchange.erasure import GATEWAY, Erasure
from gateway.exchange.errors import IllegalTransitionError, JtiReusedError
from gateway.exchange.lifting import deadline
from gateway.exchange.models import OPEN, Exchange, ExchangeRecord, Recall, RecallAddressee, RecallExchange
from gateway.exchange.recall_reading import STATEMENT, WAITING, RecallReader, signed_by
from gateway.exchange.recall_statements import (
    ACTIONS,
    REFUSED,
    WITHDRAWING,
    Acknowledgement,
    RecallStatement,
    RecallStatements,
)
from gateway.exchange.recall_told import RecallTold
from ipx.ids import uuid7

log = structlog.get_logger(__name__)

WORKING_DAYS: Final = {"corrected": 5, "recalled": 3, "erased": 3}
SEALED_WITHIN: Final = timedelta(hours=24)
ESCALATED_AT_ONCE: Final = 100


class Recalls:
    def __init__(
        self,
        database: Database,
        statements: RecallStatements,
        reader: RecallReader,
        payloads: Payloads,
        erasure: Erasure,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._database = database
        self._statements = statements
        self._reader = reader
        self._payloads = payloads
        self._erasure = erasure
        self._audit = audit
        self._clock = clock

    def make(self, statement: RecallStatement) -> tuple[RecallTold, bool]:
        """Take what a holder says of a record; the same bytes again change nothing.

        Stored answers that hold the record are given out no more from the commit on, except after a correction or where
        it is unsealed; exchanges that are open at this moment release nothing.

        Returns:
            the recall, and whether it had been made before.

        Raises:
            StaleRequestError: it comes too late or too early.
            JtiReusedError: other bytes came under this `jti`.
            InvalidInputError: the record was never given out.
            LogUnavailableError, StoreUnavailableError: nothing was changed.
        """
        signed = statement.signed
        known = self._known(statement)
        if known is not None:
            return self._reader.show(known, signed.agency, "holder"), True
        self._statements.require_fresh(signed)
        row = self._row(statement, self._payloads.apart(uuid7()))
        try:
            self._write(row, statement)
        except IntegrityError:
            known = self._known(statement)  # the same bytes came twice at once
            if known is None:
                raise
            return self._reader.show(known, signed.agency, "holder"), True
        self._erasure.flush_out()
        return self._reader.show(row.id, signed.agency, "holder"), False

    def acknowledge(self, recall_id: str, said: Acknowledgement) -> RecallTold:
        """Take an addressee's word of what became of its copies; the same bytes again change nothing.

        Raises:
            UnknownError: there is no such recall of which this agency was told.
            InvalidInputError: another recall is signed, or an action that does not fit its kind.
            StaleRequestError: it comes too late or too early.
            IllegalTransitionError: it was acknowledged before, or nothing is to be acknowledged.
        """
        if said.recall_id != recall_id:
            raise InvalidInputError([Fault("/recall", "another_recall", f"must be {recall_id}, as the address says")])
        agency, now = said.signed.agency, self._clock()
        with self._database.write() as session:
            recall, mine = self._addressed(session, recall_id, agency)
            if mine.acknowledgement_sha256 != said.signed.sha256:
                self._require_open(recall, mine, said)
                self._statements.require_fresh(said.signed)
                cipher = self._reader.cipher(recall)
                seen = and_(
                    RecallAddressee.recall_id == recall_id,
                    RecallAddressee.agency == agency,
                    RecallAddressee.state == mine.state,
                )
                values = {
                    "state": "disputed" if said.action == REFUSED else "acknowledged",
                    "action": said.action,
                    "acknowledged_at": now,
                    "acknowledgement_sha256": said.signed.sha256,
                    "acknowledgement": cipher.encrypt(signed_by(agency), said.signed.raw.encode("ascii")),
                    "delivered_at": mine.delivered_at or now,
                }
                if session.connection().execute(update(RecallAddressee).where(seen).values(values)).rowcount != 1:
                    raise IllegalTransitionError(f"{agency} answered recall {recall_id} at this moment")
                act = "recall.disputed" if said.action == REFUSED else "recall.acknowledged"
                detail = {"agency": agency, "action": said.action, "holder": recall.holder}
                self._audit.record(session, said.signed.client_id, act, f"recall:{recall_id}", detail)
        return self._reader.show(recall_id, agency, "addressee")

    def go_round(self) -> int:
        """Escalate what has become overdue: one entry in the log for each addressee. Returns how many there were."""
        now = self._clock()
        late = and_(
            RecallAddressee.state == "open", RecallAddressee.due_at <= now, RecallAddressee.overdue_at.is_(None)
        )
        with self._database.read() as session:
            due = session.execute(
                select(RecallAddressee.recall_id, RecallAddressee.agency, Recall.holder)
                .join(Recall, Recall.id == RecallAddressee.recall_id)
                .where(late)
                .order_by(RecallAddressee.due_at)
                .limit(ESCALATED_AT_ONCE)
            ).all()
        found = 0
        for recall_id, agency, holder in due:
            this = and_(late, RecallAddressee.recall_id == recall_id, RecallAddressee.agency == agency)
            with self._database.write() as session:
                noted = session.connection().execute(update(RecallAddressee).where(this).values(overdue_at=now))
                if noted.rowcount == 1:  # else another process was faster, or it was acknowledged
                    detail = {"agency": agency, "holder": holder}
                    self._audit.record(session, GATEWAY, "recall.overdue", f"recall:{recall_id}", detail)
                    found += 1
        if found:
            log.warning("recalls not acknowledged in time", addressees=found)
        return found

    def _known(self, statement: RecallStatement) -> str | None:
        with self._database.read() as session:
            return self._known_in(session, statement)

    def _known_in(self, session: Session, statement: RecallStatement) -> str | None:
        """Give the recall that was made by these very bytes."""
        signed = statement.signed
        same = select(Recall.id, Recall.statement_sha256).where(
            Recall.client_id == signed.client_id, Recall.jti == signed.jti
        )
        row = session.execute(same).one_or_none()
        if row is None:
            return None
        if row.statement_sha256 != signed.sha256:
            raise JtiReusedError(f"jti {signed.jti} was used for another recall")
        return str(row.id)

    def _row(self, statement: RecallStatement, cipher: PayloadCipher) -> Recall:
        now, signed = self._clock(), statement.signed
        return Recall(
            id=cipher.exchange_id,
            client_id=signed.client_id,
            jti=signed.jti,
            statement_sha256=signed.sha256,
            holder=statement.record.agency,
            kind=statement.kind,
            record_type=statement.record.record_type,
            record_sha256=statement.record_sha256,
            made_at=now,
            due_at=_due(statement.kind, now),
            wrapped_key=cipher.wrapped_key,
            statement=cipher.encrypt(STATEMENT, signed.raw.encode("ascii")),
        )

    def _write(self, row: Recall, statement: RecallStatement) -> None:
        with self._database.write() as session:
            self._require_given_out(session, statement)
            detail = {"kind": row.kind, "holder": row.holder, "record_type": row.record_type}
            logged_as: Literal["act", "erased"] = "erased" if row.kind == "erased" else "act"
            # From here to the commit nothing else is logged: what is released was released before or is refused.
            entry = self._audit.record(
                session, row.client_id, f"record.{row.kind}", f"recall:{row.id}", detail, logged_as=logged_as
            )
            row.log_index = entry.log_index or 0
            session.add(row)
            session.flush()
            self._address(session, row, statement)

    def _require_given_out(self, session: Session, statement: RecallStatement) -> None:
        """Refuse to call back what nobody has, and take what was released: who erases locks that before the log."""
        given = session.scalars(
            select(Exchange.id)
            .where(Exchange.id.in_(_asked(statement)), Exchange.state == "released")
            .order_by(Exchange.id)
            .with_for_update()
        ).all()
        if given:
            return
        if session.scalar(select(Exchange.id).where(_still_open(statement)).limit(1)) is None:
            said = "was given to nobody through this gateway"
            raise InvalidInputError([Fault("/record", "never_released", said)])

    def _address(self, session: Session, row: Recall, statement: RecallStatement) -> None:
        """Find who has the record, end their answers, and stop what is on its way."""
        connection = session.connection()
        released = and_(Exchange.id.in_(_asked(statement)), Exchange.state == "released")
        connection.execute(
            insert(RecallExchange).from_select(
                ["recall_id", "exchange_id", "requester"],
                select(literal(row.id), Exchange.id, Exchange.requester).where(released),
            )
        )
        mine = RecallExchange.recall_id == row.id
        agencies = session.scalars(select(RecallExchange.requester).where(mine).distinct()).all()
        state = "open" if ACTIONS[row.kind] else "told"
        rows = [
            {"recall_id": row.id, "agency": agency, "state": state, "due_at": row.due_at} for agency in sorted(agencies)
        ]
        if rows:
            connection.execute(insert(RecallAddressee), rows)
        if row.kind != "unsealed":
            stop = update(Exchange).where(_still_open(statement))
            connection.execute(stop.values(recalled_at=row.made_at))
        if row.kind in WITHDRAWING:
            listed = select(RecallExchange.exchange_id).where(mine)
            first = and_(Exchange.id.in_(listed), Exchange.recalled_at.is_(None))
            connection.execute(update(Exchange).where(first).values(recalled_at=row.made_at))
            if row.kind == "erased":
                self._erasure.answers(session, session.scalars(listed).all())

    def _addressed(self, session: Session, recall_id: str, agency: str) -> tuple[Recall, RecallAddressee]:
        recall = session.get(Recall, recall_id)
        mine = session.get(RecallAddressee, (recall_id, agency))
        if recall is None or mine is None:
            raise UnknownError(f"no recall {recall_id}")
        return recall, mine

    def _require_open(self, recall: Recall, mine: RecallAddressee, said: Acknowledgement) -> None:
        fitting = ACTIONS[recall.kind]
        if mine.state not in WAITING:
            raise IllegalTransitionError(f"{mine.agency} has nothing to acknowledge of recall {recall.id}")
        if said.action not in fitting:
            raise InvalidInputError([Fault("/action", "does_not_fit", f"{recall.kind}: one of {', '.join(fitting)}")])


def _asked(statement: RecallStatement) -> CompoundSelect[str]:
    """Select the exchanges that asked for the record, or got it among others."""
    several = select(ExchangeRecord.exchange_id).where(ExchangeRecord.record_sha256 == statement.record_sha256)
    return select(Exchange.id).where(Exchange.record_sha256 == statement.record_sha256).union(several)


def _still_open(statement: RecallStatement) -> ColumnElement[bool]:
    """Select what may still release the record: who asks for several may get it among them."""
    return and_(Exchange.state.in_(OPEN), Exchange.record_sha256.in_((statement.record_sha256, statement.query_sha256)))


def _due(kind: str, now: datetime) -> datetime | None:
    if kind == "sealed":
        return (now + SEALED_WITHIN).replace(microsecond=0)
    return deadline(now, WORKING_DAYS[kind]) if kind in WORKING_DAYS else None
