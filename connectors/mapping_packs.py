"""Mapping packs: the part of a source file that is the same for every holder of one format, under a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, Protocol

from connectors import strict_yaml
from connectors.errors import SourceFault, SourceFileError


@dataclass(frozen=True, slots=True)
class Pack:
    """`parts` are the members `read key revised map on_error` as the pack's file has them."""

    name: str
    record_type: str
    schema_version: int
    parts: Mapping[str, Any]
    sha256: str


class Shelf(Protocol):
    """Where packs are looked up; gives the text of a pack, or None."""

    def __call__(self, name: str) -> str | None: ...


def shipped(name: str) -> str | None:
    """Give the text of a pack that comes with this package."""
    file = resources.files("connectors") / "packs" / f"{name}.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def shipped_names() -> tuple[str, ...]:
    """The names of all packs that come with this package."""
    folder = resources.files("connectors") / "packs"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


def read_pack(name: str, shelf: Shelf) -> Pack:
    """Look a pack up and read it. Its parts are checked together with the source file that includes it.

    Raises:
        SourceFileError: there is no such pack, or its file is broken.
    """
    text = shelf(name)
    if text is None:
        raise SourceFileError([SourceFault("/pack", f"there is no pack {name!r}")])
    try:
        document = strict_yaml.load(text)
    except strict_yaml.YamlError as error:
        raise SourceFileError([SourceFault("/pack", f"pack {name!r}: {error}")]) from error
    match document:
        case {"pack": {"name": str(own), "record_type": str(record_type), "schema_version": int(version)}} if (
            own == name and set(document) <= {"pack", "read", "key", "revised", "map", "on_error"}
        ):
            parts = {part: value for part, value in document.items() if part != "pack"}
            return Pack(name, record_type, version, parts, sha256(text.encode()).hexdigest())
        case _:
            raise SourceFileError([SourceFault("/pack", f"pack {name!r} does not have the form of a pack")])


def merged(pack: Pack, document: Mapping[str, Any]) -> dict[str, Any]:
    """Put a source file over a pack: `map`, `on_error` and `read` member by member, `key` and `revised` as a whole."""
    whole = dict(document)
    for part, value in pack.parts.items():
        own = document.get(part)
        if isinstance(value, dict) and isinstance(own, dict) and part in ("read", "map", "on_error"):
            whole[part] = {**value, **own}
        elif own is None:
            whole[part] = value
    return whole
