"""XML elements of WIPO ST.96: absent values make no element, and an element without content is not there."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

NAMESPACES = {
    prefix: f"http://www.wipo.int/standards/XMLSchema/ST96/{name}"
    for prefix, name in (
        ("com", "Common"),
        ("tmk", "Trademark"),
        ("pat", "Patent"),
        ("dgn", "Design"),
        ("gin", "GeographicalIndication"),
    )
}
VERSION = "V6_0"

for _prefix, _address in NAMESPACES.items():
    ET.register_namespace(_prefix, _address)

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry (section 2.2)."""

Content = ET.Element | str | None


class NotExpressibleError(ValueError):
    """The fields at hand do not make a document of ST.96; the message names what is missing or cannot be written."""


def element(name: str, *content: Content | Iterable[Content], **attributes: str | None) -> ET.Element | None:
    """Make an element, or None where it would hold nothing.

    Args:
        name: with its prefix, `tmk:Trademark`.
        content: its text, or its children in the order of the schema; None is left out.
        attributes: of the namespace `com`, as all attributes used here are; None is left out.

    Raises:
        NotExpressibleError: a character that XML cannot carry.
    """
    made = ET.Element(_qualified(name))
    for part in _flat(content):
        if isinstance(part, str):
            if _NOT_XML.search(part):
                raise NotExpressibleError(f"{name}: a character that XML cannot carry")
            made.text = (made.text or "") + part
        else:
            made.append(part)
    if not made.text and not len(made):
        return None
    for attribute, value in attributes.items():
        if value is not None:
            made.set(_qualified(f"com:{attribute}"), value)
    return made


def unknown(name: str) -> ET.Element:
    """Make an element that the standard demands and that says nothing, since the record does not say it."""
    return ET.Element(_qualified(name))


def render(root: ET.Element) -> bytes:
    """Write a document in UTF-8, indented."""
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _flat(content: Iterable[Content | Iterable[Content]]) -> Iterable[ET.Element | str]:
    for part in content:
        if isinstance(part, str | ET.Element):
            yield part
        elif part is not None:
            yield from _flat(part)


def _qualified(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"
