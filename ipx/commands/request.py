"""`ipx request`: ask a holder for a record."""

from dataclasses import asdict
from pathlib import Path

import click

from ipx.answers import Answer, Denied, Failed, Pending, Released, Withdrawn, Withheld
from ipx.commands.connection import Connection, connection_options, trust_of
from ipx.commands.printing import json_option, lines_of, print_json, printable, table
from ipx.commands.trouble import CommandError
from ipx.field_groups import by_group
from ipx.journal import Journal
from ipx.jws import Json
from ipx.problems import UnprovenError
from ipx.request import Ask

REFUSED = 1
SEALED_BY = {
    "holder": "signed by the holder's own key",
    "gateway": "sealed by the gateway: this is what it fetched, the holder itself did not sign",
}


@click.command()
@connection_options
@click.option("--record", required=True, metavar="URN", help="urn:ipx:<holder>:<record type>:<number>.")
@click.option("--groups", default="", metavar="A,B", help="Field groups wanted; all that policy grants if left out.")
@click.option("--purpose", required=True, help="Why you ask; one of those registered for your agency.")
@click.option("--legal-basis", required=True, metavar="TEXT", help="The provision you rely on. It is signed and kept.")
@click.option("--case-ref", metavar="NUMBER", help="The case this is for, where the holder's policy asks for one.")
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
    record: str,
    groups: str,
    purpose: str,
    legal_basis: str,
    case_ref: str | None,
    out: Path | None,
    trust_path: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Ask a holder for one record.

    Prints the fields that were released by group, and the groups that were withheld with the reason and the policy.
    With --trust the signatures and the log proof are checked before anything is printed.

    \b
    Exit status: 0 released · 1 denied or failed, with a receipt · 2 wrong usage
                 3 no outcome (network, sign-in) · 4 the answer's evidence does not hold

    \b
    Examples:
      ipx request --gateway https://gw.example --client customs-xa.intake --key intake.jwk \\
          --record urn:ipx:ipo-xa:trademark:202400017 --purpose border_enforcement \\\\
          --legal-basis "Customs Cooperation Agreement 2025, art. 4" --out answer.json --trust trust.json
      ipx request … --groups trademark.biblio,trademark.goods --json
    """  # noqa: D301  (click wants the character \b itself)
    ask = Ask(
        record=record,
        purpose=purpose,
        legal_basis=legal_basis,
        groups=tuple(name.strip() for name in groups.split(",") if name.strip()),
        case_ref=case_ref,
    )
    if out is not None and not out.parent.is_dir():
        raise click.BadParameter(f"there is no directory {out.parent}", param_hint="--out")
    with connection.client(trust_of(trust_path), Journal(store) if store is not None else None) as client:
        try:
            answer = client.request(ask)
        except UnprovenError as error:
            _keep(out, error.raw)
            raise
    _keep(out, answer.evidence.raw)
    if as_json:
        print_json(as_document(answer))
    else:
        for line in as_lines(answer, ask, out):
            click.echo(line)
    if not isinstance(answer, Released):
        raise click.exceptions.Exit(REFUSED)


def as_document(answer: Answer) -> dict[str, Json]:
    """Give the answer for machines; the evidence itself is what `--out` keeps."""
    evidence: dict[str, Json] = {
        "exchange": answer.evidence.exchange,
        "receipt": answer.evidence.receipt,
        "log_index": answer.evidence.log_index,
        "is_replayed": answer.evidence.is_replayed,
        "is_verified": answer.evidence.report is not None,
    }
    match answer:
        case Released():
            return {
                "outcome": "released",
                **evidence,
                "sealed_by": answer.sealed_by,
                "fields": dict(answer.fields),
                "withheld": _rows(answer.withheld),
                "obligations": dict(answer.obligations),
                "timing_ms": dict(answer.timing_ms),
            }
        case Denied():
            return {"outcome": "denied", **evidence, **_words(answer), "withheld": _rows(answer.withheld)}
        case Failed():
            return {"outcome": "failed", **evidence, **_words(answer), "stage": answer.stage}
        case Pending():
            return {
                "outcome": "pending",
                **evidence,
                "reason": answer.reason,
                "approvals_needed": [list(names) for names in answer.approvals_needed],
                "until": answer.until,
                "withheld": _rows(answer.withheld),
            }
        case Withdrawn():
            return {"outcome": "withdrawn", **evidence}


def as_lines(answer: Answer, ask: Ask, out: Path | None = None) -> list[str]:
    """Give the answer for a person."""
    lines: list[str] = []
    match answer:
        case Released():
            lines.append(f"Released: {ask.record}")
            lines.append(f"  {SEALED_BY.get(answer.sealed_by, printable(answer.sealed_by))}")
            for group, members in by_group(ask.record_type, answer.fields).items():
                lines += ["", group]
                lines += table(
                    (name if number == 0 else "", line)
                    for name, value in members.items()
                    for number, line in enumerate(lines_of(value))
                )
            lines += _withheld_lines(answer.withheld)
            if answer.obligations:
                rows = ((name, "; ".join(lines_of(value))) for name, value in answer.obligations.items())
                lines += ["", "obligations", *table(rows)]
        case Denied():
            lines += [f"Denied: {_because(answer)}", f"  {printable(answer.detail)}"]
            lines += _withheld_lines(answer.withheld)
        case Failed():
            lines += [f"Failed at stage {printable(answer.stage)}: {_because(answer)}", f"  {printable(answer.detail)}"]
        case Pending():
            lines += _pending_lines(answer)
        case Withdrawn():
            lines += ["Withdrawn: the request was taken back before anybody decided on it"]
    return [*lines, "", *_evidence_lines(answer, out)]


def _pending_lines(answer: Pending) -> list[str]:
    needed = " or ".join(" and ".join(names) for names in answer.approvals_needed)
    return [
        f"Pending: not released at once ({printable(answer.reason)}); officers of the holder may approve it",
        f"  wanted: {printable(needed)}, by {printable(answer.until)}",
        f"  look again: ipx exchange {printable(answer.evidence.exchange)}",
        *_withheld_lines(answer.withheld),
    ]


def _because(answer: Denied | Failed) -> str:
    return printable(answer.title + (f" ({answer.reason})" if answer.reason else ""))


def _withheld_lines(rows: tuple[Withheld, ...]) -> list[str]:
    if not rows:
        return []
    cells = [(row.group, row.reason, row.policy or "no policy grants it") for row in rows]
    return ["", "withheld", *table([("group", "reason", "policy"), *cells])]


def _evidence_lines(answer: Answer, out: Path | None) -> list[str]:
    evidence = answer.evidence
    rows = [
        ("exchange", evidence.exchange + (" (the stored answer of an earlier call)" if evidence.is_replayed else "")),
        ("receipt", f"{evidence.receipt[:24]}… ({len(evidence.receipt)} characters)"),
        ("log index", str(evidence.log_index)),
        ("checked", "signatures, binding, log proof" if evidence.report else "nothing: give --trust FILE to verify"),
    ]
    if out is not None:
        rows.append(("kept in", str(out)))
    return table(rows, indent="")


def _words(answer: Denied | Failed) -> dict[str, Json]:
    return {"problem": answer.slug, "reason": answer.reason, "title": answer.title, "detail": answer.detail}


def _rows(withheld: tuple[Withheld, ...]) -> Json:
    return [dict(asdict(row)) for row in withheld]


def _keep(out: Path | None, raw: bytes) -> None:
    if out is None:
        return
    try:
        out.write_bytes(raw)
    except OSError as error:
        raise CommandError(
            f"the answer came but {out} cannot be written: {error.strerror}",
            "Choose another --out and ask again with a new request.",
        ) from error
