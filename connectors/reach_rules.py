"""What a schema cannot say of one kind's `reach` and `read`: one member against another."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.errors import SourceFault

_PLACE = re.compile(r"\{([^{}]*)\}")


def reach_faults(document: Mapping[str, Any]) -> Iterator[SourceFault]:
    """Find what contradicts itself in a source file that keeps to its schema."""
    read = document.get("read", {})
    match document["source"]["kind"]:
        case "sql":
            if not set(read) <= {"encoding"}:
                yield SourceFault("/read", "a database has an encoding and nothing else to say here")
        case "rest":
            yield from _rest_faults(document, read.get("format"))
        case "soap" if read.get("format") != "xml":
            yield SourceFault("/read/format", "must be xml")
        case "push" | "soap":
            return
        case "queue":
            yield from _queue_faults(document, read.get("format"))
        case "upload" if read.get("format") not in ("csv", "xlsx"):
            yield SourceFault("/read/format", "must be csv or xlsx")
        case _:
            if "format" not in read:
                yield SourceFault("/read/format", "is missing")


def _rest_faults(document: Mapping[str, Any], format_: Any) -> Iterator[SourceFault]:
    reach = document["reach"]
    if format_ not in ("json", "xml"):
        yield SourceFault("/read/format", "must be json or xml")
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


def _queue_faults(document: Mapping[str, Any], format_: Any) -> Iterator[SourceFault]:
    if format_ not in ("json", "xml"):
        yield SourceFault("/read/format", "must be json or xml")
    if "revised" not in document:
        yield SourceFault("/revised", "is missing: messages come more than once and not in order")
    if "follow" not in document["freshness"]:
        yield SourceFault("/freshness/follow", "is missing: what nobody reads fills the queue")
    if document["reach"].get("plain") and not document["reach"].get("private"):
        yield SourceFault("/reach/plain", "is taken only where /reach/private is true")
