"""`ipx bundle`: fetch what proves an exchange, or all exchanges of a case."""

import hashlib
from pathlib import Path

import click

from ipx import evidence
from ipx.client import Client
from ipx.commands.connection import Connection, connection_options, trust_of, trust_option
from ipx.commands.printing import json_option, print_json, printable
from ipx.commands.trouble import CommandError, NoOutcomeError
from ipx.errors import EvidenceError
from ipx.jws import Json, dump_json
from ipx.listing import Listed, Side
from ipx.problems import AnswerGoneError, ConflictError, NotFoundError, UnprovenError
from ipx.trust import Trust
from ipx.waiting import utc_now

INCOMPLETE = 1
CONTENTS = "bundles.json"


@click.group()
def bundle() -> None:
    """Fetch evidence bundles: everything that proves an exchange, in one file that verifies offline."""


@bundle.command()
@click.argument("exchange", metavar="ID")
@connection_options
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the bundle goes.")
@click.option(
    "--asice",
    is_flag=True,
    help="An ASiC-E container for courts: the same files, signed by the gateway's seal certificate (CAdES).",
)
@click.option(
    "--trust", "trust_path", type=click.Path(path_type=Path), envvar="IPX_TRUST", help="Verify with this trust file."
)
@json_option
def get(
    *, exchange: str, connection: Connection, out: Path, asice: bool, trust_path: Path | None, as_json: bool
) -> None:
    """Fetch the bundle of one exchange in which your agency asked or was asked.

    It waits while witnesses or a time-stamp authority are still to confirm the log entry.

    \b
    Examples:
      ipx bundle get 019ab2c0-0000-7000-8000-000000000001 --gateway https://gw.example \\
          --client customs-xa.intake --key intake.jwk --trust trust.json --out bundle.zip
      ipx verify bundle.zip --trust trust.json
    """  # noqa: D301  (click wants the character \b itself)
    trust = trust_of(trust_path)
    with connection.client(trust) as client:
        try:
            data = client.bundle(exchange, asice=asice)
        except UnprovenError as error:
            _write(out, error.raw)
            raise
        except NotFoundError as error:
            raise NoOutcomeError(
                f"There is no bundle of the exchange {exchange} for your agency.",
                "Check the id (`id` or `exchange` in the answer), and that your agency asked or was asked in it.",
            ) from error
    _write(out, data)
    if as_json:
        print_json({"exchange": exchange, "file": str(out), "bytes": len(data), "is_verified": trust is not None})
        return
    checked = "verified" if trust is not None else "not verified: give --trust FILE"
    click.echo(f"The bundle of {printable(exchange)} is in {out} ({len(data)} bytes, {checked}).")


@bundle.command()
@click.option(
    "--case", "case_ref", required=True, metavar="NUMBER", help="The case, as it was written in the requests."
)
@connection_options
@click.option(
    "--role",
    type=click.Choice(["requester", "holder"]),
    default="requester",
    show_default=True,
    help="The side your agency was on.",
)
@trust_option("Each bundle is verified with this trust file.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder for them.")
@json_option
def export(*, case_ref: str, connection: Connection, role: Side, trust_path: Path, out: Path, as_json: bool) -> None:
    """Fetch and verify the bundles of all exchanges of a case.

    They go into the folder as <exchange>.zip, with a list in bundles.json. Run it again to fetch what is new: bundles
    that are there and hold are not fetched twice.

    \b
    Exit status: 0 all are there and hold · 1 one is missing, was erased or does not hold, or the case has none

    \b
    Example:
      ipx bundle export --case "IPC 118/2026" --gateway https://gw.example \\
          --client court-xa.registry --key registry.jwk --trust trust.json --out case-118
    """  # noqa: D301  (click wants the character \b itself)
    trust = trust_of(trust_path)
    if trust is None:
        raise AssertionError("--trust is required")
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Json]] = []
    with connection.client(trust) as client:
        for listed in client.exchanges(role, case_ref=case_ref):
            rows.append(_fetched(client, listed, trust, out))
            row = rows[-1]
            click.echo(f"[{len(rows)}] {printable(listed.exchange)}  {listed.outcome}: {row['state']}", err=True)
    _write(out / CONTENTS, dump_json({"case": case_ref, "role": role, "bundles": [*rows]}) + b"\n")
    if not rows:
        other = "holder" if role == "requester" else "requester"
        raise CommandError(
            f"No exchange of the case {case_ref} in which your agency was the {role}.",
            f"Check the number as it was written in the requests, or try --role {other}; erased ones have no case.",
        )
    good = sum(row["state"] == "holds" for row in rows)
    if as_json:
        print_json({"case": case_ref, "folder": str(out), "bundles": [*rows]})
    else:
        click.echo(f"Case {printable(case_ref)}: {len(rows)} exchanges, {good} bundles in {out} that hold.")
    if good < len(rows):
        raise click.exceptions.Exit(INCOMPLETE)


def _fetched(client: Client, listed: Listed, trust: Trust, folder: Path) -> dict[str, Json]:
    """Fetch one bundle into the folder, unless it is there and holds."""
    path = folder / f"{_file_name(listed.exchange)}.zip"
    row: dict[str, Json] = {"exchange": listed.exchange, "outcome": listed.outcome, "received_at": listed.received_at}
    if listed.answer == "erased":
        return {**row, "state": "erased"}
    data = path.read_bytes() if path.is_file() else b""
    if not _holds(data, listed, trust):
        try:
            data = client.bundle(listed.exchange)
        except UnprovenError as error:
            _write(path.with_suffix(".refused.zip"), error.raw)
            return {**row, "state": "refused", "reason": error.reason}
        except AnswerGoneError:
            return {**row, "state": "erased"}
        except ConflictError as error:
            return {**row, "state": "not yet provable", "reason": error.problem.detail}
        _write(path, data)
    return {**row, "state": "holds", "file": path.name, "sha256": hashlib.sha256(data).hexdigest()}


def _holds(data: bytes, listed: Listed, trust: Trust) -> bool:
    """Tell whether a bundle is there and whole: one of a pending step is not, once the exchange is over."""
    try:
        report = evidence.verify(data, trust, now=utc_now()) if data else None
    except EvidenceError:
        return False
    return report is not None and report.exchange == listed.exchange and report.outcome == listed.outcome


def _file_name(exchange: str) -> str:
    """Make a file's name of an id that somebody else gave."""
    return "".join(character for character in exchange if character.isalnum() or character == "-")[:64] or "exchange"


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", "Choose another --out.") from error
