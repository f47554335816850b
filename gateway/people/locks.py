"""Slows guessing: failed tries in a row lock a person's password and codes for a while, longer each time."""

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.people.models import Person, SignInLock

FREE_TRIES: Final = 5
FIRST_LOCK: Final = timedelta(minutes=1)
LONGEST_LOCK: Final = timedelta(hours=1)
FORGOTTEN_AFTER: Final = timedelta(hours=24)


class Locks:
    """Counts failures as rows, so that all workers know of them.

    A lock never shuts out passkeys: else anybody who knows a username could keep its person out.
    """

    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def is_locked(self, person: Person) -> bool:
        with self._database.read() as session:
            lock = session.get(SignInLock, person.id)
            return lock is not None and lock.locked_until is not None and lock.locked_until > self._clock()

    def refuse(self, person: Person | None, *, factor: str, address: str, counted: bool = True) -> None:
        """Write down a refused sign-in, and count it where a person was meant.

        Args:
            person: who was meant; None: nobody has that username, which is not written down, for it may be a password.
            factor: what did not hold: `password`, `code`, `recovery code`, `passkey`, `upstream`, `locked`.
            address: where from.
            counted: whether it brings a lock nearer.
        """
        subject = f"person:{person.username}" if person is not None else "person"
        with self._database.write() as session:
            detail: dict[str, str | int] = {"factor": factor, "ip": address}
            if person is not None and counted:
                detail["failures"] = self._count(session, person)
            # No leaf: strangers must not be able to fill the public log.
            self._audit.record(session, "stranger", "person.sign_in_refused", subject, detail, leaf=False)

    def forget(self, session: Session, person: Person) -> None:
        """Begin to count anew: the person signed in. Part of the sign-in's transaction."""
        lock = session.get(SignInLock, person.id)
        if lock is not None:
            session.delete(lock)

    def _count(self, session: Session, person: Person) -> int:
        now = self._clock()
        lock = session.get(SignInLock, person.id, with_for_update=True)
        if lock is None:
            lock = SignInLock(person_id=person.id, failures=0, failed_at=now)
            session.add(lock)
        elif now - lock.failed_at > FORGOTTEN_AFTER:
            lock.failures = 0
        lock.failures += 1
        lock.failed_at = now
        if lock.failures >= FREE_TRIES:
            doublings = min(lock.failures - FREE_TRIES, 10)
            lock.locked_until = now + min(FIRST_LOCK * 2**doublings, LONGEST_LOCK)
        session.flush()
        return lock.failures
