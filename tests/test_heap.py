"""Memory that a large record took goes back to the system."""

import ctypes
import os
import subprocess
import sys

import pytest

from gateway import heap

HOLDING = """
import sys, threading
from gateway import heap
if sys.argv[1] == "as gunicorn":
    import gateway.gunicorn_conf

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) >> 10

def carry():
    for _ in range(3):
        copies = [b"x" * (3 << 20) for _ in range(8)]
        kept.append(bytearray(b"y" * 100_000))  # small, and on top of what is freed now
        del copies

kept, before = [], resident()
carriers = [threading.Thread(target=carry) for _ in range(8)]
for one in carriers:
    one.start()
for one in carriers:
    one.join()
print(resident() - before)
"""


def grown(how):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, how], capture_output=True, text=True, check=True, env=clean, timeout=120
    )
    return int(done.stdout)


def has_glibc():
    try:
        return bool(ctypes.CDLL(None).mallopt)
    except (AttributeError, OSError):
        return False


@pytest.mark.skipif(not has_glibc(), reason="the system's allocator is not glibc's")
def test_what_large_records_took_in_many_threads_is_given_back():
    assert grown("as gunicorn") < 24


@pytest.mark.skipif(not has_glibc(), reason="the system's allocator is not glibc's")
def test_what_the_operator_sets_stays(monkeypatch):
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: FailingLibrary)

    assert heap.keep_small()


class FailingLibrary:
    @staticmethod
    def mallopt(_what, _value):
        return 0
