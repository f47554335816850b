"""`ipx-gateway source coverage`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from connectors.coverage import Notes, cover, read_notes, render
from connectors.errors import SourceFileError
from gateway.wiring import mapping_tools

HEAD = """\
# Coverage: which pack reads which file

Every file of a folder of real register, court and customs files, tried with every mapping pack
(`connectors/packs/`), as judged on {day}. The files are not part of the project. Written by `make coverage-table`
(`ipx-gateway source coverage DIR --notes docs/coverage.toml`); a test compares it with the files where they are
present. Run the same command on a folder of your own to see which packs read it.

A file counts for each pack that reads it: one file may hold a mark, its oppositions and its changes of owner, and
`says there is none` counts files that hold nothing for that pack and say so. A quarantined record is kept with all its
reasons and served to nobody; the first reason is counted. `duplicate_in_batch`: several decisions of one case stand in
one file under one number.

"""


@click.command("coverage")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--notes",
    "notes_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML: why some files are not read, and whom signed ones are to be trusted from.",
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day on which records are judged; today, unless given.",
)
def coverage(folder: Path, notes_file: Path | None, day: datetime | None) -> None:
    """Try every mapping pack on every file of a folder, and print what each makes of it as a table.

    Needs no source file, no database and no registration. Exit status: 0, or 1 when a file is read by no pack and the
    notes do not say why.

    Example: ipx-gateway source coverage /data/registers --notes why-not.toml
    """
    at = (day or datetime.now(UTC)).replace(tzinfo=UTC)
    try:
        notes = read_notes(notes_file.read_text("utf-8")) if notes_file else Notes()
        covered = cover(folder, notes, mapping_tools(lambda: at), at)
    except SourceFileError as error:
        raise click.ClickException("; ".join(f"{fault.pointer} {fault.detail}" for fault in error.faults)) from error
    click.echo(HEAD.format(day=at.date()) + render(covered), nl=False)
    sys.exit(0 if covered.is_explained else 1)
