"""Running the tests against mutants: they are collected once; then a forked child for each mutant changes one function.

Nothing is imported, collected or made ready again, so a mutant that the first test notices costs little more than that
test. Only files of tests are run that call the changed function at all.
"""

import functools
import importlib
import inspect
import os
import resource
import signal
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType

import hypothesis
import pytest
from _pytest.main import pytest_runtestloop as run_items
from hypothesis import Phase

from tests.mutants.mutate import Mutant

SECONDS = 300
"""After which a mutant that makes the tests run for ever counts as noticed."""

MEMORY_BYTES = 2 << 30
"""Of a child: a mutant that collects for ever runs out of it, and was noticed."""

PROCESSOR_SECONDS = 60
"""Of a child: the same for one that runs in a circle, however busy the machine is; all tests need a fifth of it."""

PROFILE = "mutants"
"""Of Hypothesis: one failing example is enough, nobody reads a smaller one."""

NEAR = {
    "commitment": ["examination", "bundle"],
    "container": ["bundle", "examination"],
    "disclosures": ["sdjwt"],
    "documents": ["examination", "query"],
    "encoding": ["jws", "keys", "note"],
    "handover": ["examination", "query"],
    "jwk": ["keys"],
    "notekey": ["note"],
    "storedzip": ["bundle"],
}
"""Subjects of tests that are tried first where none has the module's own name.

The tests of a subject stand in `test_<subject>.py` and `test_<subject>_<part of it>.py`.
"""

Tell = Callable[[Mutant, bool], None]


class TestsFailError(Exception):
    """The tests fail without any mutant, or cannot be collected: they would notice everything."""


def noticed(chosen: Sequence[Mutant], folder: Path, jobs: int, tell: Tell) -> list[bool]:
    """Tell for each mutant whether any test fails with it in place.

    Args:
        chosen: the mutants.
        folder: of the tests.
        jobs: how many run side by side.
        tell: is called as soon as one is judged.

    Raises:
        TestsFailError: the tests do not pass as they are.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those that the verifier's tests do without cost more than they
    hypothesis.settings.register_profile(PROFILE, deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
    options = ["-x", "-q", "-s", "--assert=plain", "--tb=no", "-q", "-p", "_hypothesis_pytestplugin"]
    options += ["-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception"]
    options += ["--hypothesis-seed=1", f"--hypothesis-profile={PROFILE}", str(folder)]
    runner = _Runner(chosen, jobs, tell)
    pytest.main(options, plugins=[runner])
    if runner.failing is not None:
        raise TestsFailError(f"{runner.failing} fails without any mutant")
    return [runner.found[at] for at in range(len(chosen))]


class _Runner:
    """Takes the place of pytest's own loop once everything is collected."""

    def __init__(self, chosen: Sequence[Mutant], jobs: int, tell: Tell) -> None:
        self.found: dict[int, bool] = {}
        self.failing: str | None = "the collection of tests"
        self._chosen = chosen
        self._jobs = jobs
        self._tell = tell

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        files: dict[Path, list[pytest.Item]] = defaultdict(list)
        for item in session.items:
            files[item.path].append(item)
        called = {}
        for path, items in files.items():
            self.failing = path.name
            called[path] = _functions_called(session, items)
            if called[path] is None:
                return True
        self.failing = None
        self._judge(session, files, called)
        return True

    def _judge(self, session: pytest.Session, files: dict[Path, list[pytest.Item]], called: dict) -> None:
        waiting, running = deque(enumerate(self._chosen)), dict[int, tuple[int, float]]()
        while waiting or running:
            while waiting and len(running) < self._jobs:
                at, mutant = waiting.popleft()
                items = [item for path in _paths(mutant, called) for item in files[path]]
                running[_fork(session, items, mutant)] = at, time.monotonic() + SECONDS
            for child, (at, end) in [*running.items()]:
                done, status = os.waitpid(child, os.WNOHANG)
                if not done and time.monotonic() > end:
                    os.kill(child, signal.SIGKILL)
                    done, status = os.waitpid(child, 0)
                if done:
                    self.found[at] = status != 0
                    del running[child]
                    self._tell(self._chosen[at], self.found[at])
            time.sleep(0.005)


def _paths(mutant: Mutant, called: dict[Path, frozenset[str]]) -> list[Path]:
    """Give the files of tests that call the mutant's function, those most likely to notice first."""
    stem = mutant.module.stem
    near = (stem, *NEAR.get(stem, ()))
    paths = [path for path, names in called.items() if f"{stem} {mutant.where}" in names]
    return sorted(paths, key=lambda path: (_distance(path, near), path.name))


def _distance(path: Path, near: Sequence[str]) -> int:
    """Give the place of a file's subject among those, their number where it is none of them."""
    return next((at for at, name in enumerate(near) if f"{path.stem}_".startswith(f"test_{name}_")), len(near))


def _functions_called(session: pytest.Session, items: list[pytest.Item]) -> frozenset[str] | None:
    """Run tests without any mutant; gives the verifier's functions that they call, None where one fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        codes: set[CodeType] = set()
        sys.setprofile(lambda frame, event, _: codes.add(frame.f_code) if event == "call" else None)
        status = _run(session, items)
        sys.setprofile(None)
        with os.fdopen(writing, "w") as pipe:
            pipe.write("\n".join(sorted({name for code in codes if (name := _name(code))})))
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = frozenset(pipe.read().splitlines())
    return names if os.waitpid(child, 0)[1] == 0 else None


def _name(code: CodeType) -> str | None:
    """Name a function of the verifier as its mutants do; a nested one belongs to the one around it."""
    path = Path(code.co_filename)
    return f"{path.stem} {code.co_qualname.partition('.<locals>')[0]}" if path.parent.name == "ipx" else None


def _fork(session: pytest.Session, items: list[pytest.Item], mutant: Mutant) -> int:
    function, code = changed(mutant)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            put_in_place(function, code)
            status = _run(session, items)
        finally:  # whatever a mutant breaks, it was noticed
            os._exit(status)
    return child


def _run(session: pytest.Session, items: list[pytest.Item]) -> int:
    """Run tests in this process, until one fails; gives 0 where all pass, or where there are none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    session.items = items
    try:
        run_items(session)
    except session.Failed:
        return 1
    return int(bool(session.testsfailed))


def changed(mutant: Mutant) -> tuple[FunctionType, CodeType]:
    """Give the function that a mutant changes, and what it becomes.

    Raises:
        LookupError: there is no such function.
    """
    found: object = importlib.import_module(".".join(mutant.module.with_suffix("").parts))
    for part in mutant.where.split("."):
        found = inspect.getattr_static(found, part)
    function = _plain(found)
    right = function.__code__
    like = (right.co_qualname, right.co_firstlineno, len(right.co_freevars))
    whole = compile(mutant.tree(), right.co_filename, "exec", dont_inherit=True)
    for code in _codes(whole):
        if (code.co_qualname, code.co_firstlineno, len(code.co_freevars)) == like:
            return function, code
    raise LookupError(mutant.name)


def put_in_place(function: FunctionType, code: CodeType) -> None:
    """Let changed code run wherever the right function was imported."""
    function.__code__ = code
    for module in [module for name, module in sys.modules.items() if name.startswith("ipx.")]:
        for value in vars(module).values():
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()  # what the right one has found before the mutant came


def _plain(found: object) -> FunctionType:
    """Take off what decorators have put around a function."""
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    plain = inspect.unwrap(found)
    if not isinstance(plain, FunctionType):
        raise LookupError(f"{found!r} is no function")  # noqa: TRY004  (the mutant names it, not a caller)
    return plain


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
