"""What the consoles offer: each slice names its sections when it is installed, pages show those a person may open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask, request, url_for


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of a console's navigation."""

    endpoint: str
    text: Any
    """Translated lazily."""
    roles: frozenset[str] = frozenset()
    """Any of them opens it; none: everybody who is signed in."""
    prefix: str | None = None
    """Paths that belong to it; None: the entry's own path and all below."""
    is_national: bool = False
    """Only for people of the gateway's own authority."""
    also: tuple[str, ...] = ()
    """Other paths that belong to it, with all below."""


def add(app: Flask, console: str, sections: Iterable[Section]) -> None:
    """Append sections to a console (`admin`, `audit`); the order of installation is theirs on the page."""
    known: dict[str, list[Section]] = app.extensions.setdefault("console_sections", {})
    known.setdefault(console, []).extend(sections)


class Reader(Protocol):
    """Whoever looks at a page."""

    @property
    def roles(self) -> frozenset[str]: ...
    @property
    def is_national(self) -> bool: ...


def items(sections: Mapping[str, list[Section]], console: str, reader: Reader) -> list[dict[str, Any]]:
    """Give the entries of a console that a person may open, as the kit's navigation takes them."""
    open_ones = [section for section in sections.get(console, ()) if _opens(section, reader)]
    addresses = [(section, url_for(section.endpoint)) for section in open_ones]
    here = max((address for section, address in addresses if _is_in(section, address)), key=len, default=None)
    return [
        {
            "text": str(section.text),
            "href": address,
            "active": address == here,
            "current": address == here and request.path == address,
        }
        for section, address in addresses
    ]


def _opens(section: Section, reader: Reader) -> bool:
    is_theirs = not section.roles or bool(section.roles & reader.roles)
    return is_theirs and (reader.is_national or not section.is_national)


def _is_in(section: Section, address: str) -> bool:
    return any(_covers(prefix, address) for prefix in (section.prefix or address, *section.also))


def _covers(prefix: str, address: str) -> bool:
    if request.path == address:
        return True
    folder = prefix.rstrip("/")
    is_home = folder.count("/") < 2  # noqa: PLR2004  (`/admin/` is not above its sections, but beside them)
    return not is_home and (request.path == folder or request.path.startswith(folder + "/"))
