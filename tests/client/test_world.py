"""The demo world's data, read through the real connectors and judged by the real catalogue."""

import json
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from connectors.source_file import read_source
from connectors.sources import open_source
from connectors.tools import MappingTools
from gateway.agencies.models import AGENCY_KINDS
from gateway.demo.world import AGENCIES, CLIENTS, build
from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code, code_table
from gateway.records.facts import PartyKeys, facts
from gateway.records.identifiers import canonical
from gateway.records.record import make_record
from gateway.records.record_ids import record_id
from gateway.records.validation import oddities, validate
from ipx import keyfile

TODAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
COUNTS = {"ipo-xa-trademarks": 12, "customs-xa-recordals": 6, "customs-xa-detentions": 8, "court-xa-cases": 6}
KEYS = {
    "ipo-xa-trademarks": ["202400017", "202400131"],
    "customs-xa-recordals": ["R2025-0031"],
    "customs-xa-detentions": ["D2026-0007", "D2026-0024"],
    "court-xa-cases": ["IPC 118/2026", "IPC 24/2026"],
}


def judge(record_type, fields):
    return [(found.field, found.reason, found.detail) for found in validate(record_type, fields, today=TODAY)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def sources(world):
    opened = {}
    for path in world.sources:
        file = read_source(path.read_text(encoding="utf-8"))
        opened[file.name] = open_source(
            file,
            secrets=world.secrets,
            variables={"IPX_SOURCES": str(world.sources_root)},
            tools=MappingTools(canonical, code, judge),
        )
    yield opened
    for source in opened.values():
        source.close()


def deadline():
    return Deadline.within(10)


def all_records(source):
    """Every record of a source, as its mapping gives them."""
    changes = source.connector.changes(None, deadline())
    assert not isinstance(changes, Failed), changes
    assert changes.complete
    return [source.apply(found) for found in changes.found]


def one_record(source, key):
    found = source.connector.fetch(RecordKey(key), deadline())
    assert isinstance(found, Found), found
    mapped = source.apply(found)
    assert isinstance(mapped, Mapped), mapped
    return mapped


def facts_of(source, key):
    mapped = one_record(source, key)
    record = make_record(
        record_id(source.file.holder, source.file.record_type, "x"),
        mapped.fields,
        source=source.file.name,
        source_ref=mapped.source_ref,
        jurisdiction="XA",
        revision="1",
        as_of=NOW,
        recorded_at=NOW,
        sealed_by="gateway",
    )
    return facts(record, on=TODAY, party_keys=PartyKeys(b"x" * 32))


@pytest.mark.parametrize("name", COUNTS)
def test_every_record_is_mapped_and_taken_by_the_catalogue(sources, name):
    records = all_records(sources[name])

    assert [record for record in records if not isinstance(record, Mapped)] == []
    assert [record.flags for record in records if record.flags] == []
    assert len(records) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_nothing_is_odd_about_a_record(sources, name):
    records = all_records(sources[name])

    found = {
        record.key: odd
        for record in records
        if (odd := oddities(sources[name].file.record_type, record.fields, today=TODAY))
    }
    assert found == {}


@pytest.mark.parametrize("name", COUNTS)
def test_records_are_found_by_their_keys_and_what_is_not_there_is_absent(sources, name):
    for key in KEYS[name]:
        assert one_record(sources[name], key).key == key
    assert isinstance(sources[name].connector.fetch(RecordKey("999999999"), deadline()), Absent)


def test_a_mark_has_an_owner_and_contact_to_withhold(sources):
    fields = one_record(sources["ipo-xa-trademarks"], "202400131").fields

    assert fields["owners"][0]["name"] == "星砂声学有限公司"
    assert fields["owner_contacts"][0]["email"] == "tm@xingsha.example"


def test_the_cited_detention_names_the_active_case(sources):
    detention = facts_of(sources["customs-xa-detentions"], "D2026-0007")
    case = facts_of(sources["court-xa-cases"], "IPC 118/2026")

    assert detention["case_numbers"] == {"IPC 118/2026"}
    assert (detention["stage"], case["stage"], case["final"], case["sealed"]) == ("seized", "filed", False, False)
    assert detention["right_keys"] == case["right_keys"] == {"XA|trademark|202400017"}


def test_a_detention_that_no_case_cites_says_so(sources):
    assert facts_of(sources["customs-xa-detentions"], "D2026-0011")["case_numbers"] == frozenset()


def test_one_case_is_sealed(sources):
    assert facts_of(sources["court-xa-cases"], "IPC 24/2026")["sealed"]


def test_detentions_stand_at_all_stages_that_the_story_needs(sources):
    stages = [record.fields["stage"] for record in all_records(sources["customs-xa-detentions"])]

    assert {"suspended", "detained", "seized", "released", "forfeited", "destroyed"} == set(stages)


def test_the_foreign_office_is_down_and_says_so_at_once(sources):
    answer = sources["ipo-xb-trademarks"].connector.fetch(RecordKey("2023889012"), deadline())

    assert isinstance(answer, Failed)
    assert answer.reason == FailReason.UNREACHABLE


def test_the_foreign_offices_address_is_a_port_where_nobody_listens(world):
    address = urlsplit(world.secrets["IPO_XB_DSN"])

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=2)


def test_agencies_and_clients_fit_the_register():
    assert [agency.kind for agency in AGENCIES if agency.kind not in AGENCY_KINDS] == []
    assert {client.agency for client in CLIENTS} == {agency.code for agency in AGENCIES}
    assert {purpose for agency in AGENCIES for purpose in agency.purposes} <= code_table("purpose").words.keys()


def test_the_first_three_active_clients_are_of_two_agencies_and_three_kinds_of_key():
    first = [client for client in CLIENTS if client.state == "active"][:3]

    assert [client.alg for client in first] == ["ES256", "Ed25519", "PS256"]
    assert first[0].agency != first[1].agency


def test_each_client_has_a_key_that_only_its_owner_may_read(world):
    for client in CLIENTS:
        assert keyfile.read_key(world.keys[client.id]).alg == client.alg


def test_building_again_keeps_the_keys(tmp_path):
    first = {name: path.read_bytes() for name, path in build(tmp_path).keys.items()}
    second = {name: path.read_bytes() for name, path in build(tmp_path).keys.items()}

    assert first == second


def test_every_record_type_of_the_sources_is_in_the_catalogue(sources):
    assert {source.file.record_type for source in sources.values()} <= CATALOGUE.types.keys()


def test_the_table_of_field_groups_is_the_catalogues():
    written = json.loads((Path(keyfile.__file__).parent / "field_groups.json").read_text(encoding="utf-8"))

    assert written == {name: dict(known.fields) for name, known in CATALOGUE.types.items()}
