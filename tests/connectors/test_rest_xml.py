"""An XML service is read like one in JSON: on its own word, its items cut out whole, without entities and DTDs."""

import pytest

from connectors.protocol import Absent, Failed, FailReason, Page, RecordKey
from connectors.row_filter import Exists
from tests.connectors.rest_source import XML, fetched
from tests.connectors.stub_server import Reply


def xml_page(*items, ok="Y", total=None):
    rows = "".join(f"<item><no>{number}</no><owner>{owner}</owner></item>" for number, owner in items)
    count = len(items) if total is None else total
    return Reply(
        f'<?xml version="1.0"?><response xmlns="urn:reg"><header><successYN>{ok}</successYN>'
        f"<totalCount>{count}</totalCount></header><items>{rows}</items></response>"
    )


def test_an_xml_service_is_fetched_searched_and_believed_only_on_its_word(api, deadline):
    answers = iter([xml_page(("1", "商标")), xml_page(), xml_page(ok="N"), Reply("<html/>"), Reply("<a><b></a>")])
    source = api(text=XML, answer=lambda asked: next(answers))

    outcomes = [fetched(source, deadline, RecordKey("1")) for _ in range(5)]

    assert source.apply(outcomes[0]).fields == {"application_number": "1", "owner": "商标"}
    assert outcomes[1] == Absent()
    assert [outcome.reason for outcome in outcomes[2:]] == [
        FailReason.BAD_ANSWER,
        FailReason.BAD_ANSWER,
        FailReason.RECORD_UNREADABLE,
    ]


def test_items_of_an_xml_list_are_cut_out_with_their_namespaces(api, deadline):
    rows = [("1", "A &amp; B"), ("2", "b"), ("3", "c")]

    def answer(asked):
        start = (int(asked.query["pageNo"]) - 1) * 2
        return xml_page(*rows[start : start + 2], total=3)

    source = api(text=XML, answer=answer)

    outcome = source.connector.search(Exists("owner"), None, deadline)

    assert isinstance(outcome, Page)
    assert [source.apply(found).fields["owner"] for found in outcome.found] == ["A & B", "b", "c"]
    assert b"successYN" not in outcome.found[0].raw


def test_a_real_answer_that_says_no_with_status_200_is_not_absent(api, deadline, ipdata):
    body = (ipdata / "synthetic" / "kipris_kipris_error_invalid_key.xml").read_text("utf-8")
    source = api(text=XML.replace("//r:successYN='Y'\"", "//successYN='Y'\""), answer=lambda asked: Reply(body))

    assert fetched(source, deadline, RecordKey("1")) == Failed(FailReason.BAD_ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    ],
)
def test_no_entity_and_no_dtd_is_taken_from_an_answer(api, deadline, body):
    source = api(text=XML, answer=lambda asked: Reply(body))

    assert fetched(source, deadline, RecordKey("1")) == Failed(FailReason.RECORD_UNREADABLE)
