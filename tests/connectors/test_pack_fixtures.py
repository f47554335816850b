"""Each mapping pack over its made-up file, with the real catalogue: every field it fills, and what it leaves.

What is expected stands beside the files, one JSON document a pack; it was read line by line when it was written.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import connectors.packs
from connectors.mapping import Mapped
from connectors.mapping_packs import read_pack, shipped, shipped_names
from connectors.pack_page import page
from connectors.protocol import Found
from gateway.records.catalogue import CATALOGUE

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {path.stem: path for path in FIXTURES.glob("*.*")}
EXPECTED = {path.stem: path for path in (FIXTURES / "expected").glob("*.json")}
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)

TOLD_IN_TEST_PACKS = {"euipo-tm-xml", "tsdr-st66", "tsdr-st96", "tsdr-st96-old"}
SIGNED_WHEN_TESTED = {"smd"}


def test_every_pack_has_its_made_up_file_and_what_becomes_of_it():
    assert FILES.keys() | SIGNED_WHEN_TESTED == set(shipped_names())
    assert EXPECTED.keys() | TOLD_IN_TEST_PACKS | SIGNED_WHEN_TESTED == set(shipped_names())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_made_up_file_becomes_these_records(pack, name):
    mapping, raw = pack(name), FILES[name].read_bytes()

    records = []
    for position in range(len(mapping.format.parse(raw).records())):
        outcome = mapping.apply(Found(raw, "", FILES[name].name, None, None, NOW, position=position))
        assert isinstance(outcome, Mapped), outcome
        fields = dict(outcome.fields)
        left = sorted(fields.pop("extensions", {}))
        revised = outcome.revised.isoformat() if outcome.revised else None
        records.append({"key": outcome.key, "revised": revised, "fields": fields, "left_in_extensions": left})

    assert records == json.loads(EXPECTED[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", shipped_names())
def test_a_pack_maps_to_fields_the_catalogue_has(name):
    pack = read_pack(name, shipped)
    known = CATALOGUE.types[pack.record_type].fields

    assert [field for field in pack.parts["map"] if field not in known and field != "language"] == []


@pytest.mark.parametrize("name", ["cnipa-xml", "cnipa-xml-old", "st96-patent"])
def test_who_asked_not_to_be_named_is_counted_and_stored_nowhere(pack, name):
    raw = FILES[name].read_bytes()
    assert b"Unnamed Person" in raw or "不愿具名者".encode() in raw

    outcome = pack(name).apply(Found(raw, "", name, None, None, NOW))

    assert outcome.fields["inventors_withheld"] >= 1
    assert "Unnamed Person" not in str(outcome.fields)
    assert "不愿具名者" not in str(outcome.fields)


def kipris(success, count):
    return (
        f"<response><header><successYN>{success}</successYN><resultMsg>…</resultMsg></header>"
        f"<body><items/><totalCount>{count}</totalCount></body></response>"
    ).encode()


def jpo(code):
    return json.dumps(
        {"result": {"statusCode": code, "errorMessage": "…", "remainAccessCount": "0", "data": {}}}
    ).encode()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("jpo-json", jpo("107")),
        *((name, kipris("Y", 0)) for name in ("kipris-patent", "kipris-tm", "kipris-ds")),
        ("euipo-tm-json", b'{"trademarks": [], "totalElements": 0}'),
        ("us-assignment-json", b'{"statusCode": 200, "successResponse": {"totalRows": 0, "data": []}}'),
        ("tipo-tm", b'{"status": "ok", "total-count": 0, "tmarkappl": {"tmarkcontent": []}}'),
    ],
)
def test_an_answer_that_says_there_is_nothing_holds_no_record_and_no_fault(pack, name, answer):
    document = pack(name).format.parse(answer)

    assert (len(document.records()), document.says_absent) == (0, True)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("jpo-json", jpo("203")),
        *((name, kipris("N", 0)) for name in ("kipris-patent", "kipris-tm", "kipris-ds")),
        ("tipo-patent", b'{"status": "error", "message": "quota", "total-count": 0}'),
        ("us-assignment-json", b'{"statusCode": 500, "error": "busy", "successResponse": null}'),
        ("epo-ops", b"<fault xmlns='http://ops.epo.org'><code>CLIENT.RobotDetected</code></fault>"),
        ("us-odp-json", b'{"code": 404, "error": "Not Found"}'),
    ],
)
def test_an_answer_that_is_an_error_never_becomes_a_record(pack, name, answer):
    outcome = pack(name).apply(Found(answer, "", name, None, None, NOW))

    assert [str(why.reason) for why in outcome.reasons] in (["unknown_schema"], ["wrong_namespace"])


def test_the_page_of_the_packs_is_the_one_that_their_headers_make():
    written = (Path(connectors.packs.__file__).parent / "README.md").read_text(encoding="utf-8")

    assert written == page(), "run: python -m connectors.pack_page > connectors/packs/README.md"


@pytest.mark.parametrize("name", shipped_names())
def test_every_pack_says_at_its_head_what_it_reads_and_by_what_it_knows_its_files(name):
    pack = read_pack(name, shipped)

    assert shipped(name).startswith("# ")
    assert "expect" in pack.parts["read"] or "armor" in pack.parts["read"]
