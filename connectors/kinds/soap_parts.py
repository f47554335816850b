"""Answers of web services that come in parts: MTOM (XOP) and SOAP with Attachments, put together to one document.

Binary content stands as base64 where `xop:Include` pointed to it, which is what XOP 1.0, section 3.2, says that it
means; an attached XML document becomes a child of the element that refers to it. Nothing outside the answer is asked.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote

from lxml import etree

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.xml_document import XmlFormat
from connectors.kinds.http_caller import Answer, CallFailedError
from connectors.protocol import FailReason
from connectors.quarantine import UnreadableError

XOP_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
ROOT_TYPES = frozenset({"text/xml", "application/soap+xml", "application/xop+xml", "application/xml"})


@dataclass(frozen=True, slots=True)
class PartsRules:
    """The `attachments` part of a source file."""

    most: int
    """How many parts beside the root an answer may have."""
    xml: str | None
    """Where the root refers to attached XML documents (`cid:…`)."""
    body_bytes: int
    """Of the whole document, put together."""


class Parts:
    def __init__(
        self, document: Mapping[str, Any], format_: XmlFormat, namespaces: Mapping[str, str], most: int
    ) -> None:
        """Compile.

        Args:
            document: that part of the source file.
            format_: parses the root and attached documents, each with all of its rules.
            namespaces: of the path.
            most: bytes of the whole.

        Raises:
            SourceFileError: a path that is no XPath.
        """
        self._rules = PartsRules(document.get("max", 20), document.get("xml"), most)
        self._format = format_
        self._encoding: str = format_.encoding
        try:
            self._refers = etree.XPath(self._rules.xml, namespaces=dict(namespaces)) if self._rules.xml else None
        except etree.XPathError as error:
            raise SourceFileError([SourceFault("/reach/attachments/xml", "is no XPath")]) from error

    def joined(self, answer: Answer) -> Answer:
        """Put an answer's parts together; one that came whole is given back as it is.

        Raises:
            CallFailedError: parts that are cut, too many or too large, refer to none, or are not what they should be.
        """
        if answer.media_type != "multipart/related":
            return answer
        root, parts = self._taken_apart(answer)
        try:
            tree = self._format.whole(root)
            self._embed(tree, parts)
            self._include(tree, parts)
        except UnreadableError as error:
            raise CallFailedError(FailReason.RECORD_UNREADABLE, str(error)) from error
        body = etree.tostring(tree, encoding="unicode").encode(self._encoding, "xmlcharrefreplace")
        if len(body) > self._rules.body_bytes:
            raise _bad(f"with its attachments it has more than {self._rules.body_bytes} bytes")
        return replace(answer, headers={**answer.headers, "content-type": "text/xml"}, body=body)

    def _taken_apart(self, answer: Answer) -> tuple[bytes, dict[str, Message]]:
        head = f"Content-Type: {answer.headers['content-type']}\r\nMIME-Version: 1.0\r\n\r\n"
        whole = message_from_bytes(head.encode("latin-1", "replace") + answer.body, policy=HTTP)
        if whole.defects or not whole.is_multipart():
            raise CallFailedError(FailReason.UNREACHABLE, "the parts are cut off or cannot be told apart")
        parts = [part for part in whole.get_payload() if isinstance(part, Message)]
        if len(parts) > self._rules.most + 1:
            raise _bad(f"more than {self._rules.most} attachments")
        if any(part.is_multipart() or part.defects for part in parts):
            raise _bad("a part that itself has parts, or is damaged")
        named = {_id(part["Content-ID"]): part for part in parts if part["Content-ID"]}
        if len(named) != sum(part["Content-ID"] is not None for part in parts):
            raise _bad("two parts of one name")
        start = whole.get_param("start")
        root = parts[0] if not isinstance(start, str) else named.get(_id(start))
        if root is None or root.get_content_type() not in ROOT_TYPES:
            raise _bad("no part is the envelope")
        return _content(root), {name: part for name, part in named.items() if part is not root}

    def _include(self, tree: etree._Element, parts: Mapping[str, Message]) -> None:
        left = self._rules.body_bytes
        for include in list(tree.iter(XOP_INCLUDE)):
            holder = include.getparent()
            if holder is None or len(holder) != 1 or (holder.text or "").strip() or (include.tail or "").strip():
                raise _bad("an included part that does not stand alone")
            content = _content(_referred(include.get("href", ""), parts))
            left -= len(content) * 4 // 3
            if left < 0:  # one part may be included many times
                raise _bad(f"with its attachments it has more than {self._rules.body_bytes} bytes")
            holder.remove(include)
            holder.text = base64.b64encode(content).decode()

    def _embed(self, tree: etree._Element, parts: Mapping[str, Message]) -> None:
        if self._refers is None:
            return
        found: Any = self._refers(tree)
        if not isinstance(found, list) or len(found) > self._rules.most:
            raise _bad(f"more than {self._rules.most} references to attachments")
        left = self._rules.body_bytes
        for reference in found:
            holder = reference.getparent() if hasattr(reference, "getparent") else None
            if holder is None:
                raise _bad("a reference that is no text of the envelope")
            content = _content(_referred(str(reference), parts))
            left -= len(content)
            if left < 0:
                raise _bad(f"with its attachments it has more than {self._rules.body_bytes} bytes")
            holder.append(self._format.whole(content))


def _referred(text: str, parts: Mapping[str, Message]) -> Message:
    """Give the part of a `cid:` address (RFC 2392)."""
    scheme, _, name = text.strip().partition(":")
    part = parts.get(unquote(name)) if scheme.lower() == "cid" else None
    if part is None:
        raise _bad("a reference to no part of the answer")
    return part


def _content(part: Message) -> bytes:
    coding = str(part.get("Content-Transfer-Encoding", "binary")).strip().lower()
    if coding not in ("binary", "8bit", "7bit", "base64"):
        raise _bad("a part in an unknown transfer encoding")
    if coding != "base64":
        raw = part.get_payload(decode=True)
        if not isinstance(raw, bytes):
            raise _bad("a part without content")
        return raw
    packed = str(part.get_payload()).encode("ascii", "replace")
    try:
        return base64.b64decode(b"".join(packed.split()), validate=True)
    except binascii.Error as error:
        raise _bad("a part that is no base64") from error


def _id(text: Any) -> str:
    return str(text).strip().removeprefix("<").removesuffix(">")


def _bad(said: str) -> CallFailedError:
    return CallFailedError(FailReason.BAD_ANSWER, said)
