"""Versions come and go under the traffic of two real processes: no call fails, none is answered by two versions.

Whoever calls more than LATE_SECONDS after an activation was acknowledged is not answered by what was in force before.
That a process decides by no book older than its second is held by test_activations.py, with a clock of its own.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass

import httpx
import pytest

from gateway.exchange.steps import Step
from ipx.client import Client
from ipx.waiting import Patience
from tests.exchange.servers import Rewired, serving
from tests.exchange.world import CUSTOMS, Gateway
from tests.governance import people
from tests.governance.naming import WORKER
from tests.governance.people import BEN, BOB, MARK

CALLERS = 3
LATE_SECONDS = 5.0
"""A process may have to wait for its turn on the processor between looking at its book and answering by it."""
GENEROUS = 90.0
"""Seconds until a busy machine has shown every process by the new version."""


@dataclass(frozen=True)
class Call:
    began: float
    ended: float
    worker: str
    version: str
    book: str
    is_narrowed: bool


class AnyProcess(Rewired):
    """Every call over a connection of its own, so that no caller stays with one process."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))


class Traffic:
    """Calls without pause from several threads."""

    def __init__(self, gateway: Gateway, address: str) -> None:
        self.calls: list[Call] = []
        self.failures: list[BaseException] = []
        self._gateway, self._address = gateway, address
        self._ending = threading.Event()
        self._trust, self._key = gateway.trust, gateway.key(CUSTOMS)
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(30)

    def _call(self):
        workers = []
        http = httpx.Client(
            transport=AnyProcess(self._address),
            timeout=60,
            event_hooks={"response": [lambda response: workers.append(response.headers.get(WORKER))]},
        )
        patience = Patience(total_seconds=60, tries=1)
        try:
            with Client(self._gateway.settings.origin, CUSTOMS, self._key, http=http, patience=patience) as client:
                while not self._ending.wait(0.05):
                    began = time.monotonic()
                    answer = client.send(self._gateway.sign())
                    receipt = self._gateway.receipt(answer)
                    self.calls.append(
                        Call(
                            began,
                            time.monotonic(),
                            workers[-1],
                            receipt["policies"]["holder"],
                            receipt["book"],
                            any(one.group == "trademark.owner" for one in answer.withheld),
                        )
                    )
        except BaseException as error:  # noqa: BLE001  (told by the test)
            self.failures.append(error)

    def until_all_answer_by(self, version: str, *, since: float) -> None:
        """Wait until both processes have answered calls that began since then by a version."""
        give_up = time.monotonic() + GENEROUS
        while time.monotonic() < give_up and not self.failures:
            answered = {one.worker for one in list(self.calls) if one.began >= since and one.version == version}
            if len(answered) == 2:
                return
            time.sleep(0.02)
        raise AssertionError(f"not in both processes: {version}, {Counter(one.worker for one in self.calls)}")


def test_versions_change_under_traffic_in_every_process_and_no_call_notices_more_than_one(demo, settings):
    gateway = Gateway(demo, settings)
    activations = gateway.services.governance.activations
    [base] = activations.history(BOB, "holder", "ipo-xa")
    began = time.monotonic()
    timeline = [(began, began, base.name)]

    def put_in_force(act):
        """Act, and wait for both processes; gives the activation."""
        starting = time.monotonic()
        act()
        acknowledged = time.monotonic()
        newest = activations.history(BOB, "holder", "ipo-xa")[0]
        timeline.append((starting, acknowledged, newest.name))
        traffic.until_all_answer_by(newest.name, since=acknowledged)
        return newest

    narrowed = people.narrowed(people.text_of(gateway))
    ready = people.approve(gateway, people.asked(gateway, {MARK: narrowed}))
    with (
        serving(demo, settings, "tests.governance.naming:application()", workers=2) as (address, _),
        Traffic(gateway, address) as traffic,
    ):
        traffic.until_all_answer_by(base.name, since=0)
        narrow = put_in_force(lambda: activations.activate(people.ALICE, ready.id, version=ready.version))
        for reviewer, target in ((BOB, base), (BEN, narrow), (BOB, base)):
            in_force = activations.history(BOB, "holder", "ipo-xa")[0].id
            put_in_force(
                lambda: activations.roll_back(reviewer, target.id, in_force=in_force, reason="to and fro")  # noqa: B023
            )
    gateway.close()

    calls = traffic.calls
    assert traffic.failures == []
    assert {one.version for one in calls} == {base.name, narrow.name}
    assert all(one.is_narrowed == (one.version == narrow.name) for one in calls)
    assert len({(one.version, one.book) for one in calls}) == 2, "a version is one book, whole"
    assert [one for one in calls if one.version not in versions_for(one, timeline)] == []


def versions_for(call, timeline):
    """Give the versions by which a call may be answered: all that were in force during it or just before."""
    found = set()
    for number, (starting, _, version) in enumerate(timeline):
        ends = timeline[number + 1][1] if number + 1 < len(timeline) else float("inf")
        if call.ended >= starting and call.began <= ends + LATE_SECONDS:
            found.add(version)
    return found


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_build_that_read_too_early_is_not_taken_for_the_newest(demo, settings, monkeypatch):
    gateway = Gateway(demo, settings)
    books, policies = gateway.services.books, gateway.services.policies
    books.newest()
    real, held = books.build, threading.Event()
    first = []

    def slow():
        real()
        if not first:
            first.append(True)
            held.wait(GENEROUS)

    monkeypatch.setattr(books, "build", slow)
    text = people.text_of(gateway)
    policies.put(people.revised("holder", "ipo-xa", MARK, people.narrowed(text)), actor="operator:test", reason="one")
    looking = threading.Thread(target=books.newest)
    looking.start()
    while not first:
        time.sleep(0.01)
    policies.put(people.revised("holder", "ipo-xa", MARK, text), actor="operator:test", reason="two")
    held.set()
    found = books.newest()
    looking.join()

    assert found.activation == policies.newest_activation()
    gateway.close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_receipt_names_what_decided_though_another_version_came_into_force_meanwhile(demo, settings):
    acts = []

    def reached(step):
        if step is Step.DECIDE and acts:
            acts.pop()()

    gateway = Gateway(demo, settings, listener=reached)
    services = gateway.services
    before = services.policies.versions()["holder", "ipo-xa"]
    text = people.revised("holder", "ipo-xa", MARK, people.narrowed(people.text_of(gateway)))

    def change():
        services.policies.put(text, actor="operator:test", reason="meanwhile")
        services.books.newest()

    acts.append(change)
    during, after = gateway.ask(), gateway.ask()

    told = [gateway.receipt(answer) for answer in (during, after)]
    assert [one["policies"]["holder"] for one in told] == [before, services.policies.versions()["holder", "ipo-xa"]]
    assert told[0]["book"] != told[1]["book"] == services.books.newest().book.digest
    assert "trademark.owner" not in {one.group for one in during.withheld}
    assert "trademark.owner" in {one.group for one in after.withheld}
    gateway.close()
