"""Flask-Security's view of our tables: reads in short transactions, writes gathered and committed at once.

Its own datastore keeps one session open for a whole request. On SQLite a writing session holds the only write lock,
and whatever a view does besides would wait for itself; and an act must be audited in the transaction that does it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import g
from flask_security import UserDatastore
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.local import LocalProxy

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.people.errors import PersonChangedError
from gateway.people.models import Passkey, Person, PersonRole

Step = Callable[[Session], None]


@dataclass(slots=True)
class _Pending:
    put: list[Any] = field(default_factory=list)
    deleted: list[Any] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    acts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


class PeopleDatastore(UserDatastore):
    """What a request changes waits in `flask.g` until `commit`."""

    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        super().__init__(Person, PersonRole, Passkey)
        self._database = database
        self._audit = audit
        self._clock = clock

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Person | None:  # noqa: FBT001, FBT002  (theirs)
        del case_insensitive  # usernames are small letters; the form lowers what is typed
        ((name, value),) = kwargs.items()
        with self._database.read() as session:
            return session.scalar(select(Person).where(getattr(Person, name) == value))

    def find_role(self, role: str) -> None:
        raise NotImplementedError(f"roles are set by People, not by Flask-Security: {role}")

    def find_webauthn(self, credential_id: bytes) -> Passkey | None:
        with self._database.read() as session:
            return session.scalar(select(Passkey).where(Passkey.credential_id == credential_id))

    def create_webauthn(self, user: Any, **credential: Any) -> None:  # type: ignore[override]
        now = self._clock()
        self.put(Passkey(user_id=user.id, created_at=now, lastuse_datetime=now, **credential))

    def put(self, model: Any) -> Any:
        self._pending().put.append(_itself(model))
        return model

    def delete(self, model: Any) -> None:
        self._pending().deleted.append(_itself(model))

    def note(self, act: str, person: Person, detail: dict[str, Any] | None = None) -> None:
        """Have an act audited in the transaction of what has been put."""
        self._pending().acts.append((act, person.username, detail or {}))

    def also(self, step: Step) -> None:
        """Have something done in the transaction of what has been put, before the acts are audited."""
        self._pending().steps.append(step)

    def now(self) -> datetime:
        return self._clock()

    def commit(self) -> None:
        """Write all that waits, in one transaction with its audit entries.

        Raises:
            PersonChangedError: somebody else changed the same person since it was read; nothing is written.
        """
        pending = self._pending()
        del g.people_pending
        if not (pending.put or pending.deleted or pending.steps or pending.acts):
            return
        try:
            with self._database.write() as session:
                for model in pending.deleted:
                    row = session.get(type(model), model.id)
                    if row is not None:
                        session.delete(row)
                for model in {id(model): model for model in pending.put}.values():
                    session.merge(model)
                session.flush()
                for step in pending.steps:
                    step(session)
                for act, username, detail in pending.acts:
                    self._audit.record(session, f"person:{username}", act, f"person:{username}", detail)
        except StaleDataError as error:
            raise PersonChangedError("another request changed the person at the same time") from error

    def _pending(self) -> _Pending:
        if "people_pending" not in g:
            g.people_pending = _Pending()
        pending: _Pending = g.people_pending
        return pending


def _itself(model: Any) -> Any:
    """Give the row behind Flask-Login's stand-in for it."""
    return model._get_current_object() if isinstance(model, LocalProxy) else model  # noqa: SLF001  (its public way)
