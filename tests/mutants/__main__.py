"""`make mutants`: do the tests notice when a verifier refuses less? Prints the mutants that they do not notice.

    python -m tests.mutants [--small] [--jobs N] [MODULE…]

`--small` takes a sample that is the same every time. A mutant that no test can notice stands in `argued.md` with the
reason; any other survivor, or fewer than 95 noticed of a hundred, is a failure.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click import echo

from tests.mutants.mutate import Mutant, mutants
from tests.mutants.run import TestsFailError, noticed

VERIFIERS = (
    "bundle",
    "commitment",
    "container",
    "disclosures",
    "documents",
    "encoding",
    "evidence",
    "examination",
    "handover",
    "jwk",
    "jws",
    "keys",
    "merkle",
    "note",
    "notekey",
    "query",
    "sdjwt",
    "statement",
    "storedzip",
    "tiles",
    "timestamp",
    "trust",
)
TESTS = Path("tests/ipx")
ARGUED = Path(__file__).parent / "argued.md"
LEAST = 0.95
SMALL = 40


def argued() -> dict[str, str]:
    """Read `argued.md`: a line `- <mutant> — <reason>` each."""
    lines = ARGUED.read_text("utf-8").splitlines()
    pairs = (line.removeprefix("- ").split(" — ", 1) for line in lines if line.startswith("- "))
    return {name.strip(): reason.strip() for name, reason in pairs}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=VERIFIERS, metavar="MODULE")
    parser.add_argument("--small", action="store_true", help=f"{SMALL} mutants only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    options = parser.parse_args()
    everything = [mutant for name in options.modules for mutant in mutants(Path("ipx") / f"{name}.py")]
    chosen = everything[:: max(1, len(everything) // SMALL)] if options.small else everything
    if options.list:
        echo("\n".join(f"{mutant.module}:{mutant.line} {mutant.where}: {mutant.what}" for mutant in chosen))
        return 0
    try:
        return report(everything, chosen, options.jobs)
    except TestsFailError as error:
        echo(f"{error}: mend it first")
        return 2


def report(everything: list[Mutant], chosen: list[Mutant], jobs: int) -> int:
    started = time.monotonic()
    was_noticed = noticed(chosen, TESTS, jobs, _progress(len(chosen)))
    reasons = argued()
    survivors = [mutant for mutant, was in zip(chosen, was_noticed, strict=True) if not was]
    open_ends = [mutant for mutant in survivors if mutant.name not in reasons]
    for module in sorted({mutant.module for mutant in chosen}):
        of_module = [was for mutant, was in zip(chosen, was_noticed, strict=True) if mutant.module == module]
        echo(f"{module!s:26}{sum(of_module):5} of {len(of_module):4} noticed")
    for mutant in survivors:
        echo(f"survives  {mutant.module}:{mutant.line} {mutant.where}: {mutant.what}")
        echo(f"          {reasons.get(mutant.name, 'NOT ARGUED: a test is missing, or a line in argued.md')}")
    share = sum(was_noticed) / max(len(chosen), 1)
    echo(
        f"{len(chosen)} mutants, {sum(was_noticed)} noticed ({share:.1%}), {len(survivors) - len(open_ends)} argued, "
        f"{len(open_ends)} open; {time.monotonic() - started:.0f} s"
    )
    known = {mutant.name for mutant in everything}
    killed = {mutant.name for mutant, was in zip(chosen, was_noticed, strict=True) if was}
    judged = {str(mutant.module) for mutant in everything} if len(chosen) == len(everything) else set()
    stale = [name for name in reasons if name.split()[0] in judged and (name not in known or name in killed)]
    for name in stale:
        echo(f"stale in argued.md: {name}")
    return int(bool(open_ends or stale) or share < LEAST)


def _progress(count: int) -> Callable[[Mutant, bool], None]:
    """Tell on standard error how far the run is, every 25 mutants, and each survivor at once."""
    judged = 0

    def tell(mutant: Mutant, was_noticed: bool) -> None:  # noqa: FBT001
        nonlocal judged
        judged += 1
        if not was_noticed:
            echo(f"   not noticed: {mutant.name}", err=True)
        if judged % 25 == 0:
            echo(f"   {judged} of {count}", err=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
