"""What a mapping needs to know of a format: paths that pick values and nodes, documents that hold records."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from connectors.quarantine import Reason, UnreadableError

Json = Any
Node = Any
"""A place in a parsed document: an lxml element, a JSON value, a row."""

Value = str | int | bool | Decimal

ASCII_COMPATIBLE = frozenset(
    {
        "utf-8",
        "gb18030",
        "gbk",
        "big5",
        "shift_jis",
        "euc-jp",
        "euc-kr",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-15",
        "windows-1250",
        "windows-1251",
        "windows-1252",
    }
)
ENCODINGS = ASCII_COMPATIBLE | {"utf-16"}
"""What a source file may declare. Nothing is ever guessed."""

WHITE_SPACE = " \t\n\r\f\v\u00a0\u3000"
"""What counts as white space around a value: ASCII's, the no-break and the ideographic space. SQL trims the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a document may be before it is refused unread."""

    file_bytes: int = 8_000_000
    depth: int = 64
    records: int = 100_000


@dataclass(frozen=True, slots=True)
class ReadRules:
    """The `read` part of a source file: how bytes become records."""

    format: str
    encoding: str = "utf-8"
    armor: str | None = None
    """XML only: what the document is wrapped in."""
    signature: str | None = None
    """XML only: `xmldsig`, the holder signs every document; unless signed as the source trusts, it is no record."""
    namespaces: Mapping[str, str] | None = None
    expect: str | None = None
    """A condition that every document of this format meets; of an API's answer, that it is an answer."""
    absent: str | None = None
    """A condition under which a document says that there is nothing: it has no records, and that is no fault."""
    within: str | None = None
    """JSON only: the objects in which records stand, where a record needs what is written once for all of them."""
    carry: Sequence[str] = ()
    """The members of the enclosing object that each of its records takes along."""
    never: str | None = None
    """What must not be stored, not even in `extensions`: the name of somebody who asked not to be named."""
    records: str | None = None
    deleted: str | None = None
    doctype: str = "refuse"
    delimiter: str = ","
    sheet: str | None = None
    """Workbooks only: which sheet; needed where there are several."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value and where it came from; the origin decides what is left over for `extensions`."""

    value: Value
    origin: Hashable


class Path(Protocol):
    """A compiled path of one of the path languages."""

    @property
    def text(self) -> str: ...

    def leaves(self, node: Node) -> list[Leaf]:
        """Pick values. Empty and missing ones are absent, so they are not in the list.

        Raises:
            UnfitValueError: the path leads to something that is not a value.
        """
        ...

    def nodes(self, node: Node) -> list[Node]:
        """Pick nodes to map one by one.

        Raises:
            UnfitValueError: the path leads to something that is no node.
        """
        ...

    def parts(self, node: Node, separator: str) -> list[tuple[Node, Hashable]]:
        """Cut the picked values into nodes of one text each, with the origin of the value each was cut from.

        White space around a part is cut, an empty part left out. In a part, `.` or `@` is its text.

        Raises:
            UnfitValueError: the path leads to something that is not a value.
        """
        ...


class Document(Protocol):
    @property
    def says_absent(self) -> bool:
        """Whether the document itself says that there is no record."""
        ...

    def records(self) -> Sequence[Node]: ...

    def deleted(self) -> Sequence[Node]:
        """Tombstones: notices that a record was deleted, holding no more than its key."""
        ...

    def place(self, node: Node) -> str:
        """Where a record stands in the document, for operators."""
        ...

    def leftover(self, node: Node, covered: Collection[Hashable]) -> dict[str, Json]:
        """What of a record no origin in `covered` speaks for; empty parts are left out."""
        ...


class Format(Protocol):
    """A format as one source file declares it."""

    @property
    def media_type(self) -> str: ...

    def compile(self, path: str, within: Path | None) -> Path:
        """Compile a path that is applied to the nodes of `within`, or to a record.

        Raises:
            ValueError: no path of this language.
        """
        ...

    def parse(self, raw: bytes) -> Document:
        """Read bytes, within the limits of the source file.

        Raises:
            UnreadableError: with the reason; never an error of the parser.
        """
        ...


def cut(leaves: Sequence[Leaf], separator: str) -> list[tuple[str, Hashable]]:
    """The parts of texts, each with the origin of its text."""
    pieces = ((part.strip(WHITE_SPACE), leaf.origin) for leaf in leaves for part in str(leaf.value).split(separator))
    return [(part, origin) for part, origin in pieces if part]


def is_blank(text: str) -> bool:
    """Whether a text has nothing in it; such a value is absent."""
    return not text.strip(WHITE_SPACE)


def decode(raw: bytes, encoding: str) -> str:
    """Decode by the declared encoding. A byte order mark of that encoding is cut.

    Raises:
        UnreadableError: `wrong_encoding`: a byte outside the encoding's table, a mark of another encoding, or a NUL.
    """
    if encoding not in ("utf-8", "utf-16") and raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError(Reason.WRONG_ENCODING, f"begins with a Unicode byte order mark, declared is {encoding}")
    try:
        text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(Reason.WRONG_ENCODING, f"byte {error.start} is not {encoding}") from error
    if "\x00" in text:
        raise UnreadableError(Reason.NOT_PARSEABLE, "holds a NUL character")
    return text
