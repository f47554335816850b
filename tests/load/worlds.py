"""The gateway under load, and the holder's own system beside it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.demo import turns
from gateway.demo.run import Demo, free_port
from gateway.wiring import build
from ipx.request import Ask
from tests.bench.answers import Faults
from tests.bench.calls import Prepared, Requester
from tests.bench.load import Volley
from tests.bench.servers import Served, plain_server
from tests.bench.stores import two_databases
from tests.load import answers, marks, mix
from tests.load.ageing import age
from tests.load.answers import Looked


class Side(Protocol):
    """What is called: the gateway, or the holder's own system."""

    server: Served

    def prepared(self, chosen: Sequence[tuple[int, int]]) -> list[Prepared]:
        """Make calls ready for what was chosen, by place of the size and of the variant."""

    def look(
        self, calls: Sequence[Prepared], chosen: Sequence[tuple[int, int]], volley: Volley, faults: Faults
    ) -> Looked: ...


@dataclass(frozen=True, eq=False)
class Gateway:
    server: Served
    desk: Requester
    asks: dict[tuple[int, int], Ask]
    records: Path
    """The folder of what is asked for."""

    def prepared(self, chosen: Sequence[tuple[int, int]]) -> list[Prepared]:
        return self.desk.exchanges([self.asks[one] for one in chosen])

    def look(
        self, calls: Sequence[Prepared], chosen: Sequence[tuple[int, int]], volley: Volley, faults: Faults
    ) -> Looked:
        return answers.through(calls, chosen, volley, faults)


@dataclass(frozen=True, eq=False)
class Direct:
    server: Served

    def prepared(self, chosen: Sequence[tuple[int, int]]) -> list[Prepared]:
        host = f"{self.server.address[0]}:{self.server.address[1]}"
        return [
            Prepared(f"GET /{marks.number_of(*one)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("ascii"), "")
            for one in chosen
        ]

    def look(
        self, calls: Sequence[Prepared], chosen: Sequence[tuple[int, int]], volley: Volley, faults: Faults
    ) -> Looked:
        return answers.direct(chosen, volley, faults)


@contextmanager
def gateway(folder: Path, postgres: str | None, aged: int) -> Iterator[Gateway]:
    """Run the demo's real server over marks of all sizes.

    Args:
        folder: for all of its files.
        postgres: the server to use instead of SQLite.
        aged: how many entries its log has before the first call.
    """
    with ExitStack() as stack:
        demo = Demo(folder, free_port())
        if postgres is not None:
            first, second = stack.enter_context(two_databases(folder, postgres))
            demo.settings = replace(demo.settings, database_url=first, checkpoint_database_url=second)
        records = marks.write(demo)
        demo.prepare()
        if aged:
            age(demo, aged)
        served = stack.enter_context(demo.serving())
        desk = Requester(demo, turns.MARK_AT_THE_BORDER.client)
        stack.callback(desk.close)
        host, port = demo.settings.bind.split(":")
        yield Gateway(Served((host, int(port)), served), desk, _asks(demo), records)


@contextmanager
def direct(records: Path) -> Iterator[Direct]:
    """Serve a folder's records without the gateway."""
    first = marks.number_of(0, 0)
    with plain_server("tests.load.direct_conf", f"/{first}", LOAD_RECORDS=str(records)) as served:
        yield Direct(served)


def _asks(demo: Demo) -> dict[tuple[int, int], Ask]:
    services = build(demo.settings)
    try:
        urn = partial(demo.urn, keys=services.holder_keys)
        return {
            (size, variant): replace(turns.MARK_AT_THE_BORDER, key=marks.number_of(size, variant)).ask(urn)
            for size in range(len(mix.MIX))
            for variant in range(mix.VARIANTS)
        }
    finally:
        services.close()
