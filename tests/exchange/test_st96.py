"""A released mark as XML of ST.96: over the wire for whom prefers it, and from a kept answer by `ipx convert`."""

import pytest
from click.testing import CliRunner
from lxml import etree

from ipx.channel import Call
from ipx.cli import main
from ipx.tokens import purpose_grant
from tests.exchange.world import ARBITRATION, CUSTOMS

XML = {"Accept": "application/xml"}
TMK = "{http://www.wipo.int/standards/XMLSchema/ST96/Trademark}"
COM = "{http://www.wipo.int/standards/XMLSchema/ST96/Common}"


@pytest.fixture
def look(gateway):
    """Look at an exchange again with some headers."""

    def run(exchange, headers, client_id=CUSTOMS, purpose="border_enforcement"):
        basis = gateway.payload(client_id)["legal_basis"]
        grant = purpose_grant("exchange:request", gateway.settings.resource, purpose=purpose, legal_basis=basis)
        call = Call("GET", f"{gateway.settings.origin}/v1/exchanges/{exchange}", headers)
        return gateway.client(client_id)._call(call, grant)

    return run


def test_a_released_mark_is_given_as_st_96_with_nothing_but_what_was_disclosed(gateway, look):
    answer = gateway.ask()

    reply = look(answer.evidence.exchange, XML)

    root = etree.fromstring(reply.body)
    assert reply.headers["content-type"] == "application/xml; charset=utf-8"
    assert root.tag == f"{TMK}TrademarkApplication"
    assert root.findtext(f".//{TMK}MarkVerbalElementText") == answer.fields["verbal_element"]
    assert ("owner_contacts" in answer.fields) == (root.find(f".//{COM}PostalAddressBag") is not None)
    assert f'</v1/exchanges/{answer.evidence.exchange}>; rel="describedby"' in reply.headers["link"]


@pytest.mark.parametrize("accept", ["*/*", "application/json, application/xml;q=0.9", "text/html"])
def test_who_does_not_prefer_xml_gets_json_with_the_evidence(gateway, look, accept):
    reply = look(gateway.ask().evidence.exchange, {"Accept": accept})

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


def test_a_denial_is_a_problem_in_json_whatever_is_preferred(gateway, look):
    denied = gateway.ask(
        ARBITRATION, "ipo-xb", number="2023889012", purpose="arbitration", groups=["trademark.owner.contact"]
    )

    assert look(denied.evidence.exchange, XML, ARBITRATION, "arbitration").json()["outcome"] == "denied"


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
