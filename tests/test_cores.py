"""Workers keep to cores of their own where a node fills its machine, and nothing else is confined with them."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from gateway import cores
from tests.bench.servers import bare_server

needs_cores = pytest.mark.skipif(not cores.usable(), reason="this system does not tell on which cores a thread may run")


@pytest.mark.parametrize(
    ("choice", "workers", "available", "expected"),
    [
        ("auto", 2, {0, 1}, True),
        ("auto", 4, {0, 1}, True),
        ("auto", 2, {0, 1, 2, 3}, False),
        ("auto", 1, {0}, False),
        ("on", 2, {0, 1, 2, 3}, True),
        ("off", 2, {0, 1}, False),
        ("on", 2, set(), False),
    ],
)
def test_by_itself_a_node_keeps_to_cores_only_where_its_workers_fill_them(choice, workers, available, expected):
    assert cores.is_pinned(choice, workers, available) is expected


def test_a_choice_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="IPX_PIN_WORKERS is yes: say one of auto, on, off"):
        cores.is_pinned("yes", 2, {0, 1})


def test_a_worker_that_follows_a_dead_one_takes_its_core():
    assert cores.least_used([], {4, 5}) == 4
    assert cores.least_used([4], {4, 5}) == 5
    assert cores.least_used([5], {4, 5}) == 4
    assert cores.least_used([4, 5, 5], {4, 5}) == 4
    assert cores.least_used([None], {4, 5}) == 4


@needs_cores
def test_a_thread_that_keeps_to_a_core_can_start_a_program_that_does_not():
    seen = {}

    def work():
        cores.keep_to(min(cores._ALL))
        seen["kept"] = cores.usable()
        with cores.any_core():
            program = "import os; print(sorted(os.sched_getaffinity(0)))"
            seen["program"] = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        seen["after"] = cores.usable()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen["kept"] == seen["after"] == {min(cores._ALL)}
    assert seen["program"].decode().strip() == str(sorted(cores._ALL))
    assert os.sched_getaffinity(0) == cores._ALL


@needs_cores
def test_workers_of_a_node_share_its_cores_evenly_and_one_that_died_is_replaced_on_its_own(monkeypatch):
    monkeypatch.setenv("IPX_PIN_WORKERS", "on")
    with bare_server() as served:
        before = kept_cores(served, 2)
        assert all(len(allowed) == 1 for allowed in before.values())
        assert len(set(before.values())) == min(2, len(cores._ALL))

        dead = min(before)
        os.kill(dead, signal.SIGKILL)
        after = kept_cores(served, 2, without=dead)

        assert sorted(map(sorted, after.values())) == sorted(map(sorted, before.values()))


def kept_cores(served, count, *, without=None):
    """Wait until a node has its workers, each kept to its core; gives the cores of each."""
    for _ in range(600):
        found = {}
        for worker in served._workers():
            with suppress(OSError):
                found[int(worker.name)] = frozenset(os.sched_getaffinity(int(worker.name)))
        if len(found) == count and without not in found and all(len(one) == 1 for one in found.values()):
            return found
        time.sleep(0.05)
    return found
