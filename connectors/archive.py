"""Deliveries that come as zip archives: looked into without unpacking, and refused whole if anything in them is foul.

Nothing is ever written to disk, so a name that climbs out of its folder could do no harm here; an archive with such a
name was made to do harm somewhere, and none of it is taken.
"""

import fnmatch
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from connectors.quarantine import Reason, UnreadableError

SEPARATOR = "!/"
"""Between the name of an archive and that of a file in it; no listed file has a slash after an exclamation mark."""

_FOUL_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|\\|(^|/)\.\.(/|$)|[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """Which files of an archive count, and how much an archive may hold, unpacked."""

    members: str
    bytes_max: int = 500_000_000
    files_max: int = 50_000
    ratio_max: int = 200
    """How many times larger than packed an archive may be."""


def container(name: str) -> str:
    """The file on disk in which a listed file stands: itself, or the archive."""
    return name.partition(SEPARATOR)[0]


def members(file: BinaryIO, rules: ArchiveRules) -> list[str]:
    """Names of the files in an archive that count, in their order.

    Raises:
        UnreadableError: no archive, a bomb, a name that climbs, a link, a password, one name twice.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise UnreadableError(Reason.NOT_PARSEABLE, "is no zip archive") from error
    _require_bounds(infos, rules)
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise UnreadableError(Reason.NOT_PARSEABLE, "one name stands twice in the archive")
    for info in infos:
        if _FOUL_NAME.search(info.filename) or _FOUL_NAME.search(getattr(info, "orig_filename", "")):
            raise UnreadableError(Reason.NOT_PARSEABLE, "a name in the archive leads out of it")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UnreadableError(Reason.NOT_PARSEABLE, "the archive holds a link")
        if info.flag_bits & 1:
            raise UnreadableError(Reason.NOT_PARSEABLE, "the archive is under a password")
    plain = [info.filename for info in infos if not info.is_dir()]
    return [name for name in plain if fnmatch.fnmatchcase(name.rpartition("/")[2], rules.members)]


def member(file: BinaryIO, name: str, bytes_max: int) -> bytes:
    """One file of an archive, at most one byte more than `bytes_max`, whatever the archive says of its size.

    Raises:
        UnreadableError: it is damaged, or not there.
    """
    try:
        with zipfile.ZipFile(file) as archive, archive.open(name) as opened:
            return opened.read(bytes_max + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, OSError) as error:
        raise UnreadableError(Reason.NOT_PARSEABLE, "a file in the archive is damaged") from error


def _require_bounds(infos: list[zipfile.ZipInfo], rules: ArchiveRules) -> None:
    if len(infos) > rules.files_max:
        raise UnreadableError(Reason.TOO_LARGE, f"more than {rules.files_max} files in the archive")
    whole = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if whole > rules.bytes_max or whole > 1_000_000 + packed * rules.ratio_max:
        raise UnreadableError(Reason.TOO_LARGE, f"the archive would unpack to {whole} bytes")
