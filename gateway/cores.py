"""A core of its own for each worker of a node, where a node has as many workers as its machine has cores.

One process runs Python on one core at a time. Where the system moves its threads between cores, each hand-over from one
to the other wakes up another core; kept to one, an exchange takes a tenth less processor time, and workers wait less
for each other. nginx knows the same as `worker_cpu_affinity auto`.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

CHOICES: Final = ("auto", "on", "off")


def usable() -> frozenset[int]:
    """Give the cores on which the calling thread may run; none where the system cannot say or keep to it."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


_ALL: Final = usable()
"""When this module was first imported, in gunicorn's own process: the cores of the node."""


def is_pinned(choice: str, workers: int, cores: Collection[int] = _ALL) -> bool:
    """Tell whether workers are kept to cores.

    Args:
        choice: `on`, `off`, or `auto`: only where there are as many workers as cores, or more. With fewer, another node
            on the machine might have chosen the same cores, while others were idle.
        workers: of the node.
        cores: on which they may run.
    """
    if choice not in CHOICES:
        raise ValueError(f"IPX_PIN_WORKERS is {choice}: say one of {', '.join(CHOICES)}")
    return bool(cores) and (choice == "on" or (choice == "auto" and workers >= len(cores) > 1))


def least_used(taken: Iterable[int | None], cores: Collection[int] = _ALL) -> int:
    """Choose a core for a new worker, given those of the workers that live."""
    count = Counter(taken)
    return min(sorted(cores), key=lambda core: count[core])


def keep_to(core: int) -> None:
    """Keep the calling thread to a core, and all threads that it starts from now on."""
    os.sched_setaffinity(0, {core})


@contextmanager
def any_core() -> Iterator[None]:
    """Let the calling thread, and a process that it starts meanwhile, run on any core of the node."""
    kept = usable()
    if kept == _ALL:
        yield
        return
    os.sched_setaffinity(0, _ALL)
    try:
        yield
    finally:
        os.sched_setaffinity(0, kept)
