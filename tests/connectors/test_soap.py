"""A web service on loopback, described by a WSDL file that is pinned: zeep writes requests, we judge answers."""

from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree

from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, RecordKey
from tests.connectors.stub_server import Reply, serving

pytest.importorskip("zeep", reason="no zeep: pip install 'ipx-gateway[soap]'")

WSDL = Path(__file__).parent / "fixtures" / "soap" / "register.wsdl"
SOURCE = """
reach:
  base: "BASE/soap"
  private: true
  wsdl: "WSDL"
  sha256: SHA256
  fetch: {operation: GetMark, arguments: {number: "{key}"}}
  success: "/s:Envelope/s:Body/r:GetMarkResponse/r:mark"
  absent: {status: [200, 500], body: "//s:Fault/faultcode = 'r:NoSuchMark'"}
  limits: {tries: 1}
read:
  format: xml
  namespaces: {s: "http://schemas.xmlsoap.org/soap/envelope/", r: "urn:register:1"}
  records: "//r:mark"
key: number
map:
  number: {path: "r:number", use: [trim], required: true}
  name: {path: "r:name"}
"""


def envelope(body):
    return Reply(
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:r="urn:register:1">'
        f"<s:Body>{body}</s:Body></s:Envelope>",
        headers={"Content-Type": "text/xml; charset=utf-8"},
    )


def fault(code):
    reply = envelope(f"<s:Fault><faultcode>{code}</faultcode><faultstring>x</faultstring></s:Fault>")
    reply.status = 500
    return reply


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def service(server, opened, write_source):
    def make(wsdl=WSDL, digest=None, **put):
        text = SOURCE.replace("BASE", server.base).replace("WSDL", str(wsdl))
        text = text.replace("SHA256", digest or sha256(wsdl.read_bytes()).hexdigest())
        for old, new in put.get("put", {}).items():
            text = text.replace(old, new)
        return opened(write_source(text, kind="soap"))

    return make


def test_a_record_is_asked_for_as_the_wsdl_says_at_the_address_of_the_source_file(server, service, deadline):
    mark = "<r:GetMarkResponse><r:mark><r:number>7</r:number><r:name>A &amp; B</r:name></r:mark></r:GetMarkResponse>"
    server.answer = lambda asked: envelope(mark)
    source = service()

    outcome = source.apply(source.connector.fetch(RecordKey("7"), deadline))

    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["soapaction"]) == ("POST", "/soap", '"urn:register:1/GetMark"')
    assert etree.fromstring(asked.body).findtext(".//{urn:register:1}number") == "7"
    assert isinstance(outcome, Mapped)
    assert outcome.fields == {"number": "7", "name": "A & B"}


def test_a_fault_is_absence_only_if_the_file_says_so(server, service, deadline):
    faults = iter([fault("r:NoSuchMark"), fault("s:Server"), envelope("<r:GetMarkResponse/>")])
    server.answer = lambda asked: next(faults)
    source = service()

    outcomes = [source.connector.fetch(RecordKey("7"), deadline) for _ in range(3)]

    assert outcomes == [Absent(), Failed(FailReason.UNREACHABLE), Failed(FailReason.BAD_ANSWER)]


def test_a_key_is_text_in_the_request_and_never_markup(server, service, deadline):
    server.answer = lambda asked: fault("r:NoSuchMark")
    source = service()

    source.connector.fetch(RecordKey("7</number><x/>"), deadline)
    foul = source.connector.fetch(RecordKey("7\x00"), deadline)

    assert etree.fromstring(server.asked[0].body).findtext(".//{urn:register:1}number") == "7</number><x/>"
    assert (foul, len(server.asked)) == (Failed(FailReason.UNSUPPORTED), 1)


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "<html><body>sign in</body></html>",
        "--mime\r\nContent-Type: application/xop+xml\r\n\r\n<a/>\r\n--mime--",
    ],
)
def test_an_answer_with_entities_a_page_or_attachments_is_none(server, service, deadline, body):
    server.answer = lambda asked: Reply(body)
    source = service()

    outcome = source.connector.fetch(RecordKey("7"), deadline)

    assert outcome.reason in (FailReason.RECORD_UNREADABLE, FailReason.BAD_ANSWER)


def test_another_wsdl_than_the_pinned_one_is_refused(service):
    with pytest.raises(SourceFileError, match="is another one"):
        service(digest="0" * 64)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<types>", '<import namespace="urn:x" location="http://127.0.0.1:9/x.wsdl"/><types>'),
        ("<types>", '<import namespace="urn:x" location="../../../../../../etc/passwd"/><types>'),
        ('<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    ],
    ids=["network", "elsewhere on disk", "entity"],
)
def test_a_wsdl_that_refers_elsewhere_is_refused(service, tmp_path, old, new):
    foul = tmp_path / "foul.wsdl"
    foul.write_text(WSDL.read_text("utf-8").replace(old, new, 1))

    with pytest.raises(SourceFileError):
        service(wsdl=foul)


def test_an_operation_that_does_not_exist_is_refused(service):
    with pytest.raises(SourceFileError, match="no operation GetMarks"):
        service(put={"operation: GetMark,": "operation: GetMarks,"})
