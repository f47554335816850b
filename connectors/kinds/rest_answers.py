"""Judging an answer: a success, a statement that there is nothing, or neither. A status of 200 alone proves nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lxml import etree

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Node
from connectors.formats.json_document import JsonFormat, JsonPath
from connectors.formats.written_json import written
from connectors.formats.xml_document import XmlFormat, XmlPath
from connectors.kinds.http_caller import Answer, CallFailedError
from connectors.mapping import RecordMapping
from connectors.protocol import Absent, FailReason
from connectors.quarantine import UnfitValueError, UnreadableError

HTML = frozenset({"text/html", "application/xhtml+xml"})
"""Media types of login and error pages, never of an API's answer."""

SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Carried:
    """One record as carried: bytes, and which of the records in them is meant."""

    raw: bytes = field(repr=False)
    position: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`success` or `absent` of a source file."""

    statuses: frozenset[int]
    holds: Callable[[Node], bool] | None


class AnswerRules:
    """The paths and conditions of one source file, over the answers' bodies."""

    def __init__(self, mapping: RecordMapping, reach: Mapping[str, Any]) -> None:
        """Compile.

        Raises:
            SourceFileError: a path or condition that is none of the format's language.
        """
        self._mapping = mapping
        self._encoding = mapping.source.read.encoding
        self._success = self._verdict(reach["success"], "/reach/success", frozenset({200}))
        self._absent = self._verdict(reach["absent"], "/reach/absent", self._success.statuses)
        self._truncated = self.condition(reach["truncated"], "/reach/truncated") if "truncated" in reach else None

    def whole(self, answer: Answer) -> Node:
        """Parse a body.

        Raises:
            CallFailedError: it is a page for people, or cannot be read.
        """
        if answer.media_type in HTML:
            raise CallFailedError(FailReason.BAD_ANSWER, "a web page came, no data")
        try:
            return self._format.whole(answer.body)
        except UnreadableError as error:
            raise CallFailedError(FailReason.RECORD_UNREADABLE, str(error)) from error

    def judged(self, answer: Answer, whole: Node | None) -> Node | Absent:
        """Decide what an answer says. Its body is read only where its status lets it be one of the two statements.

        Args:
            answer: as it came.
            whole: its body, where it was read already.

        Raises:
            CallFailedError: it is neither a success nor a statement that there is no such record.
        """
        status = answer.status
        if status in self._absent.statuses:
            if self._absent.holds is None:
                return Absent()
            whole = self.whole(answer) if whole is None else whole
            if self._absent.holds(whole):
                return Absent()
        if status not in self._success.statuses:
            raise CallFailedError(_reason_of(status), f"status {status}")
        whole = self.whole(answer) if whole is None else whole
        if self._success.holds is not None and not self._success.holds(whole):
            raise CallFailedError(FailReason.BAD_ANSWER, f"status {status} without the mark of success")
        if self._truncated is not None and self._truncated(whole):
            raise CallFailedError(FailReason.TOO_MANY_ROWS, "the answer is cut")
        return whole

    def items(self, path: str | None, pointer: str) -> Callable[[Answer, Node], list[Carried]]:
        """Give what cuts a body into records: by a path, or else as the mapping's `read` part finds them."""
        if path is None:
            return lambda answer, _: self._by_mapping(answer.body)
        select = self._compiled(path, pointer)

        def cut(_: Answer, whole: Node) -> list[Carried]:
            try:
                nodes = select.nodes(whole)
            except UnfitValueError as error:
                raise CallFailedError(FailReason.BAD_ANSWER, f"items: {error}") from error
            return [Carried(self._written(node)) for node in nodes]

        return cut

    def reader(self, pointer: str) -> Callable[[str], Callable[[Node], Any]]:
        """Give what compiles a path to one value."""

        def compiled(path: str) -> Callable[[Node], Any]:
            select = self._compiled(path, pointer)

            def read(whole: Node) -> Any:
                values = self.values(select, whole)
                return values[0] if values else None

            return read

        return compiled

    def reads(self, path: str, pointer: str) -> Callable[[Node], list[Any]]:
        """Compile a path to a list of values."""
        select = self._compiled(path, pointer)
        return lambda whole: self.values(select, whole)

    def condition(self, text: str, pointer: str) -> Callable[[Node], bool]:
        """Compile a condition: JMESPath, or the XPath `boolean()`."""
        compiled = self._compiled(text, pointer)

        def holds(whole: Node) -> bool:
            try:
                return compiled.holds(whole)
            except UnfitValueError:
                return False

        return holds

    @staticmethod
    def values(select: JsonPath | XmlPath, whole: Node) -> list[Any]:
        try:
            return [leaf.value for leaf in select.leaves(whole)]
        except UnfitValueError as error:
            raise CallFailedError(FailReason.BAD_ANSWER, str(error)) from error

    @property
    def _format(self) -> JsonFormat | XmlFormat:
        format_ = self._mapping.format
        if not isinstance(format_, JsonFormat | XmlFormat):
            raise TypeError("an API answers in JSON or XML")  # the schema lets nothing else pass
        return format_

    def _by_mapping(self, body: bytes) -> list[Carried]:
        try:
            count = len(self._mapping.format.parse(body).records())
        except UnreadableError as error:
            raise CallFailedError(FailReason.RECORD_UNREADABLE, str(error)) from error
        return [Carried(body, position) for position in range(count)]

    def _written(self, node: Node) -> bytes:
        """One record cut out of a list. This is our own writing of it; no signature could be checked over it."""
        if isinstance(node, etree._Element):  # noqa: SLF001  (lxml has no public name for it)
            text = etree.tostring(node, encoding="unicode", with_tail=False)
            return text.encode(self._encoding, "xmlcharrefreplace")
        return written(node, ascii_only=self._encoding != "utf-8").encode(self._encoding)

    def _verdict(self, document: Any, pointer: str, statuses: frozenset[int]) -> Verdict:
        if isinstance(document, str):
            return Verdict(statuses, self.condition(document, pointer))
        said = frozenset(document["status"]) if "status" in document else statuses
        return Verdict(said, self.condition(document["body"], f"{pointer}/body") if "body" in document else None)

    def _compiled(self, text: str, pointer: str) -> JsonPath | XmlPath:
        try:
            return self._format.compile(text, None)
        except ValueError as error:
            raise SourceFileError([SourceFault(pointer, str(error))]) from error


def number_of(value: Any) -> int | None:
    """A count that an answer gives as a number or as digits."""
    if isinstance(value, int | Decimal):
        return int(value)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else None


def _reason_of(status: int) -> FailReason:
    if status in (401, 403, 407):
        return FailReason.MISCONFIGURED
    return FailReason.UNREACHABLE if status >= SERVER_FAULT else FailReason.BAD_ANSWER
