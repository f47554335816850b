"""What past exchanges would have been answered by other policies."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.clock import Clock
from gateway.governance.books import PolicyBooks
from policies.engine import PolicyBook
from policies.replay import ReplayReport, replay
from policies.schema import Catalogue
from policies.snapshots import Snapshot, SnapshotError, read_snapshots

EXCHANGES: Final = 10_000
DAYS: Final = 90
TOLD_EVERY: Final = 100


class Kept(Protocol):
    """One past exchange, as far as its snapshot was kept."""

    @property
    def exchange(self) -> str: ...

    @property
    def holder(self) -> str: ...

    @property
    def record_type(self) -> str: ...

    @property
    def data(self) -> bytes | None:
        """The snapshot; None: erased, or nothing was asked of the policies."""


class PastExchanges(Protocol):
    """Where past exchanges' snapshots come from."""

    def kept(self, *, since: datetime, limit: int, holder: str | None, requester: str | None) -> Iterable[Kept]:
        """Give at most `limit` exchanges that ended since, the newest, those of one holder together."""


class Replays:
    def __init__(self, past: PastExchanges, books: PolicyBooks, catalogue: Catalogue, clock: Clock) -> None:
        self._past = past
        self._books = books
        self._catalogue = catalogue
        self._clock = clock

    def against(
        self,
        candidate: PolicyBook,
        *,
        days: int = DAYS,
        limit: int = EXCHANGES,
        holder: str | None = None,
        requester: str | None = None,
        asks_all: bool = False,
        tell: Callable[[int, int], None] | None = None,
    ) -> ReplayReport:
        """Ask past questions of the book in force and of a candidate; each row of a query is one.

        Args:
            candidate: the other book.
            days: how far back.
            limit: at most so many exchanges, the newest.
            holder: of this holder only.
            requester: of this asking agency only.
            asks_all: ask also where no policy differs that can bear on it, to count which policies decide.
            tell: is told now and then how many of how many questions were asked.
        """
        unreadable = 0

        def read() -> Iterator[Snapshot]:
            nonlocal unreadable
            since = self._clock() - timedelta(days=days)
            for kept in self._past.kept(since=since, limit=limit, holder=holder, requester=requester):
                if kept.data is None:
                    unreadable += 1
                    continue
                try:
                    yield from read_snapshots(kept.exchange, kept.data, self._catalogue, kept.record_type, kept.holder)
                except SnapshotError:
                    unreadable += 1

        snapshots = list(read())
        in_force = self._books.newest().book
        asked = snapshots if tell is None else _counted(snapshots, tell)
        return replay(in_force, candidate, asked, unreadable=unreadable, asks_all=asks_all)


def _counted(snapshots: Sequence[Snapshot], tell: Callable[[int, int], None]) -> Iterator[Snapshot]:
    for number, snapshot in enumerate(snapshots):
        if number % TOLD_EVERY == 0:
            tell(number, len(snapshots))
        yield snapshot
    tell(len(snapshots), len(snapshots))
