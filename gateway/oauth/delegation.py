"""Delegation: a consumer lets a supplier act for it. Both agencies confirm, both see it, either ends it at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session, aliased

from gateway.agencies.models import Agency
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.oauth.audit import Acts
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.models import Delegation
from ipx.ids import uuid7


@dataclass(frozen=True, slots=True)
class Consumer:
    """The agency a supplier acts for, and the delegation that allows it."""

    agency: str
    delegation_id: str
    purposes: frozenset[str]


class Delegations:
    """The register of delegations."""

    def __init__(self, database: Database, clock: Clock, *, acts: Acts) -> None:
        self._database = database
        self._clock = clock
        self._acts = acts

    def offer(
        self,
        consumer: str,
        supplier: str,
        scopes: Sequence[str],
        *,
        valid_from: datetime,
        valid_until: datetime,
        actor: str,
    ) -> str:
        """Register a delegation that nobody has confirmed yet. Returns its id.

        Raises:
            UnknownError: one of the agencies does not exist.
            InvalidInputError: to oneself, without scopes, a scope the consumer has not, or a window without length.
        """
        with self._database.write() as session:
            granted = _scopes_of(session, consumer)
            _scopes_of(session, supplier)
            faults = []
            if consumer == supplier:
                faults.append(Fault("/supplier", "same_agency", "an agency needs no delegation to itself"))
            if not scopes or not set(scopes) <= granted:
                faults.append(Fault("/scopes", "scope_not_granted", f"name scopes that are granted to {consumer}"))
            if not valid_from < valid_until:
                faults.append(Fault("/valid_until", "window", "it must end after it begins"))
            if faults:
                raise InvalidInputError(faults)
            delegation_id = uuid7()
            session.add(
                Delegation(
                    id=delegation_id,
                    consumer=consumer,
                    supplier=supplier,
                    scopes=list(scopes),
                    valid_from=valid_from,
                    valid_until=valid_until,
                )
            )
            session.flush()
            detail = {"consumer": consumer, "supplier": supplier, "scopes": list(scopes)}
            self._acts.record(session, actor, "delegation.offered", delegation_id, detail)
        return delegation_id

    def confirm(self, delegation_id: str, agency: str, *, actor: str) -> None:
        """Let one of the two agencies agree; it holds once both have.

        Raises:
            UnknownError: there is no such delegation for this agency.
        """
        now = self._clock()
        with self._database.write() as session:
            column = self._side(session, delegation_id, agency)
            session.execute(update(Delegation).where(Delegation.id == delegation_id).values({column: now}))
            self._acts.record(session, actor, "delegation.confirmed", delegation_id, {"agency": agency})

    def revoke(self, delegation_id: str, agency: str, *, reason: str, actor: str) -> None:
        """End a delegation at once, and every token issued by it; either side may.

        Raises:
            UnknownError: there is no such delegation for this agency.
        """
        now = self._clock()
        with self._database.write() as session:
            self._side(session, delegation_id, agency)
            ended = session.execute(
                update(Delegation)
                .where(Delegation.id == delegation_id, Delegation.revoked_at.is_(None))
                .values(revoked_at=now, revoked_by=actor, revoked_reason=reason)
            )
            if cast("CursorResult[Any]", ended).rowcount == 1:
                detail = {"agency": agency, "reason": reason}
                self._acts.record(session, actor, "delegation.revoked", delegation_id, detail)

    def of(self, agency: str) -> list[Delegation]:
        """All delegations an agency gives or takes, newest first."""
        with self._database.read() as session:
            return list(
                session.scalars(
                    select(Delegation)
                    .where(or_(Delegation.consumer == agency, Delegation.supplier == agency))
                    .order_by(Delegation.id.desc())
                )
            )

    def require(self, consumer: str, supplier: str, scopes: Collection[str]) -> Consumer:
        """Find the live delegation that covers all scopes.

        Raises:
            RefusedError: `DELEGATION`: none, not confirmed by both, outside its window, revoked, consumer suspended or
                unknown, to oneself; `CONSUMER_SCOPE`: the consumer itself has not the scope.
        """
        now = self._clock()
        agency = aliased(Agency)
        query = (
            select(Delegation, agency.scopes, agency.purposes, agency.suspended_at)
            .join(agency, agency.code == Delegation.consumer)
            .where(
                Delegation.consumer == consumer,
                Delegation.supplier == supplier,
                Delegation.revoked_at.is_(None),
                Delegation.consumer_confirmed_at.is_not(None),
                Delegation.supplier_confirmed_at.is_not(None),
            )
            .order_by(Delegation.id.desc())
        )
        if consumer == supplier or not consumer.isascii() or not consumer.isprintable():
            raise RefusedError(Reason.DELEGATION, claim="consumer_org")
        with self._database.read() as session:
            for delegation, granted, purposes, suspended_at in session.execute(query):
                if suspended_at is not None or not delegation.valid_from <= now < delegation.valid_until:
                    continue
                if not set(scopes) <= set(delegation.scopes):
                    continue
                if not set(scopes) <= set(granted):
                    raise RefusedError(Reason.CONSUMER_SCOPE, claim="scope")
                return Consumer(consumer, delegation.id, frozenset(purposes))
        raise RefusedError(Reason.DELEGATION, claim="consumer_org")

    @staticmethod
    def _side(session: Session, delegation_id: str, agency: str) -> str:
        row = session.execute(
            select(Delegation.consumer, Delegation.supplier).where(Delegation.id == delegation_id)
        ).one_or_none()
        if row is None or agency not in {row.consumer, row.supplier}:
            raise UnknownError(f"agency {agency} has no delegation {delegation_id}")
        return "consumer_confirmed_at" if agency == row.consumer else "supplier_confirmed_at"


def _scopes_of(session: Session, agency: str) -> frozenset[str]:
    scopes = session.scalar(select(Agency.scopes).where(Agency.code == agency))
    if scopes is None:
        raise UnknownError(f"there is no agency {agency}")
    return frozenset(scopes)
