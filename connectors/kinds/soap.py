"""Kind `soap`: a web service described by a WSDL file that lies here, pinned; its answers are judged like any API's.

zeep reads the file and writes the requests. It never gets to the network, and nothing it reads may refer to anywhere
else: what a WSDL or schema includes must lie in the same folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpcore
import zeep
from lxml import etree
from zeep.transports import Transport

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Limits
from connectors.formats.xml_document import XmlFormat
from connectors.kinds import rest
from connectors.kinds.http_caller import Call, CallFailedError
from connectors.kinds.rest_paging import Ask
from connectors.kinds.rest_reach import PLACE, Action
from connectors.kinds.soap_parts import Parts
from connectors.mapping import RecordMapping
from connectors.protocol import FailReason
from connectors.references import Resolver


@dataclass(frozen=True, slots=True)
class SoapAction:
    """One operation with its arguments."""

    client: Any = field(repr=False)
    service: Any = field(repr=False)
    operation: str
    arguments: Mapping[str, str]

    @property
    def places(self) -> frozenset[str]:
        return frozenset(name for text in self.arguments.values() for name in PLACE.findall(text))

    def call(self, base: str, values: Mapping[str, str], ask: Ask) -> Call:
        given = {
            name: PLACE.sub(lambda match: values[match[1]], text)
            for name, text in self.arguments.items()
            if all(place in values for place in PLACE.findall(text))
        }
        try:
            envelope = self.client.create_message(self.service, self.operation, **given)
        except Exception as error:
            # zeep has no one error for "this value does not fit the schema".
            raise CallFailedError(
                FailReason.UNSUPPORTED, f"the arguments do not fit: {type(error).__name__}"
            ) from error
        action = self.service._binding.get(self.operation).soapaction or ""  # noqa: SLF001  (zeep has no public way)
        headers = (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{action}"'), *ask.headers)
        body = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        return Call(base, headers, "POST", body)


def open_connector(
    mapping_of: Callable[[Limits], RecordMapping],
    reach: Mapping[str, Any],
    resolver: Resolver,
    clock: Callable[[], datetime],
    wire: httpcore.NetworkBackend | None = None,
) -> tuple[rest.RestConnector, RecordMapping]:
    """Open a web service. Nothing is called yet.

    Raises:
        SourceFileError: the WSDL file is another than the pinned one, refers elsewhere, or has no such operation.
    """
    client = _client(Path(resolver.resolve(reach["wsdl"], "/reach/wsdl")), reach["sha256"])
    service = client.bind(reach.get("service"), reach.get("port"))

    def action(document: Mapping[str, Any]) -> Action:
        name = document["operation"]
        if name not in service._binding._operations:  # noqa: SLF001  (zeep has no public way)
            raise SourceFileError([SourceFault("/reach", f"the WSDL file has no operation {name}")])
        return SoapAction(client, service, name, dict(document.get("arguments", {})))

    attachments = reach.get("attachments")

    def joining(mapping: RecordMapping, body_bytes: int) -> rest.Joined:
        format_ = mapping.format
        if not isinstance(format_, XmlFormat):
            raise TypeError("a web service answers in XML")  # the schema lets nothing else pass
        return Parts(attachments or {}, format_, mapping.source.read.namespaces or {}, body_bytes).joined

    return rest.open_connector(
        mapping_of, reach, resolver, clock, wire, action, joining if attachments is not None else None
    )


def _client(wsdl: Path, digest: str) -> Any:
    try:
        raw = wsdl.read_bytes()
    except OSError as error:
        raise SourceFileError([SourceFault("/reach/wsdl", "the file cannot be read")]) from error
    found = sha256(raw).hexdigest()
    if found != digest:
        raise SourceFileError([SourceFault("/reach/sha256", f"the WSDL file is another one: its SHA-256 is {found}")])

    class FromFolder(Transport):  # its methods beside `load` are never called: requests go out over `HttpCaller`
        """Gives zeep files of the WSDL's own folder, and nothing else."""

        def load(self, url: str) -> bytes:
            place = Path(url.removeprefix("file://")).resolve()
            if "://" in url or place.parent != wsdl.resolve().parent:
                raise SourceFileError([SourceFault("/reach/wsdl", "refers to something outside its folder")])
            return place.read_bytes()

    settings = zeep.Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False)
    try:
        transport: Any = FromFolder()  # type: ignore[no-untyped-call]  # zeep has few types
        return zeep.Client(str(wsdl.resolve()), transport=transport, settings=settings)  # type: ignore[no-untyped-call]  # as above
    except SourceFileError:
        raise
    except Exception as error:
        # zeep lets through what lxml, its parser and its resolver raise.
        raise SourceFileError([SourceFault("/reach/wsdl", f"cannot be used: {type(error).__name__}")]) from error
