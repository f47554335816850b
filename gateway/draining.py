"""A node that was told to end: it goes on serving for a while and says that it is not ready, so that others take over.

One for each process: the signal comes to the process, whatever application it serves.
"""

import threading

_begun = threading.Event()


def begin() -> None:
    """From now on this process is not ready. There is no way back."""
    _begun.set()


def has_begun() -> bool:
    return _begun.is_set()
