"""`ipx convert`: a released record as XML of WIPO ST.96."""

from pathlib import Path

import click

from ipx.commands.printing import printable
from ipx.commands.trouble import CommandError
from ipx.errors import FormatError
from ipx.jws import Json, parse_object, text
from ipx.st96 import TYPES, Converted, NotExpressibleError, convert_presentation
from ipx.st96.schemas import SchemasError, faults

INVALID = 2


@click.command("convert")
@click.argument("answer", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it; else standard output.")
@click.option("--record", "position", type=click.IntRange(1), help="Which one, of an answer with several records.")
@click.option(
    "--schemas",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="IPX_ST96_SCHEMAS",
    help="Folder of WIPO's flattened schemas V6_0: the document is checked against them.",
)
def convert(*, answer: Path, out: Path | None, position: int | None, schemas: Path | None) -> None:
    """Write a released record as XML of WIPO ST.96 V6_0, for systems that read the standard.

    ANSWER is what `ipx request --out` kept. Only what was disclosed is written. The XML carries no signature: what the
    holder signed is the record inside ANSWER, so check that with `ipx verify` first, and keep it.

    What the standard has no place for is named on standard error.

    \b
    Exit status: 0 written · 1 not a record that ST.96 has a document for · 2 it breaks the schemas, nothing is written

    \b
    Examples:
      ipx convert answer.json --out mark.xml
      ipx convert answer.json --schemas /opt/st96/V6_0 --out mark.xml
    """  # noqa: D301  (click wants the character \b itself)
    converted = _converted(answer, position)
    if schemas is not None:
        _check(converted.xml, schemas)
    if converted.left_out:
        click.echo(f"ST.96 has no place for: {printable(', '.join(converted.left_out))}", err=True)
    if out is None:
        click.echo(converted.xml.decode(), nl=False)
    else:
        out.write_bytes(converted.xml)


def _converted(answer: Path, position: int | None) -> Converted:
    try:
        return convert_presentation(_presentation(parse_object(answer.read_bytes()), position))
    except OSError as error:
        raise CommandError(f"{answer} cannot be read: {error.strerror}", "Check the file's name.") from error
    except FormatError as error:
        raise CommandError(f"{answer} is no answer: {error}", "Give what `ipx request --out` kept.") from error
    except NotExpressibleError as error:
        raise CommandError(str(error), f"ST.96 has documents for: {', '.join(TYPES)}.") from error


def _presentation(document: dict[str, Json], position: int | None) -> str:
    match document, position:
        case {"record": str(record)}, None | 1:
            return record
        case {"records": [*records]}, int() if position <= len(records):
            chosen = records[position - 1]
            return text(chosen if isinstance(chosen, dict) else {}, "record")
        case {"records": [*records]}, _:
            raise FormatError(f"it holds {len(records)} records: --record 1 to {len(records)} says which")
        case _:
            raise FormatError("nothing was released in it")


def _check(xml: bytes, schemas: Path) -> None:
    try:
        found = faults(xml, schemas)
    except SchemasError as error:
        raise CommandError(str(error), "WIPO publishes the schemas; give the folder of the flattened ones.") from error
    if found:
        for line in found:
            click.echo(printable(line), err=True)
        raise click.exceptions.Exit(INVALID)
