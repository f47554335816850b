"""Going on from one page of answers to the next: six ways, each of which knows its end, or that it is lost.

An empty page is not the end, unless the source file says so; a cursor that comes again, a page that breaks off before
the total, and a total that moves while pages are read are failures: a part is never passed off as the whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urljoin

from connectors.formats.document import Node
from connectors.kinds.http_caller import Answer, CallFailedError
from connectors.protocol import FailReason

Reader = Callable[[Node], Any]
"""Reads one value (text or number) out of an answer's body; None if it is not there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one is among the pages. Plain values: a watermark carries it over to the next call."""

    at: str | int | None = None
    """Page number, offset, cursor, address; None before the first page."""
    count: int = 0
    """How many items came on the pages before."""
    total: int | None = None
    pages: int = 0
    seen: tuple[str, ...] = ()
    """Short digests of the cursors that were used."""

    def document(self) -> list[Any]:
        return [self.at, self.count, self.total, self.pages, list(self.seen)]

    @classmethod
    def read(cls, document: Any) -> "Place":
        """Read what `document` wrote.

        Raises:
            ValueError: something else.
        """
        match document:
            case [at, int(count), total, int(pages), [*seen]]:
                return cls(at, count, total, pages, tuple(map(str, seen)))
            case _:
                raise ValueError("no place among pages")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a page adds to the request."""

    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    url: str | None = field(default=None, repr=False)
    """The whole address, where the source itself gives it."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A page as answered: the answer, its body, how many items it has, and the address it came from."""

    answer: Answer
    whole: Node
    items: int
    url: str = field(repr=False)


class Paging(Protocol):
    def ask(self, place: Place) -> Ask: ...

    def following(self, place: Place, page: Turned) -> Place | None:
        """Give the next place; None at the end.

        Raises:
            CallFailedError: the pages contradict each other.
        """
        ...


class OnePage:
    """Everything comes in one answer."""

    def ask(self, place: Place) -> Ask:
        del place
        return Ask()

    def following(self, place: Place, page: Turned) -> Place | None:
        del place, page
        return None


class Numbered:
    """`page`, `offset` and `range`: the place is a number that we count ourselves."""

    def __init__(self, document: Mapping[str, Any], total: Reader | None) -> None:
        self._style = next(name for name in ("page", "offset", "range") if name in document)
        self._name: str = document[self._style]
        self._is_header = document.get("in") == "header"
        self._step = _step(document)
        self._first: int = document.get("first", 0 if self._style == "offset" else 1)
        self._size = _size(document)
        self._end: str = document["end"]
        self._total = total

    def ask(self, place: Place) -> Ask:
        at = self._first if place.at is None else int(place.at)
        text = f"{at}-{at + self._step - 1}" if self._style == "range" else str(at)
        own = ((self._name, text),)
        return Ask(self._size, own) if self._is_header else Ask((*self._size, *own))

    def following(self, place: Place, page: Turned) -> Place | None:
        counted = _counted(place, page, self._total)
        if self._is_end(counted, page):
            return None
        at = self._first if place.at is None else int(place.at)
        return replace(counted, at=at + (1 if self._style == "page" else self._step))

    def _is_end(self, counted: Place, page: Turned) -> bool:
        match self._end:
            case "total":
                if counted.total is None:
                    raise CallFailedError(FailReason.BAD_ANSWER, "the answer says no total")
                if page.items == 0 and counted.count < counted.total:
                    raise CallFailedError(FailReason.BAD_ANSWER, "a page is empty before the total is reached")
                return counted.count >= counted.total
            case "short":
                return page.items < self._step
            case _:
                return page.items == 0


class Cursor:
    """`cursor` in the body, `continuation` in a header: the source gives the next place."""

    def __init__(self, document: Mapping[str, Any], cursor: Reader | None, total: Reader | None) -> None:
        self._read = cursor
        self._header: str | None = document["continuation"].lower() if "continuation" in document else None
        self._param: str | None = document.get("param")
        self._send: str | None = document.get("send")
        self._size = _size(document)
        self._ends_empty = document.get("end") == "empty"
        self._total = total

    def ask(self, place: Place) -> Ask:
        if place.at is None:
            return Ask(self._size)
        if self._param:
            return Ask((*self._size, (self._param, str(place.at))))
        return Ask(self._size, ((str(self._send), str(place.at)),))

    def following(self, place: Place, page: Turned) -> Place | None:
        counted = _counted(place, page, self._total)
        cursor = page.answer.headers.get(self._header) if self._header else self._read and self._read(page.whole)
        if cursor is None or cursor == "" or cursor is False or (self._ends_empty and page.items == 0):
            _require_total(counted)
            return None
        return _unseen(counted, str(cursor))


class Linked:
    """`link`: the next page's address, from the `Link` header (RFC 8288) or from the body; on the same host only."""

    def __init__(self, document: Mapping[str, Any], address: Reader | None, total: Reader | None) -> None:
        self._read = address
        self._rel: str = document["link"]
        self._size = _size(document)
        self._total = total

    def ask(self, place: Place) -> Ask:
        return Ask(self._size) if place.at is None else Ask(url=str(place.at))

    def following(self, place: Place, page: Turned) -> Place | None:
        counted = _counted(place, page, self._total)
        target = self._read(page.whole) if self._read else _linked(page.answer.headers.get("link", ""), self._rel)
        if not target:
            _require_total(counted)
            return None
        return _unseen(counted, urljoin(page.url, str(target)))


def paging(document: Mapping[str, Any] | None, reader: Callable[[str], Reader]) -> Paging:
    """Read the `paging` part; `reader` compiles a path."""
    if document is None:
        return OnePage()
    total = reader(document["total"]) if "total" in document else None
    if "link" in document:
        return Linked(document, reader(document["from"]) if "from" in document else None, total)
    if "cursor" in document or "continuation" in document:
        return Cursor(document, reader(document["cursor"]) if "cursor" in document else None, total)
    return Numbered(document, total)


def _counted(place: Place, page: Turned, total: Reader | None) -> Place:
    said = None
    if total is not None:
        text = str(total(page.whole))
        said = int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None  # noqa: PLR2004  (digits)
    if place.total is not None and said != place.total:
        raise CallFailedError(FailReason.NOT_READY, "rows moved while pages were read", timedelta(seconds=1))
    return replace(place, count=place.count + page.items, total=said, pages=place.pages + 1)


def _require_total(place: Place) -> None:
    if place.total is not None and place.count < place.total:
        raise CallFailedError(FailReason.BAD_ANSWER, "the pages end before the total is reached")


def _unseen(place: Place, cursor: str) -> Place:
    short = sha256(cursor.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if short in place.seen:
        raise CallFailedError(FailReason.BAD_ANSWER, "a cursor came a second time")
    return replace(place, at=cursor, seen=(*place.seen, short))


def _size(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in document.get("size", {}).items())


def _step(document: Mapping[str, Any]) -> int:
    if "step" in document:
        return int(document["step"])
    return next((int(value) for value in document.get("size", {}).values()), 1)


_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^",;\s]+))*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]+))', re.IGNORECASE)


def _linked(header: str, rel: str) -> str | None:
    for target, parameters in _LINK.findall(header[:8192]):
        for quoted, bare in _REL.findall(parameters):
            if rel.lower() in (quoted or bare).lower().split():
                return str(target)
    return None
