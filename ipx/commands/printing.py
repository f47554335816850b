"""Plain text for a terminal: aligned columns, wide characters counted, nothing that could drive the terminal itself."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from ipx.jws import Json

JSON_OUTPUT = "ipx.json_output"
"""Key in the click context's `meta`: this run prints for machines."""
_LONGEST = 96


def json_option(command: Any) -> Any:
    """Add `--json` to a command."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001  (click's signature)
        context.meta[JSON_OUTPUT] = value
        return value

    return click.option("--json", "as_json", is_flag=True, callback=remember, help="Print one JSON object.")(command)


def print_json(document: Json) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def printable(text: str) -> str:
    """Replace control, bidirectional and private characters: the text comes from somebody else."""
    return "".join(
        character if unicodedata.category(character) not in {"Cc", "Cf", "Co", "Cs"} else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def columns(text: str) -> int:
    """Count terminal columns: Chinese characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def table(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Align rows of cells; the last cell of a row is never padded."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max((columns(row[index]) for row in cells if len(row) > index + 1), default=0)
        for index in range(max(map(len, cells), default=0))
    ]
    return [
        indent
        + "  ".join(
            cell if index == len(row) - 1 else cell + " " * (widths[index] - columns(cell))
            for index, cell in enumerate(row)
        ).rstrip()
        for row in cells
    ]


def lines_of(value: Json) -> list[str]:
    """Write a field's value as lines to read: one for each item of a list, members named."""
    if isinstance(value, list):
        return [line for item in value for line in lines_of(item)] or ["none"]
    return [_shorten(_inline(value))]


def _inline(value: Json) -> str:
    match value:
        case dict():
            return ", ".join(f"{name}: {_inline(member)}" for name, member in value.items())
        case list():
            return "; ".join(_inline(item) for item in value)
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case _:
            return str(value)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
