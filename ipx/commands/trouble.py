"""Errors as a person meets them: what happened, what to do next, an exit code. Never a traceback."""

from typing import IO, Any

import click

from ipx.commands.printing import JSON_OUTPUT, print_json, printable
from ipx.problems import ClientError, UnprovenError


class CommandError(click.ClickException):
    """An expected error on its way to the terminal."""

    exit_code = 1

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.as_json = False

    def show(self, file: IO[Any] | None = None) -> None:
        if self.as_json:
            print_json({"error": self.message, "next": self.next_step})
            return
        lines = [f"Error: {self.message}", *([f"Next:  {self.next_step}"] if self.next_step else [])]
        for line in "\n".join(lines).splitlines():
            click.echo(printable(line), err=True, file=file)


class NoTrustError(CommandError):
    """The trust file cannot be used: nothing can be said about any answer."""

    exit_code = 2


class NoOutcomeError(CommandError):
    """No answer with an outcome came (key, network, sign-in, a problem without a receipt)."""

    exit_code = 3


class UnprovenOutcomeError(CommandError):
    """An answer came whose evidence does not hold."""

    exit_code = 4


class TeachingGroup(click.Group):
    """A group whose commands may raise the client's errors."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self._invoke(ctx)
        except CommandError as error:
            error.as_json = bool(ctx.meta.get(JSON_OUTPUT))
            raise

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            kind = UnprovenOutcomeError if isinstance(error, UnprovenError) else NoOutcomeError
            raise kind(str(error), error.next_step) from error
