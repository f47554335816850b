"""Memory that a large record took goes back to the system; glibc by itself keeps it, in the heap of each thread.

Nothing happens where the system's allocator is another one; what the environment sets (`MALLOC_…`) stays as it is.
"""

import ctypes
import os
from typing import Final

APART_BYTES: Final = 256 << 10
"""From this size on a block is mapped by itself and unmapped when it is freed; records of 100 KB stay below."""
ARENAS: Final = 2
"""Heaps that all threads of a process share: one for each thread is as many places in which free memory lies about."""

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8  # <malloc.h>
_SET_BY: Final = {_M_MMAP_THRESHOLD: "MALLOC_MMAP_THRESHOLD_", _M_ARENA_MAX: "MALLOC_ARENA_MAX"}


def keep_small() -> bool:
    """Set the allocator of this process, and of those that it forks; before the first thread. False: it has no such."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = {_M_MMAP_THRESHOLD: APART_BYTES, _M_ARENA_MAX: ARENAS}
    taken = [mallopt(what, value) == 1 for what, value in wanted.items() if _SET_BY[what] not in os.environ]
    return all(taken)
