"""Whether a folder lies on a disk of this machine: such a read cannot hang for want of another machine."""

import os
from pathlib import Path
from typing import Final

LOCAL: Final = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
MOUNTS: Final = Path("/proc/self/mounts")
_FIELDS: Final = 3


def is_local(folder: Path | str, mounts: Path = MOUNTS) -> bool:
    """Tell whether a folder is on a file system of this machine; False where that cannot be known.

    Args:
        folder: is resolved first, so call this where a mount that hangs may hold the thread.
        mounts: the kernel's list of mounts (proc_pid_mounts(5)).
    """
    try:
        place = Path(os.path.realpath(folder))
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    deepest, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < _FIELDS:
            continue
        point = Path(_unescaped(fields[1]))
        if place.is_relative_to(point) and len(point.parts) >= deepest:  # of two on one point, the later one is seen
            deepest, kind = len(point.parts), fields[2]
    return kind in LOCAL


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
