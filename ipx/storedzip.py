"""Zip files of exactly one form: members stored uncompressed, sorted by name, no time, no comment, nothing between.

Only `mimetype` comes before all others, where there is one: ASiC containers are known by it.

Any zip tool opens them. Reading accepts only what writing gives, byte for byte, so that no two readers can see two
different sets of files in one zip, and so that no byte can be changed unseen.
"""

import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from ipx.errors import FormatError

MAX_MEMBER_BYTES: Final = 15 << 20
MAX_BYTES: Final = 24 << 20
MAX_MEMBERS: Final = 16
FIRST: Final = "mimetype"

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_VERSION: Final = 20
_MADE_BY_UNIX: Final = 3 << 8 | _VERSION
_MIDNIGHT: Final = 0
_FIRST_OF_1980: Final = 1 << 5 | 1  # the first day that the format can express
_READABLE_FILE: Final = 0o100644 << 16


def write(members: Mapping[str, bytes]) -> bytes:
    """Write a zip; the same members give the same bytes, everywhere and always.

    Args:
        members: by ASCII name, no more than 15 MiB each.

    Raises:
        FormatError: a name or a size that has no place in such a file, or more than 16 members.
    """
    if len(members) > MAX_MEMBERS:
        raise FormatError(f"A bundle holds no more than {MAX_MEMBERS} files.")
    local, central = b"", b""
    for name, data in sorted(members.items(), key=lambda member: _place(member[0])):
        if not name.isascii() or len(data) > MAX_MEMBER_BYTES:
            raise FormatError(f"The file {name[:64]!r} is larger than 15 MiB, or its name is not ASCII.")
        raw_name = name.encode("ascii")
        common = (_VERSION, 0, 0, _MIDNIGHT, _FIRST_OF_1980, zlib.crc32(data), len(data), len(data), len(raw_name), 0)
        central += _CENTRAL.pack(b"PK\x01\x02", _MADE_BY_UNIX, *common, 0, 0, 0, _READABLE_FILE, len(local)) + raw_name
        local += _LOCAL.pack(_LOCAL_MAGIC, *common) + raw_name + data
    end = _END.pack(b"PK\x05\x06", 0, 0, len(members), len(members), len(central), len(local), 0)
    return local + central + end


def read(data: bytes) -> dict[str, bytes]:
    """Read a zip that `write` gave.

    Raises:
        FormatError: anything else, other zips among it; says in which file or part it differs first.
    """
    if len(data) > MAX_BYTES:
        raise FormatError("A bundle is larger than 24 MiB.")
    members: dict[str, bytes] = {}
    starts: list[tuple[int, str]] = []
    at = 0
    while data.startswith(_LOCAL_MAGIC, at) and len(data) - at >= _LOCAL.size and len(members) < MAX_MEMBERS:
        *_, size, name_length, _ = _LOCAL.unpack_from(data, at)
        begin = at + _LOCAL.size + name_length
        name = data[begin - name_length : begin].decode("latin-1")
        starts.append((at, name))
        at = begin + size
        members[name] = data[begin:at]
    if not members:
        raise FormatError("This is not a bundle: it does not begin with a file as the gateway packs them.")
    # This one comparison refuses a file that stands twice, is cut off, compressed, too large, or described two ways.
    if (expected := write(members)) != data:
        raise FormatError(
            "This is not a bundle as the gateway writes it, byte for byte: it was packed again, or a byte was changed. "
            + _difference(starts, at, expected, data)
        )
    return members


def _place(name: str) -> tuple[bool, str]:
    return name != FIRST, name


def _difference(starts: list[tuple[int, str]], end: int, expected: bytes, data: bytes) -> str:
    """Tell where a zip is not what it should be, by where its files start and where the last of them ends."""
    for (_, one), (_, other) in pairwise(starts):
        if _place(one) >= _place(other):
            return f"Its files {one[:64]!r} and {other[:64]!r} are not in order."
    at = _first_difference(expected, data)
    if at < end:
        name = next(name for start, name in reversed(starts) if start <= at)
        return f"It differs first at the file {name[:64]!r}, in its content, size or name, at byte {at}."
    for _, name in starts:
        end += _CENTRAL.size + len(name)
        if at < end:
            return f"Its directory says something else of the file {name[:64]!r} than the file itself, at byte {at}."
    return f"What follows its directory differs, at byte {at}."


def _first_difference(one: bytes, other: bytes) -> int:
    """Give the place of the first byte that differs, or where the shorter one ends: by halves, not byte by byte."""
    same, most = 0, min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    while most - same > 1:
        middle = (same + most) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            most = middle
    return same
