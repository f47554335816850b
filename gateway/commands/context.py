"""What the commands share: services built on first use, tables for people, errors that say what to do next."""

import getpass
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError, InvalidInputError, StoreUnavailableError
from gateway.settings import read_settings
from gateway.wiring import Services, build

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def services() -> Services:
    """Build the services once for this process, from the environment.

    Raises:
        SettingsError: the environment does not suffice; names everything that is missing.
    """
    context = click.get_current_context().find_root()
    if context.obj is None:
        built = build(read_settings())
        context.obj = built
        context.call_on_close(built.close)
    return context.obj  # type: ignore[no-any-return]


def actor() -> str:
    """Who acts: the account that typed the command, on this machine."""
    return f"operator:{getpass.getuser()}"


def reported(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn what breaks a command into one plain message and exit status 1."""

    @wraps(function)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        try:
            return function(*arguments, **options)
        except InvalidInputError as error:
            lines = [
                f"  {fault.pointer}{': ' * bool(fault.pointer)}{fault.detail} ({fault.code})" for fault in error.faults
            ]
            raise click.ClickException("\n".join(["not taken:", *lines])) from error
        except StoreUnavailableError as error:
            raise click.ClickException(_of_the_store(error)) from error
        except GatewayError as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            first = str(error).splitlines()[0]
            raise click.ClickException(
                f"the database refused: {first}\n  `ipx-gateway db upgrade` makes the tables"
            ) from error

    return run


def _of_the_store(error: StoreUnavailableError) -> str:
    """Give what the driver said to the operator, who may know it; callers are told its kind alone."""
    driver = getattr(error.__cause__, "orig", error.__cause__)
    if driver is None or str(error) != type(driver).__name__:
        return str(error)
    first = (str(driver).splitlines() or [str(error)])[0]
    return (
        f"a database cannot be used: {first}\n  IPX_DATABASE_URL and IPX_CHECKPOINT_DATABASE_URL say where they are; "
        "`ipx-gateway db upgrade` makes the tables"
    )


def show(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table for people or as JSON lines for machines."""
    listed = list(rows)
    if as_json:
        for row in listed:
            click.echo(json.dumps(row, default=str, ensure_ascii=False))
        return
    if not listed:
        click.echo("none", err=True)
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in listed]
    widths = [max(len(column), *(len(line[n]) for line in cells)) for n, column in enumerate(columns)]
    for line in [list(columns), *cells]:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


class TakesKid(click.Command):
    """A command whose last argument is a `kid`: one in 64 of them begins with a hyphen, and is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        kids = [text for text in args if _KID_LIKE_AN_OPTION.fullmatch(text)]
        others = [text for text in args if text not in kids]
        return super().parse_args(ctx, [*others, "--", *kids] if kids else args)


_KID_LIKE_AN_OPTION = re.compile(r"-[A-Za-z0-9_-]{42}")


def fail(message: str) -> None:
    click.echo(message, err=True)
    sys.exit(1)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(sorted(map(str, value))) or "-"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M"))
    return str(value)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of a table.")
