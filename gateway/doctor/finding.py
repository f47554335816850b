"""What the doctor says of one part."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """The exit code of `ipx-gateway doctor` is the worst of them."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: Level
    found: str
    remedy: str = ""
    """What to do next; empty where all is well."""
