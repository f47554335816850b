"""`ipx exchange`: look at an exchange again, or take a pending one back."""

from pathlib import Path

import click

from ipx.answers import Answer, Pending, Released, ReleasedRecords, Withdrawn
from ipx.commands.answer_text import as_document, as_lines
from ipx.commands.connection import Connection, connection_options, trust_of
from ipx.commands.printing import json_option, print_json
from ipx.commands.request import PENDING, REFUSED, keep
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from ipx.journal import Journal
from ipx.jws import parse_object
from ipx.query import Query
from ipx.request import URN


@click.command()
@connection_options
@click.argument("exchange", metavar="ID")
@click.option("--withdraw", is_flag=True, help="Take it back; possible while it is pending.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep the whole answer, for `ipx verify`.")
@click.option(
    "--trust", "trust_path", type=click.Path(path_type=Path), envvar="IPX_TRUST", help="Verify with this trust file."
)
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="IPX_STORE",
    help="Keep the receipt in this folder, for `ipx mutual check`.",
)
@json_option
def exchange(
    *,
    connection: Connection,
    exchange: str,
    withdraw: bool,
    out: Path | None,
    trust_path: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Look at an exchange again, such as one that waits for an approval; or take it back.

    \b
    Exit status: 0 released, or withdrawn with --withdraw · 1 denied, failed or withdrawn
                 3 no such exchange, or no answer · 4 its evidence does not hold · 5 still pending

    \b
    Example:
      ipx exchange 019ab3… --gateway https://gw.example --client customs-xa.intake --key intake.jwk
    """  # noqa: D301  (click wants the character \b itself)
    with connection.client(trust_of(trust_path), Journal(store) if store is not None else None) as client:
        answer = client.withdraw(exchange) if withdraw else client.exchange(exchange)
    keep(out, answer.evidence.raw)
    if as_json:
        print_json(as_document(answer))
    else:
        for line in as_lines(answer, *_wanted(answer), out):
            click.echo(line)
    if isinstance(answer, Pending):
        raise click.exceptions.Exit(PENDING)
    if not isinstance(answer, Released | ReleasedRecords) and not (withdraw and isinstance(answer, Withdrawn)):
        raise click.exceptions.Exit(REFUSED)


def _wanted(answer: Answer) -> tuple[str, str]:
    """Give what was asked for, in words, and its record type; the request's signature is not judged here."""
    try:
        asked = parse_object(b64url_bytes(answer.evidence.request.split(".")[1]))
        if "query" in asked:
            record_type = Query.read(asked["query"]).record_type
            return f"records of type {record_type}", record_type
    except (FormatError, IndexError):
        return "a record", ""
    name = str(asked.get("record", ""))
    found = URN.fullmatch(name)
    return name, found["record_type"] if found else ""
