"""`ipx request`: ask a holder for a record."""

from pathlib import Path

import click

from ipx.answers import Pending, Released, ReleasedRecords
from ipx.commands.answer_text import as_document, as_lines
from ipx.commands.connection import Connection, connection_options, trust_of
from ipx.commands.printing import json_option, print_json
from ipx.commands.trouble import CommandError
from ipx.errors import FormatError
from ipx.journal import Journal
from ipx.jws import Json, parse_object
from ipx.problems import AskError, UnprovenError
from ipx.request import Ask, AskSeveral

REFUSED = 1
PENDING = 5


@click.command()
@connection_options
@click.option("--record", metavar="URN", help="One record: urn:ipx:<holder>:<record type>:<number>.")
@click.option(
    "--query", metavar="JSON", help='Several records: {"record_type": …, "where": {field: value, …}, "limit": 50}.'
)
@click.option("--holder", metavar="CODE", help="With --query: the agency that holds them.")
@click.option("--after", metavar="URN", help="With --query: the last record of the page before.")
@click.option("--groups", default="", metavar="A,B", help="Field groups wanted; all that policy grants if left out.")
@click.option("--purpose", required=True, help="Why you ask; one of those registered for your agency.")
@click.option("--legal-basis", required=True, metavar="TEXT", help="The provision you rely on. It is signed and kept.")
@click.option("--case-ref", metavar="NUMBER", help="The case this is for, where the holder's policy asks for one.")
@click.option("--person", metavar="NAME", help="Who of your agency asks, as your own system names them; for auditors.")
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
def request(
    *,
    connection: Connection,
    record: str | None,
    query: str | None,
    holder: str | None,
    after: str | None,
    groups: str,
    purpose: str,
    legal_basis: str,
    case_ref: str | None,
    person: str | None,
    out: Path | None,
    trust_path: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Ask a holder for one record, or for several that match a query.

    Prints the fields that were released by group, and the groups that were withheld with the reason and the policy.
    With --trust the signatures and the log proof are checked before anything is printed.

    \b
    Exit status: 0 released · 1 denied or failed, with a receipt · 2 wrong usage
                 5 pending: officers of the holder are to approve; look again with `ipx exchange`
                 3 no outcome (network, sign-in) · 4 the answer's evidence does not hold

    \b
    Examples:
      ipx request --gateway https://gw.example --client customs-xa.intake --key intake.jwk \\
          --record urn:ipx:ipo-xa:trademark:202400017 --purpose border_enforcement \\\\
          --legal-basis "Customs Cooperation Agreement 2025, art. 4" --out answer.json --trust trust.json
      ipx request … --groups trademark.biblio,trademark.goods --json
      ipx request … --holder customs-xa --query \\
          '{"record_type": "detention", "where": {"stage": "seized", "suspended_on": {"ge": "2026-01-01"}}}'
    """  # noqa: D301  (click wants the character \b itself)
    names = tuple(name.strip() for name in groups.split(",") if name.strip())
    ask: Ask | AskSeveral
    if record is not None and query is None and holder is None and after is None:
        ask = Ask(
            record=record, purpose=purpose, legal_basis=legal_basis, groups=names, case_ref=case_ref, person=person
        )
    elif record is None and query is not None and holder is not None:
        several = AskSeveral(
            holder, _query(query), purpose, legal_basis, groups=names, case_ref=case_ref, person=person
        )
        ask = several if after is None else several.following(after)
    else:
        raise click.UsageError("name one record with --record, or several with --query and --holder")
    if out is not None and not out.parent.is_dir():
        raise click.BadParameter(f"there is no directory {out.parent}", param_hint="--out")
    with connection.client(trust_of(trust_path), Journal(store) if store is not None else None) as client:
        try:
            answer = client.request(ask)
        except UnprovenError as error:
            keep(out, error.raw)
            raise
    keep(out, answer.evidence.raw)
    if as_json:
        print_json(as_document(answer))
    else:
        wanted = ask.record if isinstance(ask, Ask) else f"records of type {ask.record_type}"
        for line in as_lines(answer, wanted, ask.record_type, out):
            click.echo(line)
    if not isinstance(answer, Released | ReleasedRecords):
        raise click.exceptions.Exit(PENDING if isinstance(answer, Pending) else REFUSED)


def _query(text: str) -> dict[str, Json]:
    try:
        return parse_object(text.encode())
    except FormatError as error:
        raise AskError(f"the query is no JSON object: {error}") from error


def keep(out: Path | None, raw: bytes) -> None:
    """Write an answer to a file, where one is wanted."""
    if out is None:
        return
    try:
        out.write_bytes(raw)
    except OSError as error:
        raise CommandError(
            f"the answer came but {out} cannot be written: {error.strerror}",
            "Choose another --out and ask again with a new request.",
        ) from error
