"""What was read from the register of agencies, clients, keys, sources and rights, remembered while nobody changes it.

A suspension or a revocation must hold from the very next call on, so nothing is remembered for a time: each call asks
the database for one small value, which the database itself renews with every change (`gateway.db.stamped`).
"""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from sqlalchemy import select

from gateway.agencies.models import RegisterStamp
from gateway.db.engine import Database
from gateway.db.prepared import Prepared

MOST_REMEMBERED: Final = 20_000
"""Answers that one process keeps; when there are more, all are read again."""

_STAMP = Prepared(select(RegisterStamp.stamp))
Answer = TypeVar("Answer")


class RegisterView:
    """The register as it is during one call."""

    __slots__ = ("known", "stamp")

    def __init__(self, stamp: str | None) -> None:
        self.stamp = stamp
        self.known: dict[Hashable, Any] = {}

    def of(self, question: Hashable, read: Callable[[], Answer]) -> Answer:
        """Give the answer to a question about the register.

        Args:
            question: names what is asked, with all that the answer depends on beside the register.
            read: reads the answer from the database. What depends on the time of day is judged afterwards, not in it.
        """
        if question in self.known:
            known: Answer = self.known[question]
            return known
        answer = read()
        if answer is not None:  # strangers may ask for any name: what is not there takes no place here
            # Read after the stamp was: at worst a newer answer is kept under an older stamp, and read once more.
            self.known[question] = answer
        return answer


class RegisterMemory:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest = RegisterView(None)

    def view(self) -> RegisterView:
        """Give the register as it is now, with what is known of it already.

        Raises:
            StoreUnavailableError: the database cannot be asked; what is remembered does not count then.
        """
        with self._database.glance() as connection:
            row = _STAMP.first(connection, {})
        if row is None:
            return RegisterView(None)  # nothing was ever changed, so there is nothing to remember
        view = self._newest
        if view.stamp != row[0] or len(view.known) > MOST_REMEMBERED:
            self._newest = view = RegisterView(row[0])
        return view
