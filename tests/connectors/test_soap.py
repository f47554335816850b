"""A web service on loopback, described by a WSDL file that is pinned: zeep writes requests, we judge answers."""

from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.errors import SourceFileError
from connectors.formats.document import Limits, ReadRules
from connectors.formats.xml_document import XmlFormat
from connectors.kinds.http_caller import Answer
from connectors.kinds.soap_parts import Parts
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


MTOM = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:r="urn:register:1"><s:Body>'
    "<r:GetMarkResponse><r:mark><r:number>7</r:number>{body}</r:mark></r:GetMarkResponse></s:Body></s:Envelope>"
)
INCLUDED = '<r:name><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{name}"/></r:name>'
ATTACHED = MTOM.replace("<r:mark><r:number>7</r:number>{body}</r:mark>", "<r:mark href='cid:{name}'/>")


def parts(root, *attached, boundary="b0undary", start=True, closing=True, **more):
    """Make a multipart answer; each attached part is its name, its bytes and more header lines."""
    pieces = [(b"<root@office>", root.encode() if isinstance(root, str) else root, b"application/xop+xml")]
    pieces += [(b"<%s>" % name.encode(), raw, kind) for name, raw, kind in attached]
    body = b"".join(
        b"--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: binary\r\nContent-ID: %s\r\n\r\n%s\r\n"
        % (boundary.encode(), kind, name, raw)
        for name, raw, kind in pieces
    )
    body += b"--%s--\r\n" % boundary.encode() if closing else b""
    kind = f'multipart/related; type="application/xop+xml"; boundary="{boundary}"'
    return Reply(body, headers={"Content-Type": kind + ('; start="<root@office>"' if start else "")}, **more)


@pytest.fixture
def in_parts(server, service, deadline):
    def make(reply, attachments="{}", **put):
        server.answer = lambda asked: reply
        changes = {"  limits:": f"  attachments: {attachments}\n  limits:"} | put
        source = service(put=changes)
        answer = source.connector.fetch(RecordKey("7"), deadline)
        return answer if isinstance(answer, Failed | Absent) else source.apply(answer)

    return make


def test_included_binary_content_stands_as_base64_where_it_was_referred_to(in_parts):
    picture = bytes(range(256)) * 20 + b"\r\n--b0undar\r\n\r\r\n"

    mapped = in_parts(parts(MTOM.format(body=INCLUDED.format(name="p@office")), ("p@office", picture, b"image/png")))

    assert isinstance(mapped, Mapped), mapped
    assert b64decode(mapped.fields["name"]) == picture


def test_an_attached_document_becomes_a_child_of_what_refers_to_it(in_parts):
    record = b'<m:record xmlns:m="urn:register:1"><m:number>7</m:number><m:name>D\xc3\xbcsseldorf</m:name></m:record>'
    put = {
        'path: "r:number"': 'path: "r:record/r:number"',
        'path: "r:name"': 'path: "r:record/r:name"',
        "GetMarkResponse/r:mark": "GetMarkResponse/r:mark/r:record",
    }

    mapped = in_parts(
        parts(ATTACHED.format(name="d@office"), ("d@office", record, b"text/xml")), '{xml: "//r:mark/@href"}', **put
    )

    assert isinstance(mapped, Mapped), mapped
    assert mapped.fields["name"] == "Düsseldorf"


def test_an_answer_that_came_whole_is_read_as_before(in_parts):
    mapped = in_parts(Reply(MTOM.format(body="<r:name>x</r:name>"), headers={"Content-Type": "text/xml"}))

    assert mapped.fields == {"number": "7", "name": "x"}


def picture(count=1, size=100):
    return [(f"p{number}", b"x" * size, b"image/png") for number in range(count)]


@pytest.mark.parametrize(
    ("reply", "attachments", "reason"),
    [
        (parts(MTOM.format(body=INCLUDED.format(name="gone")), *picture()), "{}", FailReason.BAD_ANSWER),
        (parts(MTOM.format(body=INCLUDED.format(name="p0")), *picture(4)), "{max: 3}", FailReason.BAD_ANSWER),
        (parts(MTOM.format(body=INCLUDED.format(name="p0")), *picture(), closing=False), "{}", FailReason.UNREACHABLE),
        (parts(MTOM.format(body=INCLUDED.format(name="p0")), *picture() * 2), "{}", FailReason.BAD_ANSWER),
        (parts(MTOM.format(body=INCLUDED.format(name="p0") * 60), *picture(1, 4000)), "{}", FailReason.BAD_ANSWER),
        (
            parts(MTOM.format(body=INCLUDED.format(name="p0").replace("cid:p0", "file:///etc/passwd")), *picture()),
            "{}",
            FailReason.BAD_ANSWER,
        ),
        (
            parts(MTOM.format(body=INCLUDED.format(name="p0").replace("cid:p0", "http://127.0.0.1/")), *picture()),
            "{}",
            FailReason.BAD_ANSWER,
        ),
        (parts('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', *picture()), "{}", FailReason.RECORD_UNREADABLE),
        (
            parts(
                ATTACHED.format(name="d"),
                ("d", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///x">]><a>&x;</a>', b"text/xml"),
            ),
            '{xml: "//r:mark/@href"}',
            FailReason.RECORD_UNREADABLE,
        ),
        (
            parts(ATTACHED.format(name="d"), ("d", b"no xml", b"text/xml")),
            '{xml: "//r:mark/@href"}',
            "record_unreadable",
        ),
        (
            parts(ATTACHED.format(name="d"), ("d", b"<\xff/>", b"text/xml")),
            '{xml: "//r:mark/@href"}',
            "record_unreadable",
        ),
        (parts(MTOM.format(body=""), *picture(), boundary="b" * 10), "{}", None),
        (Reply(b"", headers={"Content-Type": "multipart/related; boundary=x"}), "{}", FailReason.UNREACHABLE),
        (Reply(b"--x\r\n\r\n--x--", headers={"Content-Type": "multipart/related"}), "{}", FailReason.UNREACHABLE),
    ],
)
def test_parts_that_do_not_hold_together_are_no_answer(in_parts, reply, attachments, reason):
    put = {"  limits: {tries: 1}": "  limits: {tries: 1, body_bytes: 100000}"}

    outcome = in_parts(reply, attachments, **put)

    if reason is None:
        assert isinstance(outcome, Mapped)
        return
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == reason


@given(st.binary(max_size=300))
def test_any_bytes_of_a_part_come_through_unchanged_or_the_parts_are_refused(raw):
    rules = ReadRules(format="xml", records="//a")
    whole = parts(
        "<a><x><i:Include xmlns:i='http://www.w3.org/2004/08/xop/include' href='cid:p'/></x></a>",
        ("p", raw, b"image/png"),
    )
    joined = Parts({}, XmlFormat(rules, Limits()), {}, 10_000)
    answer = Answer(200, {"content-type": whole.headers["Content-Type"]}, whole.body)

    made = etree.fromstring(joined.joined(answer).body)

    assert b64decode(made.findtext("x")) == raw
