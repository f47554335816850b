"""The transforms of the mapping language: from a source's text to the catalogue's value, or to a reason why not."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.dates import date_step, datetime_step
from connectors.formats.document import WHITE_SPACE, Json, Value
from connectors.matching import matcher
from connectors.quarantine import Reason, UnfitValueError
from connectors.tools import MappingTools

Step = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The `use` list of one entry, in its order."""

    steps: tuple[tuple[str, bool, Step], ...]
    """Name, whether it takes the whole list, and the function."""

    def one(self, value: Value) -> Json:
        """Transform one value; None means that nothing is left of it. `split` makes a list of it.

        Raises:
            UnfitValueError: with the reason.
        """
        return self._run(value)

    def many(self, values: Sequence[Value]) -> Json:
        """Transform a list of values as a whole (`unique`, `join`), each value by itself where a step takes one."""
        return self._run(list(values))

    def _run(self, value: Any) -> Any:
        for _, takes_list, step in self.steps:
            if takes_list:
                value = step(value if isinstance(value, list) else [value])
            elif isinstance(value, list):
                value = [kept for item in value if (kept := step(item)) is not None]
            elif value is not None:
                value = step(value)
        return value


def pipeline(use: Sequence[str | Mapping[str, Any]], tools: MappingTools) -> Pipeline:
    """Build the transforms of a `use` list.

    Raises:
        ValueError: an unknown transform, an argument it cannot take, or a kind or table the catalogue does not have.
    """
    steps = []
    for item in use:
        name, argument = (item, None) if isinstance(item, str) else next(iter(item.items()))
        maker = _MAKERS.get(name)
        if maker is None:
            raise ValueError(f"there is no transform {name!r}")
        steps.append((name, name in _TAKES_LIST, maker(argument, tools)))
    return Pipeline(tuple(steps))


def as_text(value: Value) -> str:
    """A value as text: numbers are written out, truth values are refused.

    Raises:
        UnfitValueError: a truth value where a text is wanted.
    """
    if isinstance(value, bool):
        raise UnfitValueError(Reason.WRONG_TYPE, "a truth value where a text is wanted")
    return value if isinstance(value, str) else str(value)


def _text_step(change: Callable[[str], str]) -> Step:
    def step(value: Value) -> str | None:
        return change(as_text(value)) or None

    return step


def _plain(change: Callable[[str], str]) -> Callable[[Any, MappingTools], Step]:
    def make(argument: Any, tools: MappingTools) -> Step:
        del tools
        if argument is not None:
            raise ValueError("takes no argument")
        return _text_step(change)

    return make


def _with_text(change: Callable[[str, str], str]) -> Callable[[Any, MappingTools], Step]:
    def make(argument: Any, tools: MappingTools) -> Step:
        del tools
        if not isinstance(argument, str) or not argument:
            raise ValueError("needs a text")
        return _text_step(lambda text: change(text, argument))

    return make


def _pad(argument: Any, tools: MappingTools) -> Step:
    del tools
    match argument:
        case {"width": int(width), "with": str(filler)} if len(filler) == 1 and len(argument) == 2:  # noqa: PLR2004
            return _text_step(lambda text: text.rjust(width, filler))
        case _:
            raise ValueError("needs {width: number, with: one character}")


def _strip_prefix(text: str, prefix: str) -> str:
    return text.removeprefix(prefix)


def _match(argument: Any, tools: MappingTools) -> Step:
    del tools
    rewrite = matcher(argument)
    return lambda value: rewrite(as_text(value))


def _decimal(argument: Any, tools: MappingTools) -> Step:
    del tools
    match argument:
        case None:
            point, group = ".", ""
        case {"point": str(point), **rest} if len(point) == 1 and set(rest) <= {"group"}:
            group = str(rest.get("group", ""))
        case _:
            raise ValueError("needs nothing, or {point: character, group: character}")
    body = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+|\d+" if group else r"\d+"
    pattern = re.compile(rf"([+-]?)({body})(?:{re.escape(point)}(\d+))?", re.ASCII)

    def step(value: Value) -> str:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            text, found = "", re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?", format(Decimal(value), "f"))
        else:
            text = as_text(value).strip(WHITE_SPACE)
            found = pattern.fullmatch(text)
        if found is None:
            raise UnfitValueError(Reason.BAD_NUMBER)
        whole = (found[2].replace(group, "") if group else found[2]).lstrip("0") or "0"
        fraction = (found[3] or "").rstrip("0")
        number = f"{whole}.{fraction}" if fraction else whole
        return f"-{number}" if found[1] == "-" and number != "0" else number

    return step


def _int(argument: Any, tools: MappingTools) -> Step:
    del tools
    if argument is not None:
        raise ValueError("takes no argument")

    def step(value: Value) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        text = as_text(value).strip(WHITE_SPACE)
        if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
            raise UnfitValueError(Reason.BAD_NUMBER)
        return int(text)

    return step


def _bool(argument: Any, tools: MappingTools) -> Step:
    del tools
    match argument:
        case None:
            yes, no = {"true"}, {"false"}
        case {"true": [*yes_texts], "false": [*no_texts], **rest} if not rest:
            yes, no = set(yes_texts), set(no_texts)
        case _:
            raise ValueError("needs nothing, or {true: [texts], false: [texts]}")
    if yes & no or not all(isinstance(text, str) for text in yes | no):
        raise ValueError("a text may not mean both true and false; texts must be in quotes")

    def step(value: Value) -> bool:
        text = ("true" if value else "false") if isinstance(value, bool) else as_text(value).strip(WHITE_SPACE)
        if text in yes:
            return True
        if text in no:
            return False
        raise UnfitValueError(Reason.WRONG_TYPE, "neither true nor false")

    return step


def _number(argument: Any, tools: MappingTools) -> Step:
    if not isinstance(argument, str):
        raise ValueError("needs the kind of identifier")  # noqa: TRY004  (a fault of the source file, like its neighbours)
    _require_known(tools.number, argument, "kind of identifier")

    def step(value: Value) -> str:
        return _ask(tools.number, argument, as_text(value), Reason.BAD_IDENTIFIER)

    return step


CODES_TOLD = 20
"""How many of a source file's own codes are listed where a record has another one."""


def _code(argument: Any, tools: MappingTools) -> Step:
    match argument:
        case str():
            _require_known(tools.code, argument, "code table")
            detail = f"not in the code table {argument}"
            return lambda value: _ask(tools.code, argument, as_text(value), Reason.UNKNOWN_CODE, detail)
        case dict() if argument and all(isinstance(item, str) for item in argument.values()):
            table = dict(argument)
            detail = f"not among {', '.join(list(table)[:CODES_TOLD])}{' …' if len(table) > CODES_TOLD else ''}"
        case _:
            raise ValueError("needs the name of a table, or a table of texts")

    def step(value: Value) -> str:
        text = as_text(value)
        if text not in table:
            raise UnfitValueError(Reason.UNKNOWN_CODE, detail)
        return str(table[text])

    return step


def _require_known(function: Callable[[str, str], str], name: str, noun: str) -> None:
    try:
        function(name, "")
    except LookupError as error:
        raise ValueError(f"the catalogue has no {noun} {name!r}") from error
    except ValueError:
        pass  # it knows the name, and refuses the empty text


def _ask(function: Callable[[str, str], str], name: str, text: str, otherwise: Reason, detail: str = "") -> str:
    try:
        return function(name, text)
    except ValueError as error:
        raise UnfitValueError(Reason(getattr(error, "reason", otherwise)), detail) from error


def _split(argument: Any, tools: MappingTools) -> Step:
    del tools
    if not isinstance(argument, str) or not argument:
        raise ValueError("needs the separator")

    def step(values: list[Value]) -> list[str]:
        parts = (part.strip(WHITE_SPACE) for value in values for part in as_text(value).split(argument))
        return [part for part in parts if part]

    return step


def _join(argument: Any, tools: MappingTools) -> Step:
    del tools
    if not isinstance(argument, str):
        raise ValueError("needs the separator")  # noqa: TRY004  (a fault of the source file, like its neighbours)
    return lambda values: argument.join(as_text(value) for value in values) or None


def _first(argument: Any, tools: MappingTools) -> Step:
    del argument, tools
    return lambda values: values[0] if values else None


def _unique(argument: Any, tools: MappingTools) -> Step:
    del argument, tools
    return lambda values: list(dict.fromkeys(values))


def _collapse(text: str) -> str:
    """Leave one space where there is white space. A long text mostly has no more, and taking it apart is slow."""
    if text.isprintable() and "  " not in text:  # printable: the space is its only white space
        return text.strip(" ")
    return " ".join(text.split())


_MAKERS: Mapping[str, Callable[[Any, MappingTools], Step]] = {
    "trim": _plain(lambda text: text.strip(WHITE_SPACE)),
    "collapse": _plain(_collapse),
    "halfwidth": _plain(lambda text: unicodedata.normalize("NFKC", text)),
    "upper": _plain(str.upper),
    "lower": _plain(str.lower),
    "pad": _pad,
    "prefix": _with_text(lambda text, prefix: prefix + text),
    "strip_prefix": _with_text(_strip_prefix),
    "split": _split,
    "join": _join,
    "first": _first,
    "unique": _unique,
    "match": _match,
    "date": lambda argument, _: date_step(argument),
    "datetime": lambda argument, _: datetime_step(argument),
    "decimal": _decimal,
    "int": _int,
    "bool": _bool,
    "number": _number,
    "code": _code,
}

_TAKES_LIST = frozenset({"split", "join", "first", "unique"})
