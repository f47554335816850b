"""A released mark as XML of ST.96: over the wire for whom prefers it, and from a kept answer by `ipx convert`."""

import tarfile
from dataclasses import replace

import pytest
from click.testing import CliRunner
from lxml import etree

from ipx.channel import Call
from ipx.cli import main
from ipx.tokens import purpose_grant
from tests.exchange.world import ARBITRATION, COURT, CUSTOMS, Gateway

XML = {"Accept": "application/xml"}
TMK = "{http://www.wipo.int/standards/XMLSchema/ST96/Trademark}"
COM = "{http://www.wipo.int/standards/XMLSchema/ST96/Common}"


def looked(gateway, exchange, headers, client_id=CUSTOMS, purpose="border_enforcement"):
    """Look at an exchange again with some headers."""
    basis = gateway.payload(client_id)["legal_basis"]
    grant = purpose_grant("exchange:request", gateway.settings.resource, purpose=purpose, legal_basis=basis)
    call = Call("GET", f"{gateway.settings.origin}/v1/exchanges/{exchange}", headers)
    return gateway.client(client_id)._call(call, grant)


def test_a_released_mark_is_given_as_st_96_with_nothing_but_what_was_disclosed(gateway):
    answer = gateway.ask()

    reply = looked(gateway, answer.evidence.exchange, XML)

    root = etree.fromstring(reply.body)
    assert reply.headers["content-type"] == "application/xml; charset=utf-8"
    assert root.tag == f"{TMK}TrademarkApplication"
    assert root.findtext(f".//{TMK}MarkVerbalElementText") == answer.fields["verbal_element"]
    assert ("owner_contacts" in answer.fields) == (root.find(f".//{COM}PostalAddressBag") is not None)
    assert f'</v1/exchanges/{answer.evidence.exchange}>; rel="describedby"' in reply.headers["link"]


@pytest.mark.parametrize("accept", ["*/*", "application/json, application/xml;q=0.9", "text/html"])
def test_who_does_not_prefer_xml_gets_json_with_the_evidence(gateway, accept):
    reply = looked(gateway, gateway.ask().evidence.exchange, {"Accept": accept})

    assert "receipt" in reply.json()


def test_the_first_answer_too_comes_as_xml_and_says_where_its_evidence_is(gateway):
    good = gateway.payload(CUSTOMS)
    call = Call(
        "POST",
        f"{gateway.settings.origin}/v1/exchanges",
        {"Content-Type": "application/jose", **XML},
        gateway.sign(CUSTOMS).encode(),
    )
    grant = purpose_grant(
        "exchange:request", gateway.settings.resource, purpose=good["purpose"], legal_basis=good["legal_basis"]
    )

    reply = gateway.client(CUSTOMS)._call(call, grant)

    assert reply.status == 200, reply.body[:300]
    assert etree.fromstring(reply.body).tag == f"{TMK}TrademarkApplication"
    assert reply.headers["location"].startswith("/v1/exchanges/")


def test_with_the_official_schemas_at_hand_nothing_that_breaks_them_is_given(demo, settings, tmp_path, ipdata):
    with tarfile.open(ipdata / "st96" / "xsd" / "ST96XMLSchema_V6_0_Flattened.tar.xz") as archive:
        archive.extractall(tmp_path / "schemas", filter="data")
    gateway = Gateway(demo, replace(settings, st96_schemas=tmp_path / "schemas"))
    try:
        # The demo's country is made up: XA is no office of ST.96's list.
        reply = looked(gateway, gateway.ask().evidence.exchange, XML)
    finally:
        gateway.close()

    assert (reply.status, reply.json()["type"].rpartition("/")[2]) == (406, "not-acceptable")
    assert "valid by ST.96" in reply.json()["detail"]


def test_a_folder_without_the_schemas_lets_no_xml_out(demo, settings, tmp_path):
    gateway = Gateway(demo, replace(settings, st96_schemas=tmp_path))
    try:
        reply = looked(gateway, gateway.ask().evidence.exchange, XML)
    finally:
        gateway.close()

    assert (reply.status, "cannot be used" in reply.json()["detail"]) == (406, True)


def test_a_type_that_st_96_has_no_document_for_is_not_acceptable_but_its_release_is_told(gateway):
    asked = {"agency": "customs-xa", "record_type": "detention", "number": "D2026-0007", "purpose": "court_proceeding"}
    answer = gateway.ask(COURT, **asked, case_ref="IPC 118/2026")

    reply = looked(gateway, answer.evidence.exchange, XML, COURT, "court_proceeding")

    assert (reply.status, reply.json()["type"].rpartition("/")[2]) == (406, "not-acceptable")


def test_a_denial_is_a_problem_in_json_whatever_is_preferred(gateway):
    denied = gateway.ask(
        ARBITRATION, "ipo-xb", number="2023889012", purpose="arbitration", groups=["trademark.owner.contact"]
    )

    assert looked(gateway, denied.evidence.exchange, XML, ARBITRATION, "arbitration").json()["outcome"] == "denied"


def test_a_kept_answer_is_converted_offline(gateway, tmp_path):
    answer = gateway.ask()
    (tmp_path / "answer.json").write_bytes(answer.evidence.raw)

    ran = CliRunner().invoke(main, ["convert", str(tmp_path / "answer.json"), "--out", str(tmp_path / "mark.xml")])

    assert ran.exit_code == 0, ran.output
    root = etree.parse(tmp_path / "mark.xml").getroot()
    assert root.findtext(f".//{TMK}MarkVerbalElementText") == answer.fields["verbal_element"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"record": "x"}', '{"record": "a.b.c~"}', '{"records": []}'])
def test_what_is_no_answer_is_told_and_not_converted(tmp_path, text):
    (tmp_path / "answer.json").write_text(text, encoding="utf-8")

    ran = CliRunner().invoke(main, ["convert", str(tmp_path / "answer.json")])

    assert ran.exit_code == 1
    assert ran.output.startswith("Error: ")
