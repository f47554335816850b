"""Sources of kind `office`: the office's kept library writes the requests, ours sends them and judges what comes."""

import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.fault_play import play
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, Page
from connectors.row_filter import EVERYTHING
from connectors.source_file import read_source
from connectors.sources import open_source
from tests.connectors.stub_server import Reply, serving

pytest.importorskip("epo_ops", reason="no clients: pip install 'ipx-gateway[offices]'")
pytest.importorskip("pyUSPTO", reason="no clients: pip install 'ipx-gateway[offices]'")

OPS = """\
reach:
  service: epo-ops
  base: {base}/3.2/rest-services
  client: "${{secret:ID}}"
  secret: "${{secret:KEY}}"
  private: true
  fetch: {{operation: published_data, arguments: {{number: "EP{{key}}", reference_type: application}}}}
  search: {{operation: published_data_search, arguments: {{cql: "pa = IBM", constituents: biblio}}}}
  limits: {{tries: 1}}
pack: epo-ops
"""
ODP = """\
reach:
  service: uspto-odp
  base: {base}
  key: "${{secret:KEY}}"
  private: true
  fetch: {{operation: get_application_by_number, arguments: {{application_number: "{{key}}"}}}}
  search: {{operation: search_applications, arguments: {{query: "applicationMetaData.inventionTitle:battery"}}}}
  limits: {{tries: 1}}
  throttle: {{on: [429]}}
pack: us-odp-json
"""

OPS_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<ops:world-patent-data xmlns="http://www.epo.org/exchange" xmlns:ops="http://ops.epo.org">{before}
 <exchange-documents>{documents}</exchange-documents>{after}
</ops:world-patent-data>"""
OPS_ONE = """<exchange-document system="ops.epo.org" family-id="{number}" country="EP" doc-number="1{number}" kind="A1">
 <bibliographic-data>
  <publication-reference><document-id document-id-type="docdb"><country>EP</country><doc-number>1{number}</doc-number>
   <kind>A1</kind><date>20000517</date></document-id></publication-reference>
  <application-reference doc-id="1"><document-id document-id-type="docdb"><country>EP</country>
   <doc-number>{number}</doc-number><kind>A</kind></document-id>
   <document-id document-id-type="epodoc"><doc-number>EP{number}</doc-number><date>19991110</date></document-id>
   </application-reference>
  <invention-title lang="en">A made-up apparatus</invention-title>
 </bibliographic-data></exchange-document>"""
TOKEN = {"access_token": "t0ken", "expires_in": "1199", "token_type": "BearerToken"}
NOT_FOUND = (
    '<fault xmlns="http://ops.epo.org"><code>SERVER.EntityNotFound</code><message>No results found</message></fault>'
)
FAIR_USE = "<error><code>403</code><message>This request has been rejected</message></error>"


def ops(*numbers, total=None):
    before = f'<ops:biblio-search total-result-count="{total}"><ops:search-result>' if total is not None else ""
    after = "</ops:search-result></ops:biblio-search>" if total is not None else ""
    documents = "".join(OPS_ONE.format(number=number) for number in numbers)
    return OPS_DOCUMENT.format(before=before, after=after, documents=documents)


def odp(*numbers, count=None):
    bag = [
        {
            "applicationNumberText": number,
            "applicationMetaData": {"inventionTitle": "Battery", "filingDate": "2012-12-19"},
            "lastIngestionDateTime": "2025-10-01T08:00:00",
        }
        for number in numbers
    ]
    return {"count": len(bag) if count is None else count, "patentFileWrapperDataBag": bag}


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def office(server, write_source, catalogue_tools, clock):
    opened = []

    def make(text, answer):
        def answered(asked):
            return Reply(TOKEN) if asked.path == "/3.2/auth/accesstoken" else answer(asked)

        server.answer = answered
        file = read_source(write_source(text.format(base=server.base), kind="office", record_type="patent"))
        secrets = {"ID": "client-id", "KEY": "s3cret-key"}
        source = open_source(file, secrets=secrets, variables={}, tools=catalogue_tools, clock=clock)
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()


def calls(server):
    return [asked for asked in server.asked if asked.path != "/3.2/auth/accesstoken"]


def test_ops_is_asked_as_its_client_asks_with_a_token_of_ours(office, server, deadline):
    source = office(OPS, lambda asked: Reply(ops("99203729")))

    found = source.connector.fetch("99203729", deadline)

    mapped = source.apply(found)
    assert isinstance(mapped, Mapped), mapped
    assert (mapped.key, mapped.fields["publication_number"]) == ("99203729", "199203729")
    (asked,) = calls(server)
    assert (asked.method, asked.path) == ("POST", "/3.2/rest-services/published-data/application/epodoc/biblio")
    assert asked.body == b"(EP99203729)"
    assert asked.headers["authorization"] == "Bearer t0ken"
    token = next(one for one in server.asked if one.path == "/3.2/auth/accesstoken")
    assert token.headers["authorization"].startswith("Basic ")


def test_what_ops_does_not_know_is_absent_and_any_other_404_is_not(office, deadline):
    absent = office(OPS, lambda asked: Reply(NOT_FOUND, 404)).connector.fetch("1", deadline)
    other = office(OPS, lambda asked: Reply("<html/>", 404)).connector.fetch("1", deadline)

    assert absent == Absent()
    assert other == Failed(FailReason.BAD_ANSWER)


@pytest.mark.parametrize("rejection", ["IndividualQuotaPerHour", "RegisteredQuotaPerWeek", "AnonymousQuotaPerMinute"])
def test_a_403_of_ops_with_its_reason_is_a_throttle_and_one_without_is_not(office, rejection):
    headers = {"X-Rejection-Reason": rejection, "Retry-After": "60000"}
    throttled = office(OPS, lambda asked: Reply(FAIR_USE, 403, headers)).connector.fetch("1", Deadline.within(3))
    refused = office(OPS, lambda asked: Reply(FAIR_USE, 403)).connector.fetch("1", Deadline.within(3))

    assert throttled == Failed(FailReason.THROTTLED, timedelta(seconds=60))
    assert refused == Failed(FailReason.MISCONFIGURED)


def test_the_recorded_403_of_ops_is_a_throttle(office, ipdata):
    recorded = (ipdata / "epo_ops" / "cassette_rate_limit_exceeded.yml").read_text()
    assert "X-Rejection-Reason" in recorded
    headers = {"X-Rejection-Reason": "IndividualQuotaPerHour", "Content-Type": "text/xml"}

    answer = office(OPS, lambda asked: Reply(FAIR_USE, 403, headers)).connector.fetch("1", Deadline.within(3))

    assert (answer.reason, answer.retry_after) == (FailReason.THROTTLED, timedelta(seconds=30))


def test_traffic_lights_and_the_quota_of_ops_are_shown_and_black_shuts(office, deadline):
    lights = "overloaded (images=green:100, inpadoc=green:45, other=green:1000, retrieval=red:50, search=green:15)"
    headers = {"X-Throttling-Control": lights, "X-RegisteredQuotaPerWeek-Used": "1000000000"}
    source = office(OPS, lambda asked: Reply(ops("1"), headers=headers))
    source.connector.fetch("1", deadline)
    health = source.connector.health()
    headers["X-Throttling-Control"] = lights.replace("red:50", "black:0")
    source.connector.fetch("1", deadline)

    shut = source.connector.fetch("1", Deadline.within(2))

    assert (health.state, health.quota_left) == ("degraded", 3_000_000_000)
    assert "traffic light red" in health.note
    assert shut.reason is FailReason.THROTTLED


def test_a_search_of_ops_is_paged_by_its_range_and_its_cap_is_told(office, server, deadline):
    numbers = [f"{number:08}" for number in range(1, 151)]

    def answer(asked):
        first, last = map(int, asked.headers["x-ops-range"].split("-"))
        return Reply(ops(*numbers[first - 1 : last], total=150))

    source = office(OPS, answer)

    page = source.connector.search(EVERYTHING, None, deadline)
    capped = office(OPS, lambda asked: Reply(ops("1", total=2001))).connector.search(EVERYTHING, None, deadline)

    assert isinstance(page, Page), page
    assert [found.key for found in page.found] == numbers
    (first, second) = calls(server)[:2]
    assert (first.path, second.headers["x-ops-range"]) == (
        "/3.2/rest-services/published-data/search/biblio",
        "101-200",
    )
    assert parse_qs(first.body.decode()) == {"q": ["pa = IBM"]}
    assert capped == Failed(FailReason.TOO_MANY_ROWS)


def test_a_token_of_ops_that_dies_between_pages_is_renewed_and_the_page_repeated(office, server, deadline):
    refused = []

    def answer(asked):
        first = int(asked.headers["x-ops-range"].split("-")[0])
        if first > 1 and not refused:
            refused.append(asked)
            return Reply("<error><code>400</code><message>invalid_access_token</message></error>", 400)
        return Reply(ops(*(f"{n:08}" for n in range(first, min(first + 100, 121))), total=120))

    page = office(OPS, answer).connector.search(EVERYTHING, None, deadline)

    assert len(page.found) == 120
    assert len([one for one in server.asked if one.path == "/3.2/auth/accesstoken"]) == 2


def test_the_real_answers_of_ops_come_through_the_service(office, ipdata, deadline):
    for name in ("biblio_2.xml", "biblio_3.xml", "biblio_4.xml"):
        raw = (ipdata / "epo_ops" / name).read_bytes()
        source = office(OPS, lambda asked, raw=raw: Reply(raw, headers={"Content-Type": "application/xml"}))

        found = source.connector.fetch("x", deadline)
        assert isinstance(found, Found)
        assert found.raw == raw


def test_the_portal_is_asked_as_its_client_asks_and_its_key_stays_secret(office, server, deadline, caplog):
    caplog.set_level("DEBUG")
    source = office(ODP, lambda asked: Reply(odp("13720185")))

    found = source.connector.fetch("13720185", deadline)

    mapped = source.apply(found)
    assert isinstance(mapped, Mapped), mapped
    assert (mapped.key, mapped.fields["filing_date"]) == ("13720185", "2012-12-19")
    (asked,) = calls(server)
    assert (asked.method, asked.raw_target) == ("GET", "/api/v1/patent/applications/13720185")
    assert asked.headers["x-api-key"] == "s3cret-key"
    assert "s3cret-key" not in caplog.text
    assert "s3cret-key" not in repr(source)


def test_the_portal_says_absent_by_its_body_and_throttles_with_429(office):
    replies = iter(
        [
            Reply({"code": 404, "error": "Not Found"}, 404),
            Reply({"message": "no such route"}, 404),
            Reply({"code": 429}, 429, {"Retry-After": "50"}),
        ]
    )
    source = office(ODP, lambda asked: next(replies))

    answers = [source.connector.fetch("13720185", Deadline.within(5)) for _ in range(3)]

    assert answers == [
        Absent(),
        Failed(FailReason.BAD_ANSWER),
        Failed(FailReason.THROTTLED, timedelta(seconds=50)),
    ]


def test_the_portal_is_asked_one_call_at_a_time_and_no_more_than_it_allows(office):
    source = office(ODP.replace("  throttle: {{on: [429]}}\n", ""), lambda asked: Reply(odp("13720185")))
    source.connector.fetch("13720185", Deadline.within(5))

    second = source.connector.fetch("13720185", Deadline.within(0.5))

    assert second.reason is FailReason.THROTTLED
    assert second.retry_after < timedelta(seconds=2)


def test_a_search_of_the_portal_is_paged_to_its_count(office, server, deadline):
    numbers = [f"13{number:06}" for number in range(130)]

    def answer(asked):
        start = int(asked.query["offset"])
        return Reply(odp(*numbers[start : start + 100], count=130))

    source = office(ODP, answer)

    page = source.connector.search(EVERYTHING, None, deadline)

    assert isinstance(page, Page), page
    assert [found.key for found in page.found] == numbers
    assert [(one.query["offset"], one.query["limit"]) for one in calls(server)] == [("0", "100"), ("100", "100")]
    assert calls(server)[0].query["q"] == "applicationMetaData.inventionTitle:battery"


def test_the_real_answers_of_the_portal_map_through_the_service(office, ipdata, deadline):
    raw = (ipdata / "uspto_odp" / "get_patent.json").read_bytes()
    number = json.loads(raw)["patentFileWrapperDataBag"][0]["applicationNumberText"]
    source = office(ODP, lambda asked: Reply(raw, headers={"Content-Type": "application/json"}))

    found = source.connector.fetch(number, deadline)

    assert isinstance(source.apply(found), Mapped)


@pytest.mark.parametrize("key", ["../../admin", "13/720185", "13720185\r\nX: y", "not a number"])
def test_a_key_that_could_lead_elsewhere_is_never_sent(office, server, deadline, key):
    for text in (OPS.replace("EP{{key}}", "{{key}}"), ODP):
        answer = office(text, lambda asked: Reply({})).connector.fetch(key, deadline)
        if key != "not a number":
            assert answer == Failed(FailReason.UNSUPPORTED)
    assert [asked.path for asked in calls(server) if "admin" in asked.raw_target] == []


@pytest.mark.parametrize("text", [OPS, ODP])
def test_no_fault_of_an_office_is_taken_for_an_answer(text, write_source, catalogue_tools, clock):
    whole = write_source(text.format(base="https://office.example"), kind="office", record_type="patent")

    played = play(
        whole,
        ["all"],
        secrets={"ID": "client-id", "KEY": "s3cret-key"},
        variables={},
        tools=catalogue_tools,
        clock=clock,
    )

    assert [one for one in played if not one.is_right] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("operation: published_data,", "operation: image,"),
        ("reference_type: application}}", "reference_type: application, timeout: '0'}}"),
        ('  client: "${{secret:ID}}"\n', ""),
        ("service: epo-ops", "service: jpo"),
        ("  private: true\n", ""),
    ],
)
def test_what_the_client_cannot_do_is_refused_at_once(office, old, new):
    assert old in OPS

    with pytest.raises(SourceFileError):
        office(OPS.replace(old, new), lambda asked: Reply({}))


def test_without_an_address_of_ones_own_the_offices_own_are_called(office, write_source, catalogue_tools, clock):
    for text, host in ((OPS, "ops.epo.org"), (ODP, "api.uspto.gov")):
        lines = [line for line in text.format(base="-").splitlines() if not line.startswith(("  base", "  private"))]
        file = read_source(write_source("\n".join(lines) + "\n", kind="office", record_type="patent"))
        source = open_source(file, secrets={"ID": "i", "KEY": "k"}, variables={}, tools=catalogue_tools, clock=clock)
        assert source.connector.health().note == host
        source.close()
