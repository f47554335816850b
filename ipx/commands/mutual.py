"""`ipx mutual`: compare what you kept with what the gateway says."""

from dataclasses import asdict
from pathlib import Path

import click

from ipx.commands.connection import Connection, connection_options, trust_of, trust_option
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.journal import Journal
from ipx.jws import Json
from ipx.mutual import Findings, compare
from ipx.waiting import utc_now

DIFFERENT = 1


@click.group()
def mutual() -> None:
    """Hold the gateway to what it gave you: your receipts, its list, the log."""


@mutual.command()
@connection_options
@trust_option("The trust file that you pinned.")
@click.option(
    "--store",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    envvar="IPX_STORE",
    help="The folder in which `ipx request --store` keeps receipts; made where it is missing.",
)
@click.option("--adopt", is_flag=True, help="Take exchanges that your journal lacks into it, after naming them.")
@json_option
def check(*, connection: Connection, trust_path: Path, store: Path, adopt: bool, as_json: bool) -> None:
    """Compare your receipts with the gateway's list, and all of them with its log.

    Each receipt must be signed, listed, and at its place in the log; the log must continue the one you saw last. What
    the gateway lists of other systems of your agency, or of requests to it, is kept for the next time. Run it daily.

    \b
    Exit status: 0 all agrees · 1 differences, each named · 2 the trust file cannot be used · 3 no answer

    \b
    Example:
      ipx mutual check --gateway https://gw.example --client customs-xa.intake --key intake.jwk \\
          --trust trust.json --store receipts
    """  # noqa: D301  (click wants the character \b itself)
    trust = trust_of(trust_path)
    if trust is None:
        raise AssertionError("--trust is required")
    with connection.client(trust) as client:
        found = compare(client, Journal(store), trust, now=utc_now, adopt=adopt)
    if as_json:
        print_json(as_document(found))
    else:
        for line in as_lines(found):
            click.echo(line)
    if found.differences:
        raise click.exceptions.Exit(DIFFERENT)


def as_document(found: Findings) -> dict[str, Json]:
    """Give the findings for machines."""
    return {"agrees": not found.differences, **asdict(found)}


def as_lines(found: Findings) -> list[str]:
    """Give the findings for a person."""
    grown = "for the first time" if found.seen_before is None else f"it had {found.seen_before} when you last looked"
    rows = [
        ("receipts kept here", str(found.kept)),
        ("exchanges listed there", str(found.listed)),
        ("proved in the log", str(found.proved)),
        ("taken over from the list", str(found.taken)),
        ("erased there", str(found.erased)),
        ("entries of the log", f"{found.log_size}, {grown}"),
    ]
    if found.fresh:
        rows.append(("too new to be proved", str(found.fresh)))
    if found.elsewhere:
        rows.append(("in another log", str(found.elsewhere)))
    if not found.differences:
        return ["All agrees.", *table(rows)]
    told = [("-", printable(difference.sentence)) for difference in found.differences]
    return [f"{len(told)} difference{'s' if len(told) > 1 else ''}:", *table(told), "", *table(rows)]
