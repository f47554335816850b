"""A lock that one process of a node holds until it ends: for work that need not be done by each of them."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path


class NodeLock:
    """The kernel lets go of it when its process ends, however that ends."""

    def __init__(self, name: str) -> None:
        """Name what is not to be done twice at once, with all that tells this gateway from another on the machine."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self._path = Path(tempfile.gettempdir()) / f"ipx-gateway-{os.getuid()}-{digest}.lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Take it unless another process has it; whether this one may work.

        Where no file can be written nobody is kept from working: what it guards may be done twice, only in vain.
        """
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
