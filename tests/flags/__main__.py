"""Prints precision and recall of each kind of flag on planted worlds: `python -m tests.flags [WORLDS]`."""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from gateway.auditor.flag_methods import KINDS
from tests.flags.finding import database_of, raised
from tests.flags.planted import AGENCIES, LOOKED_AT, World, scores


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(worlds: int) -> None:
    totals = defaultdict(list)
    for seed in range(1, worlds + 1):
        world = World(seed)
        with tempfile.TemporaryDirectory() as folder:
            database = database_of(world, Path(folder))
            found = scores(world.planted, raised(database))
            database.dispose()
        for kind in KINDS:
            totals[kind].append(found[kind])
    days = worlds * LOOKED_AT * len(AGENCIES)
    say(f"{worlds} worlds, {days} days of an agency looked at")
    say(f"{'kind':10} {'planted':>8} {'precision':>10} {'recall':>8}")
    for kind in KINDS:
        planted = sum(len(wanted) for _, _, _, wanted in totals[kind])
        precision = sum(one[0] for one in totals[kind]) / worlds
        recall = sum(one[1] for one in totals[kind]) / worlds
        say(f"{kind:10} {planted:>8} {precision:>10.3f} {recall:>8.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
