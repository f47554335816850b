"""Commits that wait a few milliseconds for company: one for many calls costs little more than one for each of them.

Under load every process commits for few calls at a time, because the next one is always ready a moment too late. Where
many calls are on their way a commit therefore waits for some of them, and for nobody where a call is alone.
"""

import threading
from contextlib import AbstractContextManager
from typing import Final

SECONDS: Final = 0.01
"""How long a commit waits for others, at most."""
PART: Final = 3
"""Of so many calls on their way one is waited for."""
MOST: Final = 16
"""How many writes are waited for, at most."""
TRUST: Final = 8
"""After so many commits in a row for which enough came, one more is waited for."""


class Crowd:
    """Calls of this process that are on their way to a commit, each on its thread."""

    def __init__(self) -> None:
        self._threads: set[int] = set()

    def __len__(self) -> int:
        return len(self._threads)

    def passing(self) -> AbstractContextManager[None]:
        """Count this thread's call while the block runs."""
        return self

    def __enter__(self) -> None:
        self._threads.add(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        self._threads.discard(threading.get_ident())


class Company:
    """For how many writes one kind of commit waits: a part of the crowd, and no more than came in time of late.

    Calls that wait for a slow holder are on their way and do not come: after a commit for which not half of those came,
    the next ones wait for as few as did.
    """

    def __init__(self, crowd: Crowd | None) -> None:
        """Take whose calls may come; None: nobody is waited for."""
        self._crowd = crowd
        self._hope = 1.0

    def wanted(self) -> int:
        """Say how many writes are worth waiting for, those at hand among them; 1: none."""
        return 1 if self._crowd is None else max(1, min(len(self._crowd) // PART, int(self._hope)))

    def came(self, wanted: int, there: int) -> None:
        """Learn how many were there in the end."""
        if there < wanted / 2:
            self._hope = float(max(1, there))
        elif there >= wanted:
            self._hope = min(MOST, self._hope + 1 / TRUST)
