"""Running the tests against one mutant: a forked child imports the mutant instead of the module, and runs pytest."""

import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.mutants.mutate import Mutant

SECONDS = 300
"""After which a mutant that makes the tests run for ever counts as noticed."""

MEMORY_BYTES = 2 << 30
"""Of a child: a mutant that collects for ever runs out of it, and was noticed."""

WARM = (
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "hypothesis.strategies",
    "psycopg",
    "pytest",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
)
"""What the tests import besides the verifier, so that it is imported once and not in every child."""


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a mutant for the module that it was made from."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = ".".join(mutant.module.with_suffix("").parts)
        self._file = str(mutant.module.resolve())
        self._tree = mutant.tree()

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._file)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        del spec

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file
        exec(compile(self._tree, self._file, "exec", dont_inherit=True), module.__dict__)


def warm_up() -> None:
    """Import once what every child needs. The verifier itself is not among it."""
    for name in WARM:
        importlib.import_module(name)
    if any(name == "ipx" or name.startswith("ipx.") for name in sys.modules):
        raise AssertionError("the verifier was imported before its mutants")


def tests_for(mutant: Mutant, folder: Path) -> list[str]:
    """Give all tests, those most likely to notice first."""
    near = {
        "disclosures": ["sdjwt"],
        "notekey": ["note"],
        "container": ["bundle", "examination"],
        "storedzip": ["bundle"],
        "documents": ["examination"],
        "commitment": ["examination", "bundle"],
        "encoding": ["jws", "keys", "note"],
    }
    stem = mutant.module.stem
    first = [folder / f"test_{name}.py" for name in (stem, *near.get(stem, ()))]
    files = [path for path in first if path.is_file()]
    return [str(path) for path in (*files, *sorted(set(folder.glob("test_*.py")) - set(files)))]


def noticed(chosen: Sequence[Mutant], folder: Path, jobs: int) -> list[bool]:
    """Tell for each mutant whether any test fails with it in place; `jobs` run at a time."""
    waiting, running, found = deque(enumerate(chosen)), dict[int, tuple[int, float]](), dict[int, bool]()
    while waiting or running:
        while waiting and len(running) < jobs:
            at, mutant = waiting.popleft()
            running[_begin(mutant, tests_for(mutant, folder))] = at, time.monotonic() + SECONDS
        for child, (at, end) in [*running.items()]:
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                done, status = os.waitpid(child, 0)
            if done:
                found[at] = status != 0
                del running[child]
        time.sleep(0.01)
    return [found[at] for at in range(len(chosen))]


def passes_unchanged(folder: Path) -> bool:
    """Tell whether the tests pass without any mutant: else they would notice everything."""
    return os.waitpid(_begin(None, [str(folder)]), 0)[1] == 0


def _begin(mutant: Mutant | None, files: Sequence[str]) -> int:
    child = os.fork()
    if child == 0:
        os._exit(_try(mutant, files))
    return child


def _try(mutant: Mutant | None, files: Sequence[str]) -> int:
    """Run the tests in this process; gives 0 where all pass."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    import pytest  # noqa: PLC0415  (imported before, by `warm_up`)

    if mutant is not None:
        sys.meta_path.insert(0, _Instead(mutant))
    options = ["-x", "-q", "--assert=plain", "--hypothesis-seed=1", "-p", "no:cacheprovider", "-p", "no:xdist"]
    try:
        return int(pytest.main([*options, *files]) != 0)
    except BaseException:  # noqa: BLE001  (whatever a mutant breaks, it was noticed)
        return 1
