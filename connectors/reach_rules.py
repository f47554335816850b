"""What a schema cannot say of one kind's `reach` and `read`: one member against another."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.errors import SourceFault

_PLACE = re.compile(r"\{([^{}]*)\}")


def reach_faults(document: Mapping[str, Any]) -> Iterator[SourceFault]:
    """Find what contradicts itself in a source file that keeps to its schema."""
    read = document.get("read", {})
    yield from _format_faults(document["source"]["kind"], read, document["reach"])
    match document["source"]["kind"]:
        case "rest":
            yield from _rest_faults(document)
        case "queue":
            yield from _queue_faults(document)
        case _:
            return


def _format_faults(kind: str, read: Mapping[str, Any], reach: Mapping[str, Any]) -> Iterator[SourceFault]:
    """Hold `read` against what the kind can bring."""
    match kind:
        case "sql":
            if not set(read) <= {"encoding"}:
                yield SourceFault("/read", "a database has an encoding and nothing else to say here")
            return
        case "push":
            return
        case "office":
            allowed: tuple[str, ...] = ("xml",) if reach["service"] == "epo-ops" else ("json",)
        case "soap":
            allowed = ("xml",)
        case "rest" | "queue":
            allowed = ("json", "xml")
        case "upload":
            allowed = ("csv", "xlsx")
        case _:
            allowed = ("xml", "json", "csv", "xlsx")
    if "format" not in read and len(allowed) > 2:  # noqa: PLR2004  (more than can be listed in a word)
        yield SourceFault("/read/format", "is missing")
    elif read.get("format") not in allowed:
        yield SourceFault("/read/format", f"must be {' or '.join(allowed)}")


def _rest_faults(document: Mapping[str, Any]) -> Iterator[SourceFault]:
    reach = document["reach"]
    for operation, allowed in (("fetch", {"key"}), ("search", set(document["map"])), ("changes", {"since"})):
        template = reach.get(operation, {"get": ""})
        path, query = _PLACE.findall(template["get"]), _PLACE.findall(" ".join(template.get("query", {}).values()))
        for name in sorted({*path, *query} - allowed):
            yield SourceFault(f"/reach/{operation}", f"has a place {{{name}}} for which there is no value")
        if operation == "fetch" and operation in reach and "key" not in {*path, *query}:
            yield SourceFault("/reach/fetch", "has no place for {key}")
        if operation != "fetch" and path:
            yield SourceFault(f"/reach/{operation}/get", "takes values only in its query")
    paging = reach.get("paging", {})
    if paging.get("end") == "total" and "total" not in paging:
        yield SourceFault("/reach/paging/total", "is missing")


def _queue_faults(document: Mapping[str, Any]) -> Iterator[SourceFault]:
    if "revised" not in document:
        yield SourceFault("/revised", "is missing: messages come more than once and not in order")
    if "follow" not in document["freshness"]:
        yield SourceFault("/freshness/follow", "is missing: what nobody reads fills the queue")
    if document["reach"].get("plain") and not document["reach"].get("private"):
        yield SourceFault("/reach/plain", "is taken only where /reach/private is true")
