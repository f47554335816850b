"""`ipx verify`: check an answer or a bundle offline."""

from datetime import UTC, datetime
from pathlib import Path

import click

from ipx import asice, evidence, recall_list, trustfile
from ipx.commands.printing import json_option, print_json, printable, table
from ipx.commands.trouble import CommandError, NoTrustError
from ipx.errors import EvidenceError
from ipx.jws import Json
from ipx.report import Report
from ipx.trust import Trust
from ipx.trustfile import TrustFileError

REFUSED = 1
CONTAINER = (
    "The container's own signature (CAdES) was not judged here; `openssl cms -verify -cades` checks it, see "
    "docs/auditors.md."
)


@click.command()
@click.argument("answer", type=click.Path(path_type=Path))
@click.option(
    "--trust",
    "trust_path",
    type=click.Path(path_type=Path),
    envvar="IPX_TRUST",
    help="The trust file that you pinned. Nothing inside an answer can stand in for it.",
)
@click.option(
    "--recalls",
    "recalls_path",
    type=click.Path(path_type=Path),
    help="The gateway's signed list, kept by `ipx recall fetch`: says whether the record was called back since.",
)
@json_option
def verify(*, answer: Path, trust_path: Path | None, recalls_path: Path | None, as_json: bool) -> None:
    """Check an answer offline: who asked, who answered, what was disclosed, and that it is in the log.

    ANSWER is what `ipx request --out` kept, a problem document with a receipt, an evidence bundle (zip), or an ASiC-E
    container of one, whose own signature is left to other tools: `openssl cms -verify -cades`.

    \b
    Exit status: 0 it holds · 1 it is refused, with the reason · 2 the trust file cannot be used

    \b
    Examples:
      ipx verify answer.json --trust trust.json
      IPX_TRUST=trust.json ipx verify bundle.zip --json
    """  # noqa: D301  (click wants the character \b itself)
    trust = _trust(trust_path)
    try:
        data = answer.read_bytes()
        kept = None if recalls_path is None else recalls_path.read_bytes()
        report = evidence.verify(data, trust, now=datetime.now(UTC))
        recalls = None if kept is None else recall_list.read(kept, trust)
        since = [] if recalls is None else [recalls.sentence(report.receipt)]
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}", "Check the file's name.") from error
    except EvidenceError as error:
        if as_json:
            print_json({"holds": False, "reason": str(error), "check": type(error).__name__})
        else:
            click.echo(f"Refused: {printable(str(error))}")
            click.echo("The first check that fails ends the verification. Do not rely on this answer.")
        raise click.exceptions.Exit(REFUSED) from error
    if as_json:
        print_json({**as_document(report), **_since(report, recalls)})
        return
    click.echo(f"Holds: exchange {printable(report.exchange)}, {report.outcome}.")
    for sentence in [*report.sentences(), *since, *([CONTAINER] if asice.is_container(data) else [])]:
        for line in table([("-", sentence)]):
            click.echo(line)


def _since(report: Report, recalls: recall_list.RecallList | None) -> dict[str, Json]:
    if recalls is None:
        return {}
    found: list[Json] = [{"kind": one.kind, "on": one.day} for one in recalls.of(report.receipt)]
    return {"recalls": found, "recalls_as_of": _text(recalls.as_of)}


def as_document(report: Report) -> dict[str, Json]:
    """Give a report for machines."""
    return {
        "holds": True,
        "exchange": report.exchange,
        "outcome": report.outcome,
        "sealed_by": report.sealed_by,
        "disclosed": report.disclosed,
        "withheld": report.withheld,
        "erased": report.erased,
        "log_index": report.log_index,
        "log_size": report.log_size,
        "filed_at": _text(report.filed_at),
        "trusted_at": _text(report.trusted_at),
        "time_source": report.time_source,
        "trust_version": report.trust_version,
        "sentences": list(report.sentences()),
    }


def _trust(path: Path | None) -> Trust:
    if path is None:
        raise NoTrustError(
            "no trust file was given, and an answer cannot vouch for itself",
            "Give --trust FILE; `ipx trust fetch URL --out FILE` makes one.",
        )
    try:
        return trustfile.read(path).trust
    except TrustFileError as error:
        raise NoTrustError(str(error), error.next_step) from error


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant is not None else None
