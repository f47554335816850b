"""Agencies and their client systems: registered, shown, suspended, resumed; every act with its audit entry."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.agencies.models import AGENCY_KINDS, Agency, Client
from gateway.agencies.names import agency_of_client, require_code
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.governance.service import Policies
from gateway.records.codes import code_table
from policies.bundle_files import default_egress, default_egress_tests

Row = TypeVar("Row", Agency, Client)

Check = Callable[[Any], None]
"""Looks at the row, locked, before it is changed; raises `ChangedSinceSeenError` where it is not what was seen."""


def accept(_row: Any) -> None:
    """Change it whatever it is by now: for operators at a shell."""


class Agencies:
    """The register of agencies and clients. A suspension holds from the next call on: nothing here is cached."""

    def __init__(self, database: Database, audit: AuditTrail, policies: Policies, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._policies = policies
        self._clock = clock

    def add(
        self,
        code: str,
        *,
        kind: str,
        name: str,
        jurisdictions: Sequence[str],
        scopes: Sequence[str],
        purposes: Sequence[str],
        actor: str,
    ) -> Agency:
        """Register an agency; its first egress policy lets its clients ask for the purposes it is registered for.

        Raises:
            InvalidInputError: the code or kind is malformed.
            AlreadyExistsError: an agency has this code.
        """
        require_code(code, "/code")
        if kind not in AGENCY_KINDS:
            raise InvalidInputError([Fault("/kind", "unknown_kind", f"one of {', '.join(AGENCY_KINDS)}")])
        if not jurisdictions:
            raise InvalidInputError([Fault("/jurisdictions", "missing", "an agency acts in at least one jurisdiction")])
        known = code_table("purpose").words
        for purpose in purposes:
            if purpose not in known:
                raise InvalidInputError(
                    [Fault("/purposes", "unknown_purpose", f"{purpose}: one of {', '.join(known)}")]
                )
        with self._database.write() as session:
            if session.get(Agency, code) is not None:
                raise AlreadyExistsError(f"agency {code} exists")
            agency = Agency(
                code=code,
                kind=kind,
                name=name,
                jurisdictions=list(jurisdictions),
                scopes=list(scopes),
                purposes=list(purposes),
                created_at=self._clock(),
            )
            session.add(agency)
            session.flush()
            self._audit.record(session, actor, "agency.added", code, {"kind": kind, "scopes": list(scopes)})
            if purposes:
                self._policies.activate_within(
                    session,
                    [default_egress(code, purposes)],
                    tests=default_egress_tests(code, kind, jurisdictions, purposes),
                    actor=actor,
                )
        return agency

    def change(
        self, code: str, *, name: str, jurisdictions: Sequence[str], actor: str, check: Check = accept
    ) -> Agency:
        """Set an agency's name and where it acts.

        Raises:
            InvalidInputError: no name or no jurisdiction.
        """
        if not name.strip():
            raise InvalidInputError([Fault("/name", "missing", "an agency has a name")])
        if not jurisdictions:
            raise InvalidInputError([Fault("/jurisdictions", "missing", "an agency acts in at least one jurisdiction")])
        with self._database.write() as session:
            agency = _existing(session, Agency, code, "agency", lock=True)
            check(agency)
            agency.name, agency.jurisdictions = name.strip(), list(jurisdictions)
            session.flush()
            detail = {"name": agency.name, "jurisdictions": agency.jurisdictions}
            self._audit.record(session, actor, "agency.changed", code, detail)
        return agency

    def set_scopes(self, code: str, scopes: Sequence[str], *, actor: str, check: Check = accept) -> None:
        """Let an agency have these scopes and no others; its clients lose with it what it loses."""
        with self._database.write() as session:
            agency = _existing(session, Agency, code, "agency", lock=True)
            check(agency)
            new = [scope for scope in dict.fromkeys(scopes) if scope not in agency.scopes]
            gone = [scope for scope in agency.scopes if scope not in scopes]
            agency.scopes = [scope for scope in agency.scopes if scope not in gone] + new
            if gone:
                for client in session.scalars(select(Client).where(Client.agency_code == code)):
                    client.not_before = self._clock()
            session.flush()
            if new:
                self._audit.record(session, actor, "agency.scopes_granted", code, {"scopes": new})
            if gone:
                self._audit.record(session, actor, "agency.scopes_withdrawn", code, {"scopes": gone})

    def agencies(self) -> list[Agency]:
        with self._database.read() as session:
            return list(session.scalars(select(Agency).order_by(Agency.code)))

    def agency(self, code: str) -> Agency:
        with self._database.read() as session:
            return _existing(session, Agency, code, "agency")

    def add_client(self, client_id: str, *, name: str, scopes: Sequence[str], actor: str) -> Client:
        """Register a client of the agency that its id names; it can do nothing until it has a key.

        Raises:
            UnknownError: there is no such agency.
            InvalidInputError: a scope is not granted to the agency (nothing is narrowed silently).
        """
        code = agency_of_client(client_id)
        with self._database.write() as session:
            agency = _existing(session, Agency, code, "agency")
            if session.get(Client, client_id) is not None:
                raise AlreadyExistsError(f"client {client_id} exists")
            _require_granted(agency, scopes)
            client = Client(id=client_id, agency_code=code, name=name, scopes=list(scopes), created_at=self._clock())
            session.add(client)
            session.flush()
            self._audit.record(session, actor, "client.added", client_id, {"scopes": list(scopes)})
        return client

    def grant(self, code: str, scopes: Sequence[str], *, actor: str) -> list[str]:
        """Grant scopes to an agency; its clients may then have them attached. Gives all it has."""
        with self._database.write() as session:
            agency = _existing(session, Agency, code, "agency")
            new = [scope for scope in dict.fromkeys(scopes) if scope not in agency.scopes]
            if new:
                agency.scopes = [*agency.scopes, *new]
                session.flush()
                self._audit.record(session, actor, "agency.scopes_granted", code, {"scopes": new})
            return agency.scopes

    def withdraw(self, code: str, scopes: Sequence[str], *, actor: str) -> list[str]:
        """Take scopes away from an agency, and from now on no token has them. Gives those that are left."""
        with self._database.write() as session:
            agency = _existing(session, Agency, code, "agency")
            gone = [scope for scope in agency.scopes if scope in scopes]
            if gone:
                agency.scopes = [scope for scope in agency.scopes if scope not in gone]
                for client in session.scalars(select(Client).where(Client.agency_code == code)):
                    client.not_before = self._clock()
                session.flush()
                self._audit.record(session, actor, "agency.scopes_withdrawn", code, {"scopes": gone})
            return agency.scopes

    def set_client_scopes(self, client_id: str, scopes: Sequence[str], *, actor: str, check: Check = accept) -> None:
        """Let a client have these scopes and no others; what it loses ends with the tokens it has.

        Raises:
            InvalidInputError: a scope is not granted to the agency (nothing is narrowed silently).
        """
        with self._database.write() as session:
            client = _existing(session, Client, client_id, "client", lock=True)
            check(client)
            _require_granted(_existing(session, Agency, client.agency_code, "agency"), scopes)
            if set(scopes) == set(client.scopes):
                return
            if not set(client.scopes) <= set(scopes):
                client.not_before = self._clock()
            client.scopes = list(dict.fromkeys(scopes))
            session.flush()
            self._audit.record(session, actor, "client.scopes_set", client_id, {"scopes": client.scopes})

    def clients(self, agency: str | None = None) -> list[Client]:
        query = select(Client).order_by(Client.id)
        if agency is not None:
            query = query.where(Client.agency_code == agency)
        with self._database.read() as session:
            return list(session.scalars(query))

    def client(self, client_id: str) -> Client:
        with self._database.read() as session:
            return _existing(session, Client, client_id, "client")

    def suspend(self, model: type[Row], key: str, *, reason: str, actor: str, check: Check = accept) -> None:
        """Shut an agency or client out, from its next call on. Suspending twice keeps the first instant."""
        with self._database.write() as session:
            row = _existing(session, model, key, model.__tablename__, lock=True)
            check(row)
            if row.suspended_at is None:
                row.suspended_at = self._clock()
                row.suspended_reason = reason
                session.flush()
                self._audit.record(session, actor, f"{model.__tablename__}.suspended", key, {"reason": reason})

    def resume(self, model: type[Row], key: str, *, actor: str, check: Check = accept) -> None:
        with self._database.write() as session:
            row = _existing(session, model, key, model.__tablename__, lock=True)
            check(row)
            if row.suspended_at is not None:
                row.suspended_at = None
                row.suspended_reason = None
                session.flush()
                self._audit.record(session, actor, f"{model.__tablename__}.resumed", key, {})


def _require_granted(agency: Agency, scopes: Sequence[str]) -> None:
    faults = [
        Fault("/scopes", "scope_not_granted", f"{scope} is not granted to {agency.code}")
        for scope in scopes
        if scope not in agency.scopes
    ]
    if faults:
        raise InvalidInputError(faults)


def _existing(session: Session, model: type[Row], key: str, word: str, *, lock: bool = False) -> Row:
    row = session.get(model, key, with_for_update=lock)
    if row is None:
        raise UnknownError(f"there is no {word} {key}; `ipx-gateway {word} list` shows those that exist")
    return row
