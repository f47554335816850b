"""Conditions of policies as formulas that z3 can decide, and its models as questions that Cedar can answer.

What is taken for granted: enumerations have the catalogue's values, `principal in Agency::"x"` says that the client's
agency is x, an agency has the kind and places the register says. Names, numbers and keys are compared only for being
the same, so a small universe of them suffices: those the policies mention, one for each variable, and one witness for
each distinct statement about a set. An answer "impossible" is then a fact; a model is a candidate until Cedar confirms
it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import z3  # type: ignore[import-untyped]

from policies.compiled import CompiledPolicy
from policies.formulas import Formulas, Scope
from policies.question import Agency, Question
from policies.question_variables import QuestionVariables
from policies.schema import Catalogue
from policies.universes import Names, NotAnalysedError, universes
from policies.witness import PLAIN, PLAIN_NOW, Witness


class Analysis:
    """Formulas over one fixed set of policies, and their models.

    Args:
        catalogue: of record types and words.
        policies: all that formulas will be made of.
        registry: agencies whose kind and places are facts.
        holder: the code of the records' holder, where all are of one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        policies: Sequence[CompiledPolicy],
        registry: Mapping[str, Agency],
        holder: str | None,
    ) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self._holder = holder
        self._variables = QuestionVariables(universes(catalogue, policies, holder), registry)
        self._formulas = Formulas(catalogue, self._variables, holder)
        self._solver = z3.Solver()
        self._added = 0
        """So many axioms were added to the solver."""

    def scope(self, record_type: str, action: str) -> Scope:
        """Say what formulas about an action on records of a type are about."""
        return self._formulas.scope(record_type, action)

    def condition(self, policy: CompiledPolicy, scope: Scope) -> Any:
        """Give when a policy applies, its action and record type aside.

        Raises:
            NotAnalysedError: it has a construct without a formula.
        """
        return self._formulas.condition(policy, scope)

    def model(self, formula: Any, timeout_ms: int) -> Any | None:
        """Give a model of a formula, None where it has none.

        Raises:
            NotAnalysedError: it took too long.
        """
        solver = z3.Solver()
        solver.set("timeout", timeout_ms)
        solver.add(formula, *self._variables.axioms)
        return self._plainest(solver, timeout_ms) if _is_sat(solver.check(), timeout_ms) else None

    def is_possible(self, formula: Any, timeout_ms: int) -> bool:
        """Tell whether a formula has a model at all: one solver is asked of all of them in turn.

        Raises:
            NotAnalysedError: it took too long.
        """
        solver = self._solver
        solver.set("timeout", timeout_ms)
        solver.add(*self._variables.axioms[self._added :])  # conditions bring names, and names bring axioms
        self._added = len(self._variables.axioms)
        solver.push()
        try:
            solver.add(formula)
            return _is_sat(solver.check(), timeout_ms)
        finally:
            solver.pop()

    def _plainest(self, solver: Any, timeout_ms: int) -> Any:
        """Find a model in which little stands out: whoever reads a witness should see what matters, and no more."""
        until = time.monotonic() + timeout_ms / 1000
        model, kept = solver.model(), []
        for wish in self._wishes():
            if time.monotonic() > until:
                break
            if z3.is_true(model.eval(wish, model_completion=True)):
                kept.append(wish)
            elif solver.check(*kept, wish) == z3.sat:
                kept.append(wish)
                model = solver.model()
        return model

    def _wishes(self) -> Iterator[Any]:
        """What is plain, the most telling first: nothing marked, nothing cited, nothing in sets, agencies by name."""
        named = self._variables.by_name
        for name in ("resource.holder", "principal.agency"):
            if name in named:
                yield named[name].at < max(1, len(self._variables.universe("Agency").names))
        yield from (z3.Not(variable) for variable in named.values() if isinstance(variable, z3.BoolRef))
        for name, variable in named.items():
            if isinstance(variable, Names) and not name.startswith("agency"):
                yield z3.Not(z3.Or(*variable.has))
        for name, value in PLAIN.items():
            if name in named and value in self._variables.universe(named[name].type).names:
                yield named[name].at == self._variables.place(named[name].type, value)
        if "context.overdue_acknowledgements" in named:
            yield named["context.overdue_acknowledgements"] == 0
        if "context.now" in named:
            yield named["context.now"] == PLAIN_NOW

    def question(self, model: Any, record_type: str) -> Question:
        """Write a model as a question."""
        return Witness(self._catalogue, self._variables, self._registry, model).question(record_type, self._holder)


def _is_sat(answer: Any, timeout_ms: int) -> bool:
    if answer == z3.unknown:
        raise NotAnalysedError(f"undecided within {timeout_ms} ms")
    return bool(answer == z3.sat)
