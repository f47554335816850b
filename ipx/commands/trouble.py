"""Errors as a person meets them: what happened, what to do next, an exit code. Never a traceback."""

from typing import IO, Any

import click

from ipx.commands.printing import JSON_OUTPUT, print_json, printable
from ipx.problems import ClientError, UnprovenError

NO_OUTCOME = 3
UNPROVEN = 4


class Trouble(click.ClickException):
    """An expected error on its way to the terminal."""

    def __init__(self, message: str, next_step: str, exit_code: int) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.exit_code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        context = click.get_current_context(silent=True)
        if context is not None and context.meta.get(JSON_OUTPUT):
            print_json({"error": self.message, "next": self.next_step})
            return
        lines = [f"Error: {self.message}", *([f"Next:  {self.next_step}"] if self.next_step else [])]
        for line in "\n".join(lines).splitlines():
            click.echo(printable(line), err=True, file=file)


class TeachingGroup(click.Group):
    """A group whose commands may raise the client's errors."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            code = UNPROVEN if isinstance(error, UnprovenError) else NO_OUTCOME
            raise Trouble(str(error), error.next_step, code) from error
