"""The mutants are the ones that are meant, and a test that looks notices them."""

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import VERIFIERS, argued
from tests.mutants.mutate import mutants
from tests.mutants.run import changed

SOURCE = """
def check(a, b):
    if not 0 <= a < b:
        raise ValueError("range")
    if a == 7 and (b > 9 or b is None):
        raise ValueError("seven")
    for item in (a, b):
        if item == 3:
            return item
    raise LookupError

def plain(a, b):
    if a < b:
        return a
    return b
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "module.py").write_text(SOURCE)
    return (tmp_path / "module.py").relative_to(tmp_path)


def test_each_raise_and_each_operand_of_a_refusing_condition_is_changed_once(module):
    told = sorted(mutant.what for mutant in mutants(module))

    assert told == sorted(
        [
            "without `raise ValueError('range')`",
            "without `raise ValueError('seven')`",
            "without `raise LookupError`",
            "with a moved boundary `0 <= a < b` (1)",
            "with a moved boundary `0 <= a < b` (2)",
            "without link 1 of `0 <= a < b`",
            "without link 2 of `0 <= a < b`",
            "without operand `a == 7`",
            "with operand `a == 7` negated",
            "without operand `b > 9 or b is None`",
            "with operand `b > 9 or b is None` negated",
            "without operand `b > 9`",
            "with operand `b > 9` negated",
            "without operand `b is None`",
            "with operand `b is None` negated",
            "with a moved boundary `b > 9` (1)",
        ]
    )


def test_a_mutant_does_what_it_says(module):
    def of(what):
        (mutant,) = [mutant for mutant in mutants(module) if mutant.what == what]
        names = {}
        exec(compile(mutant.tree(), "mutant", "exec"), names)
        return names["check"]

    assert of("without link 1 of `0 <= a < b`")(-1, 3) == 3
    assert of("without link 2 of `0 <= a < b`")(9, 3) == 3
    assert of("with a moved boundary `0 <= a < b` (2)")(3, 3) == 3
    assert of("without `raise LookupError`")(1, 2) is None
    with pytest.raises(ValueError, match="seven"):
        of("without operand `a == 7`")(3, 10)


def test_every_mutant_of_the_verifier_has_a_name_of_its_own_and_compiles(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    found = [mutant for name in VERIFIERS for mutant in mutants(Path("ipx") / f"{name}.py")]

    assert len({mutant.name for mutant in found}) == len(found) > 400
    for mutant in found[::10]:
        assert ast.dump(mutant.tree()) != ast.dump(ast.parse(mutant.module.read_text("utf-8")))
        compile(mutant.tree(), str(mutant.module), "exec")
    for mutant in found:
        function, code = changed(mutant)
        assert code.co_qualname == function.__qualname__ or "<locals>" in function.__qualname__
    assert set(argued()) <= {mutant.name for mutant in found}
