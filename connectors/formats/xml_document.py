"""XML records, addressed by XPath 1.0. No DTD is loaded, no entity resolved, no address opened."""

import re
from collections.abc import Collection, Hashable, Mapping, Sequence

from lxml import etree

from connectors.formats.armor import ARMORS
from connectors.formats.document import (
    Document,
    Json,
    Leaf,
    Limits,
    Node,
    Path,
    ReadRules,
    cut,
    decode,
    is_blank,
)
from connectors.quarantine import Reason, UnfitValueError, UnreadableError

_XPATH_FUNCTIONS = frozenset(
    "boolean ceiling concat contains count false floor id lang last local-name name namespace-uri normalize-space "  # noqa: SIM905  (forty quotes hide the words)
    "not number position round starts-with string string-length substring substring-after substring-before sum "
    "translate true comment node processing-instruction text".split()
)
"""The core library of XPath 1.0 (section 4) and its node tests. `document()` belongs to XSLT and is not among them."""

_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_CALL = re.compile(r"([\w.:-]+)\s*\(")

_PREFIXED_ROOT = re.compile(r"/(?:[\w.-]+:|\*)")

_UNPARSED_ENTITY = re.compile(r"""<!ENTITY\s+[\w.:-]+\s+SYSTEM\s+(?:"[^"<>&%]*"|'[^'<>&%]*')\s+NDATA\s+[\w.:-]+\s*>""")
"""XML 1.0, section 4.2.2: never parsed, so there is nothing to expand; a reference to one is not well-formed."""

_OWN_TEXT = "text()"
"""Origin of what a `text()` step gave: the element's own text, not that of the elements below it."""


class XmlPath:
    def __init__(self, text: str, namespaces: Mapping[str, str]) -> None:
        """Compile an XPath expression.

        Raises:
            ValueError: not XPath, a prefix without namespace, or a function that XPath 1.0 does not have.
        """
        self.text = text
        # Named here, because lxml would tell only when a document brings the evaluation that far.
        strange = {name for name in _CALL.findall(_LITERAL.sub("", text)) if name not in _XPATH_FUNCTIONS}
        strange -= {"and", "or", "div", "mod"}
        if strange:
            raise ValueError(f"{text!r}: XPath 1.0 has no function {', '.join(sorted(strange))}")
        try:
            # regexp=False: no EXSLT functions. smart_strings tells from which element an attribute or text came.
            self._find = etree.XPath(text, namespaces=dict(namespaces), regexp=False, smart_strings=True)
            self._find(etree.Element("probe"))
        except etree.XPathError as error:
            raise ValueError(f"{text!r}: {error}") from error

    def select(self, node: Node) -> list[Node]:
        """The bare XPath result; a single text, number or boolean comes as a list of one."""
        try:
            result = self._find(node)
        except etree.XPathError as error:
            raise UnfitValueError(Reason.WRONG_TYPE, "the path cannot be evaluated here") from error
        return list(result) if isinstance(result, list) else [result]

    def holds(self, node: Node) -> bool:
        """XPath's own `boolean()`: of a set of nodes, whether there is one."""
        selected = self.select(node)
        return bool(selected) and selected[0] not in (False, "", 0.0)

    def leaves(self, node: Node) -> list[Leaf]:
        leaves = []
        for item in self.select(node):
            text, origin = _text_and_origin(item)
            if not is_blank(text):
                leaves.append(Leaf(text, origin))
        return leaves

    def nodes(self, node: Node) -> list[Node]:
        nodes = self.select(node)
        if not all(isinstance(item, etree._Element) for item in nodes):  # noqa: SLF001  (lxml has no public name for it)
            raise UnfitValueError(Reason.WRONG_TYPE, "the path gives values, not elements")
        return nodes

    def parts(self, node: Node, separator: str) -> list[tuple[Node, Hashable]]:
        made = []
        for text, origin in cut(self.leaves(node), separator):
            part = etree.Element("part")
            part.text = text
            made.append((part, origin))
        return made


class XmlFormat:
    media_type = "application/xml"

    def __init__(self, rules: ReadRules, limits: Limits) -> None:
        """Compile the paths of the `read` part.

        Raises:
            ValueError: a path is missing or is not XPath.
        """
        if rules.records is None:
            raise ValueError("an XML source needs read.records, the path of a record")
        if rules.within or rules.carry:
            raise ValueError("read.within and read.carry have no meaning for XML: an XPath can go up")
        self._rules = rules
        self._limits = limits
        self._namespaces = rules.namespaces or {}
        self._expect = XmlPath(rules.expect, self._namespaces) if rules.expect else None
        self._absent = XmlPath(rules.absent, self._namespaces) if rules.absent else None
        self._never = XmlPath(rules.never, self._namespaces) if rules.never else None
        self._records = XmlPath(rules.records, self._namespaces)
        self._deleted = XmlPath(rules.deleted, self._namespaces) if rules.deleted else None
        self._too_deep = etree.XPath("boolean(/*" + "/*" * limits.depth + ")")

    @property
    def encoding(self) -> str:
        """What its documents are written in, as the source file declares."""
        return self._rules.encoding

    def compile(self, path: str, within: Path | None) -> XmlPath:
        del within  # an XPath is the same wherever it is applied
        return XmlPath(path, self._namespaces)

    def whole(self, raw: bytes) -> etree._Element:
        """Parse without looking for records.

        Raises:
            UnreadableError: with the reason.
        """
        if len(raw) > self._limits.file_bytes:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(raw)} bytes")
        if self._rules.armor:
            raw = ARMORS[self._rules.armor](raw)
        text = decode(raw, self._rules.encoding)
        if self._declares_entities(text):
            raise UnreadableError(Reason.FORBIDDEN_XML, "declares entities")
        root = self._root(text)
        if self._too_deep(root):
            raise UnreadableError(Reason.TOO_DEEP, f"more than {self._limits.depth} levels")
        return root

    def _declares_entities(self, text: str) -> bool:
        """Whether any entity could be put into the text.

        Unparsed ones (NDATA) are names of pictures and nothing else; they pass where a document type is ignored.
        """
        declared = text.count("<!ENTITY")
        unparsed = len(_UNPARSED_ENTITY.findall(text)) if self._rules.doctype == "ignore" else 0
        return declared > unparsed

    def parse(self, raw: bytes) -> Document:
        root = self.whole(raw)
        if self._absent is not None and self._absent.holds(root):
            return XmlDocument([], [], self._namespaces, says_absent=True)
        self._require_expected(root)
        records = self._records.nodes(root)
        deleted = self._deleted.nodes(root) if self._deleted else []
        if len(records) + len(deleted) > self._limits.records:
            raise UnreadableError(Reason.TOO_LARGE, f"{len(records) + len(deleted)} records")
        return XmlDocument(records, deleted, self._namespaces, never=self._never)

    def _root(self, text: str) -> etree._Element:
        parser = etree.XMLParser(
            encoding="utf-8",  # what is parsed was decoded by the declared encoding; the file's own word is not asked
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            dtd_validation=False,
            attribute_defaults=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            root = etree.fromstring(text.encode(), parser)
        except etree.XMLSyntaxError as error:
            reason = Reason.TOO_DEEP if "Excessive depth" in str(error) else Reason.NOT_PARSEABLE
            raise UnreadableError(reason, f"line {error.lineno}") from error
        except (ValueError, UnicodeEncodeError) as error:
            raise UnreadableError(Reason.NOT_PARSEABLE, type(error).__name__) from error
        dtd: etree.DTD | None = root.getroottree().docinfo.internalDTD
        if dtd is not None and self._rules.doctype == "refuse":
            raise UnreadableError(Reason.FORBIDDEN_XML, "refers to a DTD")
        if next(root.iter(etree.Entity), None) is not None:
            raise UnreadableError(Reason.FORBIDDEN_XML, "refers to an entity")
        return root

    def _require_expected(self, root: etree._Element) -> None:
        if self._expect is None or self._expect.holds(root):
            return
        # A root without namespace is of the wrong one only where the expected root has one.
        known = {*self._namespaces.values()} if _PREFIXED_ROOT.match(self._expect.text) else {None}
        if etree.QName(root).namespace not in known:
            raise UnreadableError(Reason.WRONG_NAMESPACE, f"root element {_short(root.tag)}")
        raise UnreadableError(Reason.UNKNOWN_SCHEMA, f"root element {_short(root.tag)}: read.expect does not hold")


class XmlDocument:
    def __init__(
        self,
        records: Sequence[etree._Element],
        deleted: Sequence[etree._Element],
        namespaces: Mapping[str, str],
        *,
        says_absent: bool = False,
        never: XmlPath | None = None,
    ) -> None:
        self.says_absent = says_absent
        self._never = never
        self._records = records
        self._deleted = deleted
        self._prefixes = {uri: prefix for prefix, uri in namespaces.items()}

    @property
    def root(self) -> etree._Element | None:
        """The document's root; None where it holds no record."""
        return next((record.getroottree().getroot() for record in self._records), None)

    def records(self) -> Sequence[Node]:
        return self._records

    def deleted(self) -> Sequence[Node]:
        return self._deleted

    def place(self, node: Node) -> str:
        steps = [self._name(node.tag)]
        steps += [self._name(ancestor.tag) for ancestor in node.iterancestors()]
        return "/" + "/".join(reversed(steps))

    def leftover(self, node: Node, covered: Collection[Hashable]) -> dict[str, Json]:
        dropped = {_text_and_origin(item)[1] for item in self._never.select(node)} if self._never else set()
        rest = self._rest(node, {*covered, *dropped}, dropped)
        if rest is None:
            return {}
        return {"#text": rest} if isinstance(rest, str) else rest

    def _rest(
        self, element: etree._Element, covered: Collection[Hashable], dropped: Collection[Hashable]
    ) -> dict[str, Json] | str | None:
        rest: dict[str, Json] = {}
        for name, value in element.attrib.items():
            if value.strip() and (element, name) not in covered:
                rest[f"@{self._name(str(name))}"] = value
        # An element read as a value was read with all text below it.
        if element not in covered:
            for child in element:
                below = None if child in dropped else self._rest(child, covered, dropped)
                if below is not None:
                    _add(rest, self._name(str(child.tag)), below)
            own = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
            if own and (element, _OWN_TEXT) not in covered:
                if not rest:
                    return own
                rest["#text"] = own
        return rest or None

    def _name(self, tag: str) -> str:
        name = etree.QName(tag)
        if not name.namespace:
            return name.localname
        prefix = self._prefixes.get(name.namespace)
        return f"{prefix}:{name.localname}" if prefix else f"{{{name.namespace}}}{name.localname}"


def _text_and_origin(item: Node) -> tuple[str, Hashable]:
    if isinstance(item, etree._Element):  # noqa: SLF001  (lxml has no public name for it)
        return "".join(map(str, item.itertext())), item
    if isinstance(item, bool):
        return ("true" if item else "false"), None
    if isinstance(item, float):
        return (str(int(item)) if item == item // 1 else repr(item)), None
    parent = getattr(item, "getparent", lambda: None)()
    if parent is None:
        return str(item), None
    return str(item), (parent, item.attrname if item.is_attribute else _OWN_TEXT)


def _add(rest: dict[str, Json], name: str, value: Json) -> None:
    if name not in rest:
        rest[name] = value
    elif isinstance(rest[name], list):
        rest[name].append(value)
    else:
        rest[name] = [rest[name], value]


def _short(tag: str) -> str:
    return tag[:120]
