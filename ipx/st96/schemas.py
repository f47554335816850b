"""Checks a document of ST.96 against the official schemas in a folder: they are WIPO's, not ours to ship."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from ipx.st96.elements import VERSION

_SCHEMA_OF_ROOT = {
    "TrademarkApplication": "TrademarkApplication",
    "PatentPublication": "PatentPublication",
    "BibliographicData": "BibliographicData",
    "DesignApplication": "DesignApplication",
    "GIApplication": "GIApplication",
    "GIData": "GIApplication",
}


class SchemasError(Exception):
    """The folder does not hold the schema that is needed, or a schema in it cannot be read."""


def faults(xml: bytes, folder: Path) -> list[str]:
    """Say what is wrong with a document, a line each; nothing if it is valid.

    Args:
        xml: as `convert` writes it.
        folder: WIPO's flattened schemas of V6_0, `TrademarkApplication_V6_0.xsd` and so on, anywhere below it.

    Raises:
        SchemasError: the schema is not there, or is none.
    """
    document = etree.fromstring(xml, _parser())
    name = _SCHEMA_OF_ROOT[etree.QName(document).localname]
    schema = _schema(folder, name)
    schema.validate(document)
    log: Iterable[Any] = schema.error_log  # type: ignore[assignment]  # the stubs say of its class that it has no entries
    return [f"line {error.line}: {error.message}" for error in log]


@cache
def _schema(folder: Path, name: str) -> etree.XMLSchema:
    """Compile a schema; that takes seconds, so once a process."""
    path = next(iter(sorted(folder.rglob(f"{name}_{VERSION}.xsd"))), None)
    if path is None:
        raise SchemasError(f"{folder}: there is no {name}_{VERSION}.xsd in it")
    try:
        return etree.XMLSchema(etree.parse(path, _parser()))
    except (OSError, etree.LxmlError) as error:
        raise SchemasError(f"{path}: {error}") from error


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
