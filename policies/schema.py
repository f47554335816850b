"""The record catalogue as a Cedar schema: every field group becomes an action, every code list an enumeration."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

CLASSIFICATIONS = ("public", "official", "confidential", "sealed")

ACKNOWLEDGE, RELEASE, PERSONAL = "acknowledge", "release", "personal"
COMMON_ACTIONS = (ACKNOWLEDGE, RELEASE, PERSONAL)
"""Asked of every record type: may the requester learn that the record exists, get anything, get data on individuals."""

CONTEXT_ENUMS = ("AgencyKind", "Jurisdiction", "Purpose", "Mode", "Approval")
"""Code lists that a question itself needs; a catalogue that lacks one makes no schema."""

RESERVED = (
    "Agency",
    "Unit",
    "Client",
    "PartyKey",
    "Source",
    "CaseReference",
    "Representation",
    "Delegation",
    "Context",
)
"""Type names of the schema that no code list and no record type may take."""

_BASE_KINDS = frozenset({"Bool", "String", "datetime", "Agency", "PartyKey"})
_TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_GROUP_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_ENUM_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_ENUM_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SET_KIND = re.compile(r"Set<(\w+)>")


class CatalogueError(Exception):
    """A catalogue that cannot become a schema: the message names the record type, group or code list at fault."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A fact of a record that policies may read.

    `kind` is its Cedar type: `Bool`, `String`, `datetime`, `Agency`, `PartyKey`, the name of one of the
    catalogue's enums, or `Set<…>` of one of these.
    """

    name: str
    kind: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """The smallest thing a policy grants, under its full name (`trademark.biblio`).

    A group of the envelope (`record.links`) stands in every record type, each time with the same class and mark.
    """

    name: str
    classification: str
    is_personal: bool


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record type under its catalogue name in snake case (`court_case`)."""

    name: str
    groups: tuple[FieldGroup, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything policies know about records: types with their groups, the facts all types share, the code lists.

    `enums` maps a Cedar type name to its values: all of `CONTEXT_ENUMS`, and what the facts use (`Stage`, `Status`).
    """

    record_types: tuple[RecordType, ...]
    facts: tuple[Attribute, ...]
    enums: Mapping[str, tuple[str, ...]] = field(hash=False)
    _by_name: Mapping[str, RecordType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {known.name: known for known in self.record_types})

    def record_type(self, name: str) -> RecordType | None:
        return self._by_name.get(name)


def entity_type(record_type: str) -> str:
    """The Cedar entity type of a record type: `court_case` → `CourtCase`."""
    return "".join(part.capitalize() for part in record_type.split("_"))


def parents(group: FieldGroup) -> tuple[str, ...]:
    """The actions above a group's own, nearest first."""
    personal = ("class.personal",) if group.is_personal else ()
    return (f"class.{group.classification}", *personal, "disclose")


def cedar_schema(catalogue: Catalogue) -> str:
    """Write the schema of a catalogue as Cedar text; the same catalogue always gives the same text.

    Raises:
        CatalogueError: a name is malformed or taken twice, a group has two classes, a code list or a kind is missing.
    """
    _check(catalogue)
    records = ", ".join(entity_type(known.name) for known in catalogue.record_types)
    facts = "".join(f"    {fact.name}{'?' * fact.is_optional}: {fact.kind},\n" for fact in catalogue.facts)
    lines = [
        "namespace IPX {",
        *(f"  entity {name} enum [{_quoted(values)}];" for name, values in sorted(catalogue.enums.items())),
        "  entity Agency = { kind: AgencyKind, jurisdictions: Set<Jurisdiction>, suspended: Bool };",
        "  entity Unit in [Agency];",
        "  entity Client in [Unit, Agency] = { agency: Agency, assurance: Long, suspended: Bool };",
        "  entity Source in [Agency];",
        "  entity PartyKey;",
        "  type CaseReference = {",
        "    number: String, jurisdiction: Jurisdiction, active: Bool, verified: Bool, defendants: Set<PartyKey> };",
        "  type Representation = { party: PartyKey, right_keys: Set<String>, verified: Bool };",
        "  type Delegation = { supplier: Agency, active: Bool, covers_purpose: Bool };",
        "  type Context = {",
        "    purpose: Purpose, legal_basis: String, mode: Mode, now: datetime, approvals: Set<Approval>,",
        "    overdue_acknowledgements: Long,",
        "    case_reference?: CaseReference, representing?: Representation, delegation?: Delegation };",
        f"  entity {records} in [Source] = {{\n{facts}  }};",
        f"  action {', '.join(COMMON_ACTIONS)} appliesTo {_applies_to(records)};",
        "  action disclose;",
        f"  action {_quoted(f'class.{name}' for name in (*CLASSIFICATIONS, 'personal'))} in [disclose];",
        *_group_actions(catalogue),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _group_actions(catalogue: Catalogue) -> Iterator[str]:
    """One line for all groups that stand in the same record types under the same classes."""
    types_of: dict[FieldGroup, list[str]] = {}
    for known in catalogue.record_types:
        for group in known.groups:
            types_of.setdefault(group, []).append(entity_type(known.name))
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for group, types in types_of.items():
        alike.setdefault((tuple(types), parents(group)[:-1]), []).append(group.name)
    for (types_alike, classes), names in alike.items():
        yield (
            f"  action {_quoted(names)} in [{_quoted(classes)}]\n    appliesTo {_applies_to(', '.join(types_alike))};"
        )


def _applies_to(records: str) -> str:
    return f"{{ principal: [Client], resource: [{records}], context: Context }}"


def _quoted(names: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _check(catalogue: Catalogue) -> None:
    for name, values in catalogue.enums.items():
        if not _ENUM_NAME.fullmatch(name) or name in RESERVED:
            raise CatalogueError(f"code list {name!r} has no name Cedar can take")
        if not values or len(set(values)) != len(values) or not all(map(_ENUM_VALUE.fullmatch, values)):
            raise CatalogueError(f"code list {name} is empty, names a value twice or has a value Cedar cannot take")
    missing = [name for name in CONTEXT_ENUMS if name not in catalogue.enums]
    if missing:
        raise CatalogueError(f"code lists are missing: {', '.join(missing)}")
    _check_facts(catalogue)
    _check_record_types(catalogue)


def _check_facts(catalogue: Catalogue) -> None:
    kinds = _BASE_KINDS | catalogue.enums.keys()
    names = [fact.name for fact in catalogue.facts]
    if len(set(names)) != len(names) or not all(map(_TYPE_NAME.fullmatch, names)):
        raise CatalogueError("a fact is named twice or malformed")
    for fact in catalogue.facts:
        element = _SET_KIND.fullmatch(fact.kind)
        if (element.group(1) if element else fact.kind) not in kinds:
            raise CatalogueError(f"fact {fact.name} is of unknown kind {fact.kind}")


def _check_record_types(catalogue: Catalogue) -> None:
    taken = {*RESERVED, *catalogue.enums}
    seen: dict[str, FieldGroup] = {}
    for known in catalogue.record_types:
        if not _TYPE_NAME.fullmatch(known.name) or entity_type(known.name) in taken:
            raise CatalogueError(f"record type {known.name!r} has no name Cedar can take, or one that is taken")
        taken.add(entity_type(known.name))
        names = [group.name for group in known.groups]
        if not names or len(set(names)) != len(names):
            raise CatalogueError(f"record type {known.name} has no group, or one twice")
        for group in known.groups:
            if not _GROUP_NAME.fullmatch(group.name) or group.name.startswith("class."):
                raise CatalogueError(f"group {group.name!r} is malformed")
            if group.classification not in CLASSIFICATIONS:
                raise CatalogueError(f"group {group.name} has the unknown class {group.classification!r}")
            if seen.setdefault(group.name, group) != group:
                raise CatalogueError(f"group {group.name} has two classes or two personal marks")
    if not catalogue.record_types:
        raise CatalogueError("a catalogue without record types")
