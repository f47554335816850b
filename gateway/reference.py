"""Writes the reference of all commands: `python -m gateway.reference > docs/commands.md`."""

import sys
from collections.abc import Iterator

import click

from gateway.cli import main as operator
from ipx.cli import main as agency

INTRODUCTION = """# Commands

Generated from the programs' own help by `python -m gateway.reference > docs/commands.md`; `--help` tells more.
`ipx` is for agencies and auditors, `ipx-gateway` for operators.

| command | does |
|---|---|
"""


def reference() -> str:
    """Give the page: a row for each command, in the order in which the programs list them."""
    rows = [
        f"| `{path}` | {command.get_short_help_str(200)} |"
        for program, name in ((agency, "ipx"), (operator, "ipx-gateway"))
        for path, command in _commands(program, name)
    ]
    return INTRODUCTION + "\n".join(rows) + "\n"


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    children = command.commands if isinstance(command, click.Group) else {}
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


if __name__ == "__main__":
    sys.stdout.write(reference())
