"""Values that are objects or lists: marshmallow schemas built from `types/_shapes.toml` and the kinds of `values`.

How a declaration names a kind: an atom (`text`), `code:<table>`, `number:<kind of identifier>`, the name of a shape
(`party`), or a list of one of these (`["party"]`). A `!` behind it means that it must be there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, fields, validates_schema

from gateway.records.codes import code_table
from gateway.records.identifiers import RULES
from gateway.records.values import ATOMS, MESSAGES, Checked, identifier, messages, refusal, text, word_of

LONGEST_LIST = 10_000

Kind = str | list[str]


class StrictSchema(Schema):
    """An object without unknown members, with what its declaration says of its members together."""

    class Meta:  # noqa: D106  (marshmallow's place for options)
        unknown = RAISE

    error_messages = MESSAGES
    any_of: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Mapping[str, str]] = {}
    refuses_individuals: ClassVar[bool] = False

    @validates_schema(skip_on_field_errors=True)
    def together(self, data: Mapping[str, Any], **_: Any) -> None:
        if self.any_of and not any(member in data for member in self.any_of):
            raise refusal("missing_required", f"one of {', '.join(self.any_of)}")
        for member, other in self.needs.items():
            if member in data and other not in data:
                raise refusal("missing_required", f"{member} without {other}")
        if self.refuses_individuals and is_individual(data):
            raise refusal("individual_in_parties", "individuals stand in a field of their own")


class _List(fields.List[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > LONGEST_LIST:
            raise refusal("too_large", f"more than {LONGEST_LIST} entries")
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **options)


def is_individual(party: Mapping[str, Any]) -> bool:
    """Whether a party is a natural person, by its kind or by a number that only persons have."""
    natural = code_table("party-kind").words_with("natural")
    return party.get("kind") in natural or any(
        number.startswith("CN.id_card:") for number in party.get("identifiers", ())
    )


class Shapes:
    """The named shapes of a catalogue."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        taken = sorted(declared.keys() & ATOMS.keys())
        if taken:
            raise ValueError(f"shapes with the name of an atom: {', '.join(taken)}")
        self._declared = declared
        self._built: dict[str, type[StrictSchema]] = {}

    def field(self, kind: Kind, **options: Any) -> fields.Field[Any]:
        """Build the marshmallow field of a kind.

        Raises:
            ValueError: no such kind, table or identifier.
        """
        if isinstance(kind, list):
            return _List(self.field(kind[0]), error_messages=messages(), **options)
        name = kind.removesuffix("!")
        options["required"] = kind.endswith("!")
        family, _, argument = name.partition(":")
        if family == "code":
            return Checked(word_of(code_table(argument)), **options)
        if family == "number" and argument in RULES:
            return Checked(identifier(argument), **options)
        if name in ATOMS:
            return Checked(ATOMS[name], **options)
        if name in self._declared:
            return fields.Nested(self.schema(name), error_messages=messages(), **options)
        raise ValueError(f"no kind of value is called {name}")

    def schema(self, name: str) -> type[StrictSchema]:
        """The schema of a named shape; built once."""
        if name not in self._built:
            about = self._declared[name]
            unknown = about.keys() - {"like", "any_of", "needs", "refuses_individuals", "members"}
            if unknown:
                raise ValueError(f"shape {name}: {', '.join(sorted(unknown))}")
            built: Any = StrictSchema.from_dict(self._fields(self._members(name)), name=f"{name.title()}Shape")
            built.any_of = tuple(self._inherited(name, "any_of", ()))
            built.needs = dict(self._inherited(name, "needs", {}))
            built.refuses_individuals = self._inherited(name, "refuses_individuals", False)  # noqa: FBT003  (a default)
            self._built[name] = built
        return self._built[name]

    def past_dates(self, kind: Kind) -> Iterator[tuple[str, ...]]:
        """Paths, from a value of this kind, to days that cannot lie in the future."""
        name = kind[0] if isinstance(kind, list) else kind.removesuffix("!")
        if name == "past_date":
            yield ()
        elif name in self._declared:
            for member, inner in self._members(name).items():
                for path in self.past_dates(inner):
                    yield (member, *path)

    def _members(self, name: str) -> dict[str, Kind]:
        about = self._declared[name]
        inherited = self._members(about["like"]) if "like" in about else {}
        return {**inherited, **about["members"]}

    def _inherited(self, name: str, key: str, default: Any) -> Any:
        about = self._declared[name]
        if key in about or "like" not in about:
            return about.get(key, default)
        return self._inherited(about["like"], key, default)

    def _fields(self, members: Mapping[str, Kind]) -> dict[str, fields.Field[Any]]:
        built: dict[str, fields.Field[Any]] = {}
        for member, kind in members.items():
            built[member] = self.field(kind)
            if has_raw(kind):
                built[f"{member}_raw"] = Checked(text)
        return built


def has_raw(kind: Kind) -> bool:
    """Whether a coded value keeps its source text beside it: unless its code is a standard's, stored as it came."""
    name = kind if isinstance(kind, str) else ""
    return name.startswith("code:") and not code_table(name.removeprefix("code:").removesuffix("!")).is_lossless
