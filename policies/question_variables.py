"""What is open about a question, as variables that z3 can choose: who asks, about what record, why and when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.question import Agency
from policies.universes import Name, Names, NotAnalysedError, Universe

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000
"""In milliseconds, as instants are counted here."""
_MOST: Final = {"context.overdue_acknowledgements": (1 << 63) - 1}
"""Numbers that may be larger than ten."""
_YEARS: Final = (-130 * 365 * DAY, 130 * 365 * DAY)
"""Instants of the analysis: roughly 1840 to 2100."""


class QuestionVariables:
    """Variables by name, and the axioms that hold of them.

    Args:
        universes: the names of each type.
        registry: agencies whose kind and places are facts.
    """

    def __init__(self, universes: Mapping[str, Universe], registry: Mapping[str, Agency]) -> None:
        self.universes = universes
        self.by_name: dict[str, Any] = {}
        self.axioms: list[Any] = []
        self._registry = registry
        self._name_agencies()

    def place(self, kind: str, name: str) -> int:
        """Give the place of a name in the universe of its type.

        Raises:
            NotAnalysedError: no policy mentions it.
        """
        names = self.universe(kind).names
        if name not in names:
            raise NotAnalysedError(f"a name of {kind} that was not counted")
        return names.index(name)

    def universe(self, kind: str) -> Universe:
        """Give the names of a type.

        Raises:
            NotAnalysedError: it is a type of which names are not told apart.
        """
        if kind not in self.universes:
            raise NotAnalysedError(f"names of the type {kind}")
        return self.universes[kind]

    def boolean(self, name: str) -> Any:
        """Give what may be true or not, the same for the same name."""
        return self.by_name.setdefault(name, z3.Bool(name))

    def variable(self, name: str, kind: str) -> Any:
        """Give the variable of this name; one that is new brings the axioms of its type.

        Raises:
            NotAnalysedError: as `universe`.
        """
        known = self.by_name.get(name)
        if known is None:
            known = self.by_name[name] = self._made(name, kind)
        return known

    def _made(self, name: str, kind: str) -> Any:
        if kind == "Bool":
            return z3.Bool(name)
        if kind in {"Long", "datetime"}:
            number = z3.Int(name)
            low, high = (0, _MOST.get(name, 10)) if kind == "Long" else _YEARS
            self.axioms.append(z3.And(number >= low, number <= high))
            return number
        if kind.startswith("Set<"):
            inner = kind[4:-1]
            size = self.universe(inner).size
            return Names(inner, tuple(z3.Bool(f"{name}[{number}]") for number in range(size)))
        at = z3.Int(name)
        self.axioms.append(z3.And(at >= 0, at < self.universe(kind).size))
        return Name(kind, at)

    def _name_agencies(self) -> None:
        """State what the register says of the agencies that policies mention."""
        for number, code in enumerate(self.universes["Agency"].names):
            known = self._registry.get(code)
            if known is None:
                continue
            kinds, places = self.universes["AgencyKind"], self.universes["Jurisdiction"]
            if known.kind in kinds.names:
                kind = self.variable(f"agency{number}.kind", "AgencyKind")
                self.axioms.append(kind.at == kinds.names.index(known.kind))
            has = self.variable(f"agency{number}.jurisdictions", "Set<Jurisdiction>").has
            self.axioms += (one == (name in known.jurisdictions) for one, name in zip(has, places.names, strict=False))
