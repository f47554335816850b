"""The query of a signed request: several records of one type, chosen by what their fields hold.

    {"record_type": "detention", "where": {"suspended_on": {"ge": "2026-01-01"}, "recordal_number": ["R1", "R2"]},
     "limit": 50, "after": "urn:ipx:customs-xa:detention:…"}

| selector | true when |
|---|---|
| `"text"`, `true` | the field is this value |
| `["a", "b"]` | the field is one of these values |
| `{"ge": "…", "le": "…"}` | the field's text, such as a day, is not before, not behind |
| `{"contains": "…"}` | the field is a list with this value |

A record is found only by fields that it discloses: so whoever has an answer can check each record against the query.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ipx.errors import FormatError
from ipx.jws import Json, text

Op = Literal["in", "ge", "le", "contains"]
Scalar = str | bool | int

LIMIT_MAX: Final = 100
LIMIT: Final = 50
SELECTORS_MAX: Final = 8
VALUES_MAX: Final = 50
VALUE_CHARACTERS: Final = 255

_MEMBERS: Final = frozenset({"record_type", "where", "limit", "after"})
_RANGE: Final[tuple[Op, ...]] = ("ge", "le", "contains")


@dataclass(frozen=True, slots=True)
class Selector:
    """One condition. `in` has one value or more, the others have one."""

    field: str
    op: Op
    values: tuple[Scalar, ...]

    def admits(self, present: Json) -> bool:
        """Tell whether a field that holds `present` passes; values of two types are never equal."""
        match self.op:
            case "in":
                return any(_same(present, value) for value in self.values)
            case "contains":
                return isinstance(present, list) and any(_same(item, self.values[0]) for item in present)
            case "ge" | "le":
                bound = self.values[0]
                if not isinstance(present, str) or not isinstance(bound, str):
                    return False
                return present >= bound if self.op == "ge" else present <= bound


@dataclass(frozen=True, slots=True)
class Query:
    record_type: str
    where: tuple[Selector, ...] = ()
    limit: int = LIMIT
    """At most so many records in one answer; more come with `after`."""
    after: str | None = None
    """Name of the last record of the page before."""
    document: Mapping[str, Json] = field(default_factory=dict, compare=False)
    """As it stands in the request."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields by which it chooses."""
        return frozenset(selector.field for selector in self.where)

    def admits(self, fields: Mapping[str, Json]) -> bool:
        """Tell whether a record with these fields is one of those asked for; an absent field admits nothing."""
        return all(selector.field in fields and selector.admits(fields[selector.field]) for selector in self.where)

    @classmethod
    def read(cls, document: Json) -> "Query":
        """Read the member `query` of a request.

        Raises:
            FormatError: not of the form above; says which member.
        """
        if not isinstance(document, dict) or document.keys() - _MEMBERS:
            raise FormatError("The query is not an object of record_type, where, limit and after.")
        where = document.get("where", {})
        if not isinstance(where, dict) or len(where) > SELECTORS_MAX:
            raise FormatError(f"The query's 'where' is not an object of at most {SELECTORS_MAX} fields.")
        limit = document.get("limit", LIMIT)
        if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
            raise FormatError(f"The query's 'limit' is not 1 to {LIMIT_MAX}.")
        return cls(
            record_type=text(document, "record_type"),
            where=tuple(selector for name, said in where.items() for selector in _selectors(name, said)),
            limit=limit,
            after=text(document, "after") if "after" in document else None,
            document=document,
        )


def _selectors(name: str, said: Json) -> Iterator[Selector]:
    if isinstance(said, dict):
        if not said or said.keys() - set(_RANGE):
            raise FormatError(f"The selector of {name!r} is not made of ge, le and contains.")
        for op in _RANGE:
            if op in said:
                yield Selector(name, op, _values(name, [said[op]]))
    else:
        yield Selector(name, "in", _values(name, said if isinstance(said, list) else [said]))


def _values(name: str, given: list[Json]) -> tuple[Scalar, ...]:
    values = tuple(value for value in given if isinstance(value, str | bool | int))
    if not 1 <= len(values) <= VALUES_MAX or len(values) != len(given):
        raise FormatError(f"The selector of {name!r} does not hold 1 to {VALUES_MAX} texts, truth or whole numbers.")
    if any(isinstance(value, str) and not 0 < len(value) <= VALUE_CHARACTERS for value in values):
        raise FormatError(f"The selector of {name!r} holds a text that is empty or too long.")
    return values


def _same(present: Json, value: Scalar) -> bool:
    """Equal and of one type: `1`, `true` and `"1"` are three values."""
    return type(present) is type(value) and present == value
