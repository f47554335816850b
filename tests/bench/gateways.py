"""A running gateway over the demo's world: the desks that call it, and the requests of theirs that are released."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from gateway.demo import turns
from gateway.demo.run import Demo, free_port
from gateway.wiring import build
from ipx import trustfile
from ipx.answers import Released
from ipx.channel import Channel
from ipx.request import Ask
from ipx.trust import Trust
from ipx.waiting import Patience, Time
from tests.bench.calls import Prepared, Requester
from tests.bench.servers import Served, ServerError
from tests.bench.stores import two_databases


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway and its two desks: customs asks the office's XML folder, the office asks customs' SQL database."""

    name: str
    """Ends the names of its figures: empty for SQLite, which is the default."""
    server: Served
    trust: Trust
    desks: dict[str, Requester]
    asks: dict[str, list[Ask]]
    """By the client that makes them."""
    unseen: Iterator[Ask]
    """For copies of one mark under numbers of their own."""

    def exchanges(self, count: int) -> list[Prepared]:
        """Make exchanges ready, both desks in turn, their records again and again."""
        customs, office = (
            self.desks[client].exchanges(list(islice(cycle(asks), part)))
            for (client, asks), part in zip(self.asks.items(), (count - count // 2, count // 2), strict=True)
        )
        in_turn = [call for pair in zip(customs, office, strict=False) for call in pair]
        return in_turn + customs[len(office) :]

    def first_exchanges(self, count: int) -> list[Prepared]:
        """Make exchanges ready whose records nobody has asked for yet."""
        return self.desks[turns.MARK_AT_THE_BORDER.client].exchanges(list(islice(self.unseen, count)))

    def sign_ins(self, count: int) -> list[Prepared]:
        return self.desks[turns.MARK_AT_THE_BORDER.client].sign_ins(count)


@contextmanager
def gateway(folder: Path, name: str, postgres: str | None, *, unseen_marks: int) -> Iterator[Gateway]:
    """Run the demo's real server, and find out which requests of its world are released.

    Args:
        folder: for all of its files.
        name: ends the names of its figures.
        postgres: the server to use instead of SQLite.
        unseen_marks: how many copies of a mark to add; the demo's source takes 1,000 files in all.
    """
    with ExitStack() as stack:
        demo = Demo(folder, free_port())
        if postgres is not None:
            first, second = stack.enter_context(two_databases(folder, postgres))
            demo.settings = replace(demo.settings, database_url=first, checkpoint_database_url=second)
        marks = demo.world.sources_root / "ipo-xa" / "trademarks"
        known = [path.stem for path in sorted(marks.glob("*.xml"))]
        unseen = _copies(marks, unseen_marks)
        demo.prepare()
        served = stack.enter_context(demo.serving())
        asks = _asks(demo, known)
        desks = {client: Requester(demo, client) for client in asks}
        for desk in desks.values():
            stack.callback(desk.close)
        channel = Channel(demo.origin, patience=Patience(), time=Time())
        stack.callback(channel.close)
        host, port = demo.settings.bind.split(":")
        yield Gateway(
            name=name,
            server=Served((host, int(port)), served),
            trust=trustfile.fetch(channel).trust,
            desks=desks,
            asks={client: _released(desks[client], wanted) for client, wanted in asks.items()},
            unseen=iter(_asks(demo, unseen)[turns.MARK_AT_THE_BORDER.client]),
        )


def _copies(marks: Path, count: int) -> list[str]:
    """Write the copies into the office's folder; their numbers."""
    known = turns.MARK_AT_THE_BORDER.key
    text = (marks / f"{known}.xml").read_text("utf-8")
    numbers = [f"{909_000_000 + number}" for number in range(count)]
    for number in numbers:
        (marks / f"{number}.xml").write_text(text.replace(known, number), "utf-8")
    return numbers


def _asks(demo: Demo, numbers: Sequence[str]) -> dict[str, list[Ask]]:
    marks = [replace(turns.MARK_AT_THE_BORDER, key=number) for number in numbers]
    asks: dict[str, list[Ask]] = {}
    services = build(demo.settings)
    try:
        for turn in (*marks, turns.RECORDAL):
            asks.setdefault(turn.client, []).append(turn.ask(partial(demo.urn, keys=services.holder_keys)))
    finally:
        services.close()
    return asks


def _released(desk: Requester, asks: list[Ask]) -> list[Ask]:
    """Some marks of the world are withheld from customs altogether.

    Raises:
        ServerError: all are: there is nothing to measure.
    """
    with desk.client() as client:
        answers = [(ask, client.request(ask)) for ask in asks]
    released = [ask for ask, answer in answers if isinstance(answer, Released)]
    if not released:
        raise ServerError(f"nothing is released to {desk.client_id}: {answers[0][1].title} ({answers[0][1].reason})")
    return released
