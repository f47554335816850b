"""How a declaration says which facts of a record policies may read, and which states raise the class of its groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.records.codes import code_table

STATE_FACTS = frozenset({"unpublished", "deferred"})


@dataclass(frozen=True, slots=True)
class StageClause:
    """One way to tell the stage; the first clause of a type that speaks decides.

    `code`: the stage that the list `table` gives to the word in this coded field. `field` and `words`: `stage` if the
    field has one of the words. `has`: `stage` if the field is there. None of these: `stage`.
    """

    stage: str | None
    code: str | None = None
    table: str | None = None
    field: str | None = None
    words: frozenset[str] = frozenset()
    has: str | None = None


@dataclass(frozen=True, slots=True)
class CodedField:
    field: str
    table: str


@dataclass(frozen=True, slots=True)
class OwnRight:
    """The right a record is about: its type, fixed or by the word of a field, and the field with its number."""

    right_type: str
    number: str
    field: str | None = None
    words: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Deferment:
    """A registered design is not published yet: by its status, or while a term runs and no status denies it."""

    status: str
    deferred: str
    published: str
    until: str


@dataclass(frozen=True, slots=True)
class FactRules:
    stage: tuple[StageClause, ...] = ()
    own_right: OwnRight | None = None
    right_keys: tuple[str, ...] = ()
    case_numbers: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    own_numbers: Mapping[str, str] | None = None
    """Kind of identifier → field, where the record itself is a party."""
    own_identifiers: tuple[str, ...] = ()
    happened_on: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()
    published: str | None = None
    deferment: Deferment | None = None
    final_on: str | None = None
    appeals: tuple[CodedField, ...] = ()
    consents: str | None = None
    consenting: tuple[str, ...] = ()
    sealing_orders: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """While a fact holds, these groups act as another class."""

    fact: str
    acts_as: str
    groups: frozenset[str]


def read_fact_rules(said: Mapping[str, Any], kinds: Mapping[str, Any]) -> FactRules:
    """Read the table `[facts]` of a declaration whose fields are of these kinds.

    Raises:
        ValueError: an unknown key, or a field that is not there.
    """
    rest = dict(said)
    finality, consent, deferment = rest.pop("finality", {}), rest.pop("consent", {}), rest.pop("deferment", None)
    found = FactRules(
        stage=tuple(_stage_clause(clause, kinds) for clause in rest.pop("stage", ())),
        own_right=_own_right(rest.pop("own_right", None), rest.pop("own_number", "application_number")),
        published=rest.pop("published", None),
        deferment=Deferment(**deferment) if deferment else None,
        final_on=finality.get("on"),
        appeals=tuple(
            CodedField(finality[key], _table(kinds, finality[key]))
            for key in ("appeal", "second_appeal")
            if key in finality
        ),
        consents=consent.get("given"),
        consenting=tuple(consent.get("by", ())),
        sealing_orders=rest.pop("sealing_orders", None),
        own_numbers=rest.pop("own_numbers", None),
        **{key: tuple(value) for key, value in rest.items()},
    )
    missing = sorted(set(_named_fields(found)) - kinds.keys())
    if missing:
        raise ValueError(f"facts name fields that are not there: {', '.join(missing)}")
    if not _always_speaks(found.stage, kinds):
        raise ValueError("facts give no stage to a record that says nothing of it")
    return found


def read_states(name: str, said: Sequence[Mapping[str, Any]], groups: Mapping[str, Any]) -> tuple[State, ...]:
    """Read the tables `[[states]]`: without `groups` and `of` a state raises all groups of the type.

    Raises:
        ValueError: an unknown fact or group.
    """
    own = {group: about for group, about in groups.items() if group.startswith(f"{name}.")}
    found = []
    for state in said:
        named = frozenset(f"{name}.{short}" for short in state.get("groups", ()))
        by_class = frozenset(group for group, about in own.items() if about.classification == state.get("of"))
        if state["when"] not in STATE_FACTS or not named <= own.keys():
            raise ValueError(f"state {state['when']} is unknown or names a group that is not there")
        found.append(State(state["when"], state["acts_as"], named or by_class or frozenset(own)))
    return tuple(found)


def _stage_clause(said: Mapping[str, Any], kinds: Mapping[str, Any]) -> StageClause:
    stages = code_table("stage").words.keys()
    code, stage = said.get("code"), said.get("is")
    table = _table(kinds, code) if code else None
    given = {about.get("stage") for about in code_table(table).words.values()} if table else {stage}
    if said.keys() - {"code", "field", "words", "has", "is"} or not given <= stages:
        raise ValueError(f"stage clause {dict(said)} says too much, or a word without a stage")
    return StageClause(stage, code, table, said.get("field"), frozenset(said.get("words", ())), said.get("has"))


def _table(kinds: Mapping[str, Any], field: str) -> str:
    return str(kinds[field]).removeprefix("code:").removesuffix("!")


def _own_right(said: Any, number: str) -> OwnRight | None:
    if said is None:
        return None
    right = (
        OwnRight(said, number)
        if isinstance(said, str)
        else OwnRight(said["else"], number, said["field"], said["words"])
    )
    if not {right.right_type, *(right.words or {}).values()} <= code_table("right-type").words.keys():
        raise ValueError(f"no right type {right.right_type}")
    return right


def _always_speaks(clauses: tuple[StageClause, ...], kinds: Mapping[str, Any]) -> bool:
    """Whether the last clause is a fixed word, or the word of a field that must be there."""
    last = clauses[-1] if clauses else StageClause(None)
    is_fixed_word = last.stage is not None and last == StageClause(last.stage)
    return is_fixed_word or str(kinds.get(last.code or "")).endswith("!")


def _named_fields(found: FactRules) -> Iterator[str]:
    for names in (found.right_keys, found.case_numbers, found.parties, found.own_identifiers, found.happened_on):
        yield from names
    for names in (found.notified, found.consenting, tuple((found.own_numbers or {}).values())):
        yield from names
    for name in (found.published, found.final_on, found.consents, found.sealing_orders):
        if name:
            yield name
    for clause in found.stage:
        yield from (name for name in (clause.code, clause.field, clause.has) if name)
    if found.own_right:
        yield from (found.own_right.number, "office", *([found.own_right.field] if found.own_right.field else ()))
    if found.deferment:
        yield from (found.deferment.status, found.deferment.until)
