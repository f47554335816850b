"""A model that z3 found, written as a question that Cedar can answer; what the model leaves open is plain."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.question import Agency, CaseReference, Client, Delegation, Fact, Question, Record, Representation
from policies.question_variables import DAY, EPOCH, QuestionVariables
from policies.schema import Catalogue

PLAIN: Final = {"resource.status": "active", "resource.stage": "unknown", "context.mode": "single"}
PLAIN_NOW: Final = 56 * 365 * DAY


class Witness:
    """Writes one model as a question; what it leaves open is plain."""

    def __init__(
        self, catalogue: Catalogue, variables: QuestionVariables, registry: Mapping[str, Agency], model: Any
    ) -> None:
        self._catalogue = catalogue
        self._variables = variables
        self._registry = registry
        self._model = model

    def question(self, record_type: str, given_holder: str | None) -> Question:
        """Write it, of a record type and a holder; None: of whichever holder the model chose."""
        known = self._variables.by_name
        holder = given_holder or self._name("resource.holder", "Agency")
        asking = self._name("principal.agency", "Agency")
        supplier = self._name("context.delegation.supplier", "Agency") if self._true("has:delegation") else None
        units = frozenset(name.removeprefix("unit:") for name in known if name.startswith("unit:") and self._true(name))
        return Question(
            client=Client(
                "witness", units, self._number("principal.assurance", 2), suspended=self._true("principal.suspended")
            ),
            asking=self._agency(asking),
            supplier=self._agency(supplier) if supplier else None,
            holder=self._agency(holder),
            source=self._name("source", "Source"),
            record_type=record_type,
            record=Record("witness", self._facts(holder)),
            groups=frozenset(),
            purpose=self._name("context.purpose", "Purpose"),
            legal_basis=self._name("context.legal_basis", "String"),
            mode=self._name("context.mode", "Mode"),
            now=EPOCH + timedelta(milliseconds=self._number("context.now", PLAIN_NOW)),
            approvals=self._names("context.approvals", "Approval"),
            case_reference=CaseReference(
                self._name("context.case_reference.number", "String"),
                self._name("context.case_reference.jurisdiction", "Jurisdiction"),
                self._true("context.case_reference.active"),
                self._true("context.case_reference.verified"),
                self._names("context.case_reference.defendants", "PartyKey"),
            )
            if self._true("has:case_reference")
            else None,
            representing=Representation(
                self._name("context.representing.party", "PartyKey"),
                self._names("context.representing.right_keys", "String"),
                self._true("context.representing.verified"),
            )
            if self._true("has:representing")
            else None,
            delegation=Delegation(
                supplier,
                self._true("context.delegation.active"),
                self._true("context.delegation.covers_purpose"),
            )
            if supplier
            else None,
            overdue_acknowledgements=self._number("context.overdue_acknowledgements", 0),
        )

    def _facts(self, holder: str) -> dict[str, Fact]:
        facts: dict[str, Fact] = {"holder": holder}
        for fact in self._catalogue.facts:
            name = f"resource.{fact.name}"
            if fact.name == "holder" or (fact.is_optional and not self._true(f"has:{name}")):
                continue
            if fact.kind == "Bool":
                facts[fact.name] = self._true(name)
            elif fact.kind == "datetime":
                facts[fact.name] = EPOCH + timedelta(milliseconds=self._number(name, 0))
            elif fact.kind.startswith("Set<"):
                facts[fact.name] = self._names(name, fact.kind[4:-1])
            else:
                facts[fact.name] = self._name(name, fact.kind)
        return facts

    def _agency(self, code: str) -> Agency:
        known = self._registry.get(code)
        number = self._all("Agency").index(code)
        suspended = self._true(f"agency{number}.suspended")
        if known is not None and f"agency{number}.kind" in self._variables.by_name:
            return Agency(code, known.kind, known.jurisdictions, suspended)
        kind = self._name(f"agency{number}.kind", "AgencyKind")
        return Agency(code, kind, self._names(f"agency{number}.jurisdictions", "Jurisdiction"), suspended)

    def _all(self, kind: str) -> list[str]:
        """Give all names of a type; unnamed ones get names that say so."""
        universe = self._variables.universes[kind]
        unnamed = range(universe.size - len(universe.names))
        return [*universe.names, *(f"other-{kind.lower()}-{number + 1}" for number in unnamed)]

    def _eval(self, expression: Any) -> Any:
        return self._model.eval(expression, model_completion=True)

    def _true(self, name: str) -> bool:
        variable = self._variables.by_name.get(name)
        return variable is not None and z3.is_true(self._eval(variable))

    def _number(self, name: str, otherwise: int) -> int:
        variable = self._variables.by_name.get(name)
        return otherwise if variable is None else int(self._eval(variable).as_long())

    def _name(self, name: str, kind: str) -> str:
        variable = self._variables.by_name.get(name)
        if variable is None and name in PLAIN:
            return PLAIN[name]
        if variable is None and kind == "String":
            return ""
        names = self._all(kind)
        return (
            names[-1 if kind in {"Agency", "Source", "String", "PartyKey"} else 0]
            if variable is None
            else names[int(self._eval(variable.at).as_long())]
        )

    def _names(self, name: str, kind: str) -> frozenset[str]:
        variable = self._variables.by_name.get(name)
        if variable is None:
            return frozenset()
        return frozenset(
            one for one, has in zip(self._all(kind), variable.has, strict=True) if z3.is_true(self._eval(has))
        )
