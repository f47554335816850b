"""Bad input of any type, case by case: what arrives broken is quarantined under its reason and becomes no record.

Deliveries (archives, the same record twice, an older version after a newer) stand with the kinds that take them; what
is wrong with one type's fields stands in tests/records/test_validation.py.
"""

import pytest

from connectors.formats.document import Limits
from connectors.mapping import Mapped, RecordMapping
from connectors.protocol import Found
from connectors.quarantine import Quarantined
from connectors.source_file import read_source
from tests.connectors.conftest import source_text

ENTRIES = """\
key: number
map:
  office: {const: EM}
  application_number: {path: NUMBER, required: true}
  application_date: {path: FILED, use: [{date: ["%Y-%m-%d"]}], required: true}
  verbal_element: {path: WORD}
"""
READS = {
    "xml": """{format: xml, namespaces: {t: "urn:marks:2"}, expect: "/t:marks[@version='2']",
  records: "//t:mark[not(@deleted)]", deleted: "//t:mark[@deleted='1']"}""",
    "json": "{format: json, expect: version}",
    "csv": "{format: csv, encoding: gbk, expect: number}",
}
GOOD = {
    "xml": '<marks xmlns="urn:marks:2" version="2"><mark><number>018222197</number><filed>2020-04-08</filed>'
    "<word>VELMORA</word></mark></marks>",
    "json": '{"version": 2, "number": "018222197", "filed": "2020-04-08", "word": "VELMORA"}',
    "csv": "number,filed,word\n018222197,2020-04-08,华为\n",
}


@pytest.fixture(scope="module")
def mappings(catalogue_tools):
    made = {}
    for name, read in READS.items():
        prefix = "t:" if name == "xml" else ""
        entries = ENTRIES.replace("key: number", "key: application_number")
        for path in ("NUMBER", "FILED", "WORD"):
            entries = entries.replace(path, f'"{prefix}{path.lower()}"')
        body = f"reach: {{location: /nowhere, match: '*'}}\nread: {read}\n{entries}"
        made[name] = RecordMapping(read_source(source_text(body)), catalogue_tools, Limits())
    return made


@pytest.fixture
def outcome(mappings, clock):
    def run(name, raw):
        return mappings[name].apply(Found(raw, "", "made-up", None, None, clock()))

    return run


def good(name, old="", new=""):
    assert old in GOOD[name]
    return GOOD[name].replace(old, new) if old else GOOD[name]


@pytest.mark.parametrize("name", GOOD)
def test_the_good_one_is_a_record(outcome, name):
    assert isinstance(outcome(name, good(name).encode("gbk")), Mapped)


DEEP = "<a>" * 65 + "</a>" * 65
BOMB = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/hostname">]>'

CASES = {
    "broken UTF-8": ("json", good("json").encode().replace(b"VEL", b"V\xc3L"), "wrong_encoding"),
    "a byte outside GBK": ("csv", good("csv").encode("gbk").replace(b"2020", b"\xff020"), "wrong_encoding"),
    "a byte order mark of another encoding": ("csv", b"\xef\xbb\xbf" + good("csv").encode(), "wrong_encoding"),
    "a NUL": ("json", good("json", "VEL", "V\x00L").encode(), "not_parseable"),
    "UTF-8 read as something else": ("json", good("json", "VELMORA", "DÃ¼sseldorf").encode(), "wrong_encoding"),
    "bytes written as text": (
        "json",
        good("json", "VELMORA", "b'<section>VELMORA</section>'").encode(),
        "wrong_encoding",
    ),
    "an invalid escape": ("json", good("json", "VEL", "V\\xL").encode(), "not_parseable"),
    "one key twice": ("json", good("json", '"word"', '"number": "1", "word"').encode(), "not_parseable"),
    "a number where a text is": ("json", good("json", '"018222197"', "18222197").encode(), "wrong_type"),
    "an object where a text is": ("json", good("json", '"VELMORA"', '{"text": "VELMORA"}').encode(), "wrong_type"),
    "an entity bomb": ("xml", (BOMB + good("xml", "VELMORA", "&b;")).encode(), "forbidden_xml"),
    "an entity of another file": ("xml", (OUTSIDE + good("xml", "VELMORA", "&a;")).encode(), "forbidden_xml"),
    "a reference to a DTD": (
        "xml",
        ('<!DOCTYPE m SYSTEM "http://x.example/m.dtd">' + good("xml")).encode(),
        "forbidden_xml",
    ),
    "65 levels": ("xml", good("xml", "<word>", f"{DEEP}<word>").encode(), "too_deep"),
    "two roots": ("xml", (good("xml") * 2).encode(), "not_parseable"),
    "cut in the middle": ("xml", good("xml").encode()[:-20], "not_parseable"),
    "another namespace": ("xml", good("xml", "urn:marks:2", "urn:marks:1").encode(), "wrong_namespace"),
    "an unknown version": ("xml", good("xml", 'version="2"', 'version="3"').encode(), "unknown_schema"),
    "another table": ("csv", good("csv", "number", "reference").encode("gbk"), "unknown_schema"),
    "a text with blanks around it": ("json", good("json", "VELMORA", " VELMORA").encode(), "wrong_type"),
    "two values for one": ("xml", good("xml", "<word>", "<word>OTHER</word><word>").encode(), "more_than_one"),
    "nothing where something must be": ("json", good("json", "2020-04-08", " ").encode(), "missing_required"),
    "no day of the calendar": ("json", good("json", "2020-04-08", "2020-02-30").encode(), "bad_date"),
    "a day in the future": ("json", good("json", "2020-04-08", "2031-02-01").encode(), "future_date"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_broken_is_quarantined_under_its_reason(outcome, case):
    name, raw, reason = CASES[case]

    found = outcome(name, raw)

    assert isinstance(found, Quarantined), found
    assert [str(why.reason) for why in found.reasons] == [reason]


def test_a_delete_notice_is_a_tombstone_and_no_empty_record(mappings):
    raw = (
        good("xml", "<mark>", '<mark deleted="1">')
        .replace("<filed>2020-04-08</filed><word>VELMORA</word>", "")
        .encode()
    )

    document = mappings["xml"].format.parse(raw)

    assert document.records() == []
    assert [mappings["xml"].identify(node).key for node in document.deleted()] == ["018222197"]
