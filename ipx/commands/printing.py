"""Plain text for a terminal: aligned columns, wide characters counted, nothing that could drive the terminal itself."""

import json
import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from ipx.jws import Json

JSON_OUTPUT = "ipx.json_output"
"""Key in the click context's `meta`: this run prints for machines."""


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
    """Align rows of cells; the last cell of a row is wrapped below itself."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max((columns(row[index]) for row in cells if len(row) > index + 1), default=0)
        for index in range(max(map(len, cells), default=0))
    ]
    lines = []
    for row in cells:
        before = indent + "".join(
            cell + " " * (widths[index] - columns(cell) + 2) for index, cell in enumerate(row[:-1])
        )
        room = max(24, terminal_columns() - columns(before))
        first, *more = wrapped(row[-1], room)
        lines.append((before + first).rstrip())
        lines += [" " * columns(before) + line for line in more]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of at most so many columns: at spaces where there are any, else between characters."""
    lines, line, used = [], "", 0
    for word in re.findall(r"\S+\s*|\s+", text):
        if used and used + columns(word.rstrip()) > width:
            lines.append(line.rstrip())
            line, used = "", 0
        for character in word:
            wide = columns(character)
            if used + wide > width and not character.isspace():
                lines.append(line)
                line, used = "", 0
            line, used = line + character, used + wide
    return [*lines, line.rstrip()]


def terminal_columns() -> int:
    """Give the width to write for: the terminal's, within what is pleasant to read."""
    return min(120, max(60, shutil.get_terminal_size((100, 24)).columns))


def lines_of(value: Json) -> list[str]:
    """Write a field's value as lines to read: one for each item of a list, members named. Nothing is cut."""
    if isinstance(value, list):
        return [line for item in value for line in lines_of(item)] or ["none"]
    return [_inline(value)]


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
