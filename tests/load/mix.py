"""What is asked for in which share: the mix of X-Road's own load tests (Gatling, in X-Road's source), in five sizes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """Records of one size."""

    bytes: int
    """Of the holder's record, about."""
    share: float


MIX: Final = (
    Kind(2_000, 0.30),
    Kind(10_000, 0.60),
    Kind(100_000, 0.09),
    Kind(2_000_000, 0.009),
    Kind(10_000_000, 0.001),
)
VARIANTS: Final = 4
"""Records of each size, so that answers of one size can be told from each other."""


def calls(count: int, seed: int) -> list[tuple[int, int]]:
    """Choose what each of some calls asks for: places of size and of variant, shuffled, the same for one seed.

    Shares are exact to one call; where a share comes to less than one call, none of that size is asked for.
    """
    chance = random.Random(seed)
    counts = shares(count)
    drawn = [(size, chance.randrange(VARIANTS)) for size, number in enumerate(counts) for _ in range(number)]
    chance.shuffle(drawn)
    return drawn


def shares(count: int) -> Sequence[int]:
    """How many of some calls ask for each size; what rounding leaves over asks for the most frequent one."""
    counts = [int(count * kind.share + 1e-9) for kind in MIX]
    most = max(range(len(MIX)), key=lambda place: MIX[place].share)
    counts[most] += count - sum(counts)
    return counts


def mean_bytes() -> float:
    return sum(kind.bytes * kind.share for kind in MIX)
