"""A policy's form as the inputs of a page, and back: what is shown is the policy, what is typed becomes one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.admin.policies.rows import RowError, RowInput, condition, row_input
from policies.form_values import Condition, Entity, Form, Scope
from policies.schema import ACKNOWLEDGE, CLASSIFICATIONS, PERSONAL, RELEASE, Catalogue, RecordType, entity_type

OBLIGATIONS: Final = ("retain_days", "min_count", "watermark", "encrypt", "onward", "notify", "recall_on")
WITHOUT_VALUE: Final = frozenset({"watermark", "encrypt"})
DESCRIPTIONS: Final = ("title", "legal_basis", "reason", "doc")
SPARE_ROWS: Final = 2
"""Empty rows at the end of each list, so that a page without JavaScript can add conditions."""


class Posted(Protocol):
    """What a browser posts."""

    def getlist(self, key: str, /) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class NotOnPage:
    """The form has parts the page has no inputs for; the policy is edited as text."""

    code: str


@dataclass(frozen=True, slots=True)
class InputFault:
    """An input that cannot be read: its name on the page, what is wrong, and the word at fault."""

    name: str
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """The inputs of the page. `who_kind`: `any`, `agency`, `unit`; `record_type` and `source` may be empty."""

    effect: str
    policy_id: str
    annotations: tuple[tuple[str, str], ...]
    """All but the id, in the order of the text."""
    who_kind: str
    who: str
    record_type: str
    holder: str
    source: str
    is_every_action: bool
    actions: tuple[str, ...]
    is_one_action: bool
    when: tuple[RowInput, ...]
    unless: tuple[RowInput, ...]

    def annotation(self, name: str) -> str:
        return dict(self.annotations).get(name, "")

    def has(self, name: str) -> bool:
        return name in dict(self.annotations)


def inputs_of(form: Form, catalogue: Catalogue) -> PolicyInputs | NotOnPage:
    """Put a form on the page's inputs."""
    who = _who(form.principal)
    records = _records(form.resource, catalogue)
    if who is None or records is None:
        return NotOnPage("scope")
    annotations = dict(form.annotations)
    return PolicyInputs(
        effect=form.effect,
        policy_id=annotations.pop("id", ""),
        annotations=tuple(annotations.items()),
        who_kind=who[0],
        who=who[1],
        record_type=records[0],
        holder=records[1],
        source=records[2],
        is_every_action=form.actions is None,
        actions=form.actions or (),
        is_one_action=form.is_one_action,
        when=tuple(row_input(one, catalogue) for one in form.when),
        unless=tuple(row_input(one, catalogue) for one in form.unless),
    )


def form_from(inputs: PolicyInputs, catalogue: Catalogue) -> Form | tuple[InputFault, ...]:
    """Make the form that the inputs say."""
    faults: list[InputFault] = []
    if inputs.who_kind != "any" and not inputs.who:
        faults.append(InputFault("who", "no_value"))
    if not inputs.is_every_action and not inputs.actions:
        faults.append(InputFault("group", "no_group"))
    when = _conditions("when", inputs.when, catalogue, faults)
    unless = _conditions("unless", inputs.unless, catalogue, faults)
    if faults:
        return tuple(faults)
    known = {known.name: entity_type(known.name) for known in catalogue.record_types}
    within = Entity("Source", inputs.source) if inputs.source else None
    if within is None and inputs.holder:
        within = Entity("Agency", inputs.holder)
    return Form(
        effect=inputs.effect,
        annotations=_in_order({"id": inputs.policy_id, **dict(inputs.annotations)}),
        principal=Scope()
        if inputs.who_kind == "any"
        else Scope(within=Entity("Agency" if inputs.who_kind == "agency" else "Unit", inputs.who)),
        actions=None if inputs.is_every_action else inputs.actions,
        is_one_action=inputs.is_one_action and len(inputs.actions) == 1 and not inputs.is_every_action,
        resource=Scope(type=known.get(inputs.record_type), within=within),
        when=when,
        unless=unless,
    )


def posted_inputs(posted: Posted, before: PolicyInputs) -> PolicyInputs:
    """Read what a browser sent.

    Args:
        posted: the form's members.
        before: the inputs as the page showed them; what it does not offer (the id, annotations outside its lists, the
            order of groups) stays as it was.
    """
    ticked = [name for one in CLASSIFICATIONS for name in posted.getlist(f"group-{one}")]
    actions = _ordered(before.actions, [*posted.getlist("action"), *ticked])
    return replace(
        before,
        effect=_typed(posted, "effect") or before.effect,
        policy_id=_typed(posted, "policy_id") or before.policy_id,
        annotations=_annotations(posted, before),
        who_kind=_typed(posted, "who_kind") or "any",
        who="" if _typed(posted, "who_kind") == "any" else _typed(posted, "who"),
        record_type=_typed(posted, "record_type"),
        source=_typed(posted, "source"),
        is_every_action=_typed(posted, "every_action") == "yes",
        actions=actions,
        when=_posted_rows(posted, "when"),
        unless=_posted_rows(posted, "unless"),
    )


def with_spare_rows(rows: Sequence[RowInput]) -> tuple[RowInput, ...]:
    """Give the rows a page shows: those there are, and empty ones to fill."""
    return (*rows, *(RowInput() for _ in range(SPARE_ROWS)))


def groups_by_class(known: RecordType) -> Mapping[str, tuple[str, ...]]:
    """Sort a type's groups by their classification, as the page ticks them."""
    found: dict[str, tuple[str, ...]] = {}
    for group in known.groups:
        found[group.classification] = (*found.get(group.classification, ()), group.name)
    return found


def blank(policy_id: str, record_type: str, effect: str = "permit") -> PolicyInputs:
    """Begin a policy: what every permit needs is ticked, nothing is granted yet."""
    actions = (ACKNOWLEDGE, RELEASE) if effect == "permit" else ()
    return PolicyInputs(
        effect=effect,
        policy_id=policy_id,
        annotations=(),
        who_kind="any",
        who="",
        record_type=record_type,
        holder="",
        source="",
        is_every_action=effect == "forbid",
        actions=actions,
        is_one_action=False,
        when=(),
        unless=(),
    )


def usual_actions() -> tuple[str, ...]:
    """Name what stands beside the groups: existence, release, data on individuals."""
    return (ACKNOWLEDGE, RELEASE, PERSONAL)


def _in_order(annotations: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Put them as the shipped policies have them: what it is first, then what it obliges to."""
    names = ("id", "title", "doc", "legal_basis", "reason", *OBLIGATIONS)
    places = {name: number for number, name in enumerate(names)}
    return tuple(sorted(annotations.items(), key=lambda item: (places.get(item[0], len(names)), item[0])))


def _who(scope: Scope) -> tuple[str, str] | None:
    match scope:
        case Scope(type=None, within=None, only=None):
            return "any", ""
        case Scope(type=None, within=Entity("Agency", code)):
            return "agency", code
        case Scope(type=None, within=Entity("Unit", code)):
            return "unit", code
        case _:
            return None


def _records(scope: Scope, catalogue: Catalogue) -> tuple[str, str, str] | None:
    names = {entity_type(known.name): known.name for known in catalogue.record_types}
    if scope.only is not None or (scope.type is not None and scope.type not in names):
        return None
    record_type = names[scope.type] if scope.type is not None else ""
    match scope.within:
        case None:
            return record_type, "", ""
        case Entity("Agency", code):
            return record_type, code, ""
        case Entity("Source", code):
            return record_type, "", code
        case _:
            return None


def _conditions(
    clause: str, rows: Iterable[RowInput], catalogue: Catalogue, faults: list[InputFault]
) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for number, row in enumerate(rows):
        if row.is_blank:
            continue
        try:
            found += condition(row, catalogue)
        except RowError as error:
            faults.append(InputFault(f"{clause}-{number}-{error.part}", error.code, error.detail))
    return tuple(found)


def _posted_rows(posted: Posted, clause: str) -> tuple[RowInput, ...]:
    """Read rows numbered from 0; a row without a single input ends the list."""
    rows: list[RowInput] = []
    while any(posted.getlist(f"{clause}-{len(rows)}-{part}") for part in ("fact", "text")):
        place = f"{clause}-{len(rows)}"
        rows.append(
            RowInput(
                fact=_typed(posted, f"{place}-fact"),
                operator=_typed(posted, f"{place}-operator"),
                value=" ".join(posted.getlist(f"{place}-value")).strip(),
                text=_typed(posted, f"{place}-text"),
            )
            if _typed(posted, f"{place}-drop") != "yes"
            else RowInput()
        )
    return tuple(row for row in rows if not row.is_blank)


def _typed(posted: Posted, name: str) -> str:
    return " ".join(posted.getlist(name)[:1]).strip()


def _ordered(before: Sequence[str], ticked: Sequence[str]) -> tuple[str, ...]:
    """Keep the order of what was there, put what is new at the end."""
    kept = [name for name in before if name in ticked]
    return (*kept, *dict.fromkeys(name for name in ticked if name not in kept))


def _annotations(posted: Posted, before: PolicyInputs) -> tuple[tuple[str, str], ...]:
    found = dict(before.annotations)
    for name in (*DESCRIPTIONS, *OBLIGATIONS):
        value = " ".join(posted.getlist(name)).strip()
        if not value:
            found.pop(name, None)
        else:
            found[name] = "" if name in WITHOUT_VALUE else value
    return tuple(found.items())
