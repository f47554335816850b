"""Options that name a private key: a file, or a key in a token."""

import click

from gateway.keyplace import KeyPlace, read_place


def key_place(_context: click.Context, _parameter: click.Parameter, value: str | None) -> KeyPlace | None:
    try:
        return read_place(value) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
