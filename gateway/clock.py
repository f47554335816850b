"""Time comes in as an argument; this is the real one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], datetime]
"""Gives the present instant, aware and in UTC."""

SKEW: Final = timedelta(seconds=2)
"""How far two machines' clocks may be apart."""


def utc_now() -> datetime:
    return datetime.now(UTC)
