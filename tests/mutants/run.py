"""Running the tests against one mutant: a forked child imports the mutant instead of the module, and runs pytest."""

import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType

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
    "gateway.db.engine",
    "gateway.tables",
    "hypothesis.extra.pytestplugin",
    "hypothesis.strategies",
    "psycopg",
    "pytest",
    "rfc3161_client",
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


Called = dict[Path, frozenset[str]]
"""Of each file of tests the functions of the verifier that it calls, as `module.py function`."""


def functions_called(folder: Path) -> Called:
    """Run each file of tests by itself and without any mutant.

    Raises:
        RuntimeError: one of them fails as it is; then it would notice everything.
    """
    return {file: _functions_called_by(file) for file in sorted(folder.glob("test_*.py"))}


def _functions_called_by(file: Path) -> frozenset[str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        called: set[CodeType] = set()
        sys.setprofile(lambda frame, event, _: called.add(frame.f_code) if event == "call" else None)
        status = _try(None, [str(file)])
        sys.setprofile(None)
        with os.fdopen(writing, "w") as pipe:
            pipe.write("\n".join(sorted({name for code in called if (name := _name(code))})))
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = frozenset(pipe.read().splitlines())
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(f"{file} fails without any mutant")
    return names


def _name(code: CodeType) -> str | None:
    """Name a function of the verifier as its mutants do; a nested one belongs to the one around it."""
    path = Path(code.co_filename)
    return f"{path.name} {code.co_qualname.partition('.<locals>')[0]}" if path.parent.name == "ipx" else None


def tests_for(mutant: Mutant, called: Called) -> list[str]:
    """Give the files of tests that call the mutant's function, those most likely to notice first."""
    near = {
        "disclosures": ["sdjwt"],
        "notekey": ["note"],
        "container": ["bundle", "examination"],
        "storedzip": ["bundle"],
        "documents": ["examination"],
        "commitment": ["examination", "bundle"],
        "handover": ["examination", "query"],
        "jwk": ["keys"],
        "query": ["query"],
        "encoding": ["jws", "keys", "note"],
    }
    stem = mutant.module.stem
    first = [f"test_{name}.py" for name in (stem, *near.get(stem, ()))]
    files = [path for path, names in called.items() if f"{mutant.module.name} {mutant.where}" in names]
    return [str(path) for path in sorted(files, key=lambda path: (path.name not in first, path.name))]


def noticed(chosen: Sequence[Mutant], called: Called, jobs: int, tell: Callable[[Mutant, bool], None]) -> list[bool]:
    """Tell for each mutant whether any test fails with it in place; `jobs` run at a time.

    Args:
        chosen: the mutants.
        called: which tests call what.
        jobs: how many run side by side.
        tell: is called as soon as one is judged.
    """
    waiting, running, found = deque(enumerate(chosen)), dict[int, tuple[int, float]](), dict[int, bool]()
    while waiting or running:
        while waiting and len(running) < jobs:
            at, mutant = waiting.popleft()
            running[_begin(mutant, tests_for(mutant, called))] = at, time.monotonic() + SECONDS
        for child, (at, end) in [*running.items()]:
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                done, status = os.waitpid(child, 0)
            if done:
                found[at] = status != 0
                del running[child]
                tell(chosen[at], found[at])
        time.sleep(0.01)
    return [found[at] for at in range(len(chosen))]


def _begin(mutant: Mutant, files: Sequence[str]) -> int:
    child = os.fork()
    if child == 0:
        os._exit(_try(mutant, files))
    return child


def _try(mutant: Mutant | None, files: Sequence[str]) -> int:
    """Run the tests in this process; gives 0 where all pass, or where there are none."""
    if not files:
        return 0
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
