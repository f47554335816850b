"""The lessons and faults of real APIs, played by a server on loopback."""

import gzip
import logging
import re
import socket
import threading
import time
from datetime import timedelta
from email.utils import format_datetime

import httpcore
import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.kinds import http_wire
from connectors.kinds.http_wire import ForbiddenAddressError, Wire
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, Page, RecordKey
from connectors.quarantine import Quarantined, Reason
from connectors.row_filter import AllOf, Compare, Exists, Op
from tests.connectors.stub_server import Authority, Reply, serving

C1 = RecordKey("C-1")
SECRET = "s3cr3t+key/="

SOURCE = """
reach:
  base: "BASE"
  private: true
  fetch: {get: "/cases/{key}"}
  search: {get: /cases, query: {right: "{right_keys}", by: "{authority}"}}
  changes: {get: /cases, query: {updatedFrom: "{since}", sort: updatedAt}, deleted: "data.removed[].caseNo"}
  items: data.items
  paging: {cursor: data.next, param: cursor, size: {limit: 2}, end: no-cursor}
  success: "code == '0'"
  absent: "code == 'NO_DATA'"
  truncated: "data.total > `100`"
  throttle: {on: [429, {status: 403, header: X-Rejection-Reason}], retry_after: auto, remaining: data.quota.remaining}
  limits: {connect_seconds: 2, read_seconds: 2, total_seconds: 2, body_bytes: 20000, tries: 1, rows: 50}
read: {format: json, encoding: utf-8}
key: case_number
revised: {path: updatedAt, use: [{datetime: UTC}]}
map:
  case_number: {path: caseNo, use: [trim], required: true}
  authority: {path: authority, use: [trim]}
  right_keys: {all: "rights[].key", use: [trim]}
  fine: {path: fine, use: [decimal]}
"""


def case(number="C-1", at="2026-01-10T08:00:00Z", **more):
    return {"caseNo": number, "authority": "Regulator", "updatedAt": at, **more}


def good(number="C-1", **more):
    return Reply({"code": "0", **case(number, **more)})


def page(*items, code="0", **more):
    return Reply({"code": code, "data": {"items": list(items), **more}})


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def api(server, opened, write_source):
    """Open the source over the server, with some of its text replaced; every record stands in `/cases/<no>`."""

    def make(*, text=SOURCE, answer=None, read="fetch", base=None, secrets=(), **replaced):
        for old, new in replaced.pop("put", {}).items():
            assert old in text, old
            text = text.replace(old, new)
        if answer is not None:
            server.answer = answer
        body = write_source(text.replace("BASE", base or server.base), kind="rest", record_type="admin_case")
        return opened(body, **dict(secrets), **replaced)

    return make


def fetched(source, deadline, key=C1):
    return source.connector.fetch(key, deadline)


def test_a_record_is_fetched_with_the_bytes_of_the_answer_and_mapped(api, server, deadline):
    source = api(answer=lambda asked: good(fine=12.50, extra={"a": [1]}))

    found = fetched(source, deadline)
    outcome = source.apply(found)

    assert server.asked[0].path == "/cases/C-1"
    assert found.raw == good(fine=12.50, extra={"a": [1]}).bytes().partition(b"\r\n\r\n")[2]
    assert (found.key, found.media_type) == ("C-1", "application/json")
    assert outcome.fields["fine"] == "12.5"
    assert outcome.fields["extensions"] == {"code": "0", "extra": {"a": [1]}}


# Lessons of real APIs (connectors.md, section 6)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply({"code": "107"}), Failed(FailReason.BAD_ANSWER)),
        (Reply({"code": "NO_DATA"}), Absent()),
        (Reply({"error": "x"}), Failed(FailReason.BAD_ANSWER)),
        (Reply({"code": "0"}, 404), Failed(FailReason.BAD_ANSWER)),
        (Reply({"code": "0"}, 410), Failed(FailReason.BAD_ANSWER)),
        (Reply({}, 401), Failed(FailReason.MISCONFIGURED)),
        (Reply({}, 403), Failed(FailReason.MISCONFIGURED)),
        (Reply({}, 500), Failed(FailReason.UNREACHABLE)),
        (Reply({}, 503, {"Retry-After": "9"}), Failed(FailReason.UNREACHABLE)),
    ],
)
def test_a_status_alone_is_neither_success_nor_absence(api, deadline, reply, expected):
    source = api(answer=lambda asked: reply)

    assert fetched(source, deadline) == expected


def test_a_404_is_absent_only_if_the_file_says_so(api, deadline):
    source = api(answer=lambda asked: Reply(b"", 404), put={"absent: \"code == 'NO_DATA'\"": "absent: {status: [404]}"})

    assert fetched(source, deadline) == Absent()


def test_a_404_of_the_wrong_service_is_not_absent_where_its_body_must_say_so(api, deadline):
    verdict = "absent: {status: [404], body: \"code == 'NO_DATA'\"}"
    source = api(put={"absent: \"code == 'NO_DATA'\"": verdict})
    answers = iter([Reply({"code": "NO_DATA"}, 404), Reply({"path": "/casez"}, 404)])
    source.connector  # noqa: B018  (opened)

    api(answer=lambda asked: next(answers))

    assert [fetched(source, deadline), fetched(source, deadline)] == [Absent(), Failed(FailReason.BAD_ANSWER)]


def test_success_and_absent_are_mandatory(api):
    with pytest.raises(SourceFileError, match="is missing: success"):
        api(put={"  success: \"code == '0'\"\n": ""})
    with pytest.raises(SourceFileError, match="is missing: absent"):
        api(put={"  absent: \"code == 'NO_DATA'\"\n": ""})


@pytest.mark.parametrize(
    ("unit", "header", "wait"),
    [
        ("auto", "7", timedelta(seconds=7)),
        ("seconds", "7", timedelta(seconds=7)),
        ("milliseconds", "60000", timedelta(seconds=60)),
        ("auto", None, timedelta(seconds=30)),
        ("auto", "soon", timedelta(seconds=30)),
        ("auto", "DATE", timedelta(seconds=90)),
    ],
)
def test_a_throttle_is_told_with_its_wait_and_not_slept_past_the_deadline(api, deadline, clock, unit, header, wait):
    if header == "DATE":
        header = format_datetime(clock() + timedelta(seconds=90), usegmt=True)
    headers = {"Retry-After": header} if header else {}
    source = api(answer=lambda asked: Reply({}, 429, headers), put={"retry_after: auto": f"retry_after: {unit}"})

    assert fetched(source, Deadline.within(5)) == Failed(FailReason.THROTTLED, wait)
    again = fetched(source, Deadline.within(5))
    assert (again.reason, again.retry_after <= wait) == (FailReason.THROTTLED, True)


def test_while_a_source_is_to_be_left_alone_it_is_not_asked(api, server):
    source = api(answer=lambda asked: Reply({}, 429, {"Retry-After": "60"}))

    for _ in range(3):
        fetched(source, Deadline.within(1))

    assert len(server.asked) == 1


def test_a_short_wait_is_waited_for(api, server, deadline):
    answers = iter([Reply({}, 429, {"Retry-After": "20"}), good()])
    source = api(answer=lambda asked: next(answers), put={"auto": "milliseconds", "tries: 1": "tries: 2"})

    assert isinstance(fetched(source, deadline), Found)


def test_a_403_with_the_header_of_a_throttle_is_one(api, server, ipdata, deadline):
    text = (ipdata / "epo_ops" / "cassette_rate_limit_exceeded.yml").read_text("utf-8")
    reason = re.search(r"X-Rejection-Reason:\n\s*- (\w+)", text)[1]
    source = api(answer=lambda asked: Reply("<error/>", 403, {"X-Rejection-Reason": reason}))

    assert fetched(source, Deadline.within(1)).reason is FailReason.THROTTLED


def test_the_worst_traffic_light_rules(api, deadline):
    lights = {"X-Throttling-Control": "busy (images=green:100, inpadoc=red:45, search=yellow:10)"}
    source = api(
        answer=lambda asked: Reply(case() | {"code": "0"}, 200, lights),
        put={"throttle: {": "throttle: {lights: X-Throttling-Control, "},
    )

    fetched(source, deadline)

    assert source.connector.health().state == "degraded"
    assert "red" in source.connector.health().note


def test_a_quota_in_the_body_is_shown_and_its_end_can_be_a_throttle(api, deadline):
    source = api(
        answer=lambda asked: good(data={"quota": {"remaining": "3"}}),
        put={"on: [429,": "on: [429, {body: \"code == '203'\"},"},
    )

    fetched(source, deadline)
    api(answer=lambda asked: Reply({"code": "203"}))

    assert source.connector.health().quota_left == 3
    assert fetched(source, deadline).reason is FailReason.THROTTLED


OAUTH = {
    "  fetch:": '  auth: {oauth2: client_credentials, token: "BASE/token", client: "${secret:ID}", '
    'secret: "${secret:KEY}", scope: cases.read}\n  fetch:'
}


class TokenServer:
    """Gives tokens t1, t2 …; a call is good only with the token that lives."""

    def __init__(self, expires_in="1199", answer=None):
        self.count = 0
        self.live = None
        self.expires_in = expires_in
        self.answer = answer or (lambda asked: good())

    def __call__(self, asked):
        if asked.path == "/token":
            self.count += 1
            self.live = f"token-{self.count}"
            return Reply({"access_token": self.live, "expires_in": self.expires_in, "token_type": "Bearer"})
        if asked.headers.get("authorization") != f"Bearer {self.live}":
            return Reply({}, 401)
        return self.answer(asked)


def test_one_token_serves_many_calls_though_its_lifetime_is_a_text(api, server, deadline):
    tokens = TokenServer(expires_in="1199")
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    outcomes = [fetched(source, deadline) for _ in range(3)]

    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert tokens.count == 1
    assert server.asked[0].body == b"grant_type=client_credentials&scope=cases.read"


def test_a_token_near_its_end_is_renewed_before_it_dies(api, deadline):
    tokens = TokenServer(expires_in=0)
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    fetched(source, deadline)
    fetched(source, deadline)

    assert tokens.count == 2


def test_a_token_that_dies_between_pages_is_renewed_once_and_the_page_repeated(api, server, deadline):
    tokens = TokenServer()

    def pages(asked):
        cursor = asked.query.get("cursor")
        if cursor is None:
            tokens.live = "another"  # from now on the token is dead
            return page(case("C-1"), next="p2")
        return page(case("C-2"))

    tokens.answer = pages
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    outcome = source.connector.search(Exists("authority"), None, deadline)

    assert [found.key for found in outcome.found] == ["C-1", "C-2"]
    assert [asked.query.get("cursor") for asked in server.asked if asked.path == "/cases"] == [None, "p2", "p2"]


def test_a_token_refused_twice_is_a_fault_of_the_registration(api, server, deadline):
    tokens = TokenServer(answer=lambda asked: Reply({}, 401))
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)
    assert tokens.count == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply({"error": "invalid_client"}, 401), FailReason.MISCONFIGURED),
        (Reply({}, 500), FailReason.UNREACHABLE),
        (Reply({}, 429), FailReason.THROTTLED),
        (Reply({"token": "x"}), FailReason.BAD_ANSWER),
        (Reply({"access_token": "a b"}), FailReason.BAD_ANSWER),
        (Reply({"access_token": "a", "token_type": "mac"}), FailReason.BAD_ANSWER),
        (Reply("<html/>"), FailReason.BAD_ANSWER),
    ],
)
def test_a_token_endpoint_that_fails_says_why(api, deadline, reply, reason):
    source = api(answer=lambda asked: reply, put=OAUTH, ID="the-id", KEY=SECRET)

    assert fetched(source, deadline).reason is reason


def test_two_credentials_may_go_with_one_call(api, server, deadline):
    put = {"  fetch:": '  headers: {X-IBM-Client-Id: "${secret:ID}"}\n' + OAUTH["  fetch:"]}
    source = api(answer=TokenServer(), put=put, ID="the-id", KEY=SECRET)

    fetched(source, deadline)

    assert server.asked[-1].headers["x-ibm-client-id"] == "the-id"
    assert server.asked[-1].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ('{basic: {user: reader, password: "${secret:KEY}"}}', "authorization", "Basic cmVhZGVyOnMzY3IzdCtrZXkvPQ=="),
        ('{key: "${secret:KEY}", header: X-Api-Key}', "x-api-key", SECRET),
        ('{key: "${secret:KEY}", header: Authorization, prefix: "Token "}', "authorization", f"Token {SECRET}"),
    ],
)
def test_a_password_or_key_goes_where_the_file_says(api, server, deadline, auth, header, value):
    source = api(answer=lambda asked: good(), put={"  fetch:": f"  auth: {auth}\n  fetch:"}, KEY=SECRET)

    fetched(source, deadline)

    assert server.asked[0].headers[header] == value


def test_a_key_in_the_query_reaches_no_log_no_record_and_no_error(api, server, deadline, caplog):
    caplog.set_level(logging.DEBUG)
    answers = iter([good(), Reply({"code": "9", "said": SECRET}), Reply(wire=b"")])
    source = api(
        answer=lambda asked: next(answers),
        put={"  fetch:": '  auth: {key: "${secret:KEY}", query: serviceKey}\n  fetch:'},
        KEY=SECRET,
    )

    outcomes = [fetched(source, deadline) for _ in range(3)]

    assert server.asked[0].query == {"serviceKey": SECRET}
    told = caplog.text + repr(outcomes) + repr(source.connector.health())
    assert SECRET not in told
    assert "s3cr3t" not in told
    warned = [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING]
    assert len(warned) == 2
    assert warned[1].endswith(": fetch: unreachable: RemoteProtocolError")
    assert "Server disconnected" in caplog.text


def test_a_key_with_a_line_feed_behind_it_is_refused_and_not_logged(api, server, deadline, caplog):
    put = {"  fetch:": '  auth: {key: "${secret:KEY}", header: X-Api-Key}\n  fetch:'}
    source = api(answer=lambda asked: good(), put=put, KEY=f"{SECRET}\n")

    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)
    assert (server.asked, SECRET in caplog.text, "s3cr3t" in caplog.text) == ([], False, False)


def test_a_key_is_percent_encoded(api, server, deadline):
    source = api(answer=lambda asked: Reply({"code": "NO_DATA"}))

    fetched(source, deadline, RecordKey("2026 沪 1号?x=#&%"))

    assert "?" not in server.asked[0].raw_target
    assert server.asked[0].path == "/cases/2026 沪 1号?x=#&%"


@pytest.mark.parametrize("key", ["../admin", "a/b", "a\\b", "..", ".", "a..b", "a\x00b", "a\r\nHost: x", ""])
def test_a_key_that_could_lead_elsewhere_is_refused(api, server, deadline, key):
    source = api(answer=lambda asked: good())

    assert fetched(source, deadline, RecordKey(key)) == Failed(FailReason.UNSUPPORTED)
    assert server.asked == []


def test_an_empty_page_with_a_cursor_is_not_the_end(api, deadline):
    answers = iter([page(case("C-1"), next="a"), page(next="b"), page(case("C-2"))])
    source = api(answer=lambda asked: next(answers))

    assert [found.key for found in source.connector.search(Exists("x"), None, deadline).found] == ["C-1", "C-2"]


def test_a_cursor_that_comes_again_fails(api, deadline):
    cursors = iter(["a", "b", "a", "b", "a"])
    source = api(answer=lambda asked: page(case(), next=next(cursors)))

    assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.BAD_ANSWER)


def test_a_full_page_may_be_the_cap(api, deadline):
    source = api(answer=lambda asked: page(case("C-1"), case("C-2"), total=101))

    assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.TOO_MANY_ROWS)


def test_more_rows_than_allowed_are_not_cut(api, deadline):
    numbers = iter(range(1000))
    source = api(answer=lambda asked: page(*(case(f"C-{next(numbers)}") for _ in range(20)), next=f"c{next(numbers)}"))

    assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.TOO_MANY_ROWS)


def test_rows_that_moved_while_paging_come_once_and_the_newest_stays(api, deadline):
    answers = iter(
        [
            page(case("C-1"), case("C-2"), next="a"),
            page(case("C-2"), case("C-1", at="2026-01-11T08:00:00Z")),
        ]
    )
    source = api(answer=lambda asked: next(answers))

    found = source.connector.search(Exists("x"), None, deadline).found

    assert [(item.key, item.revised.day) for item in found] == [("C-1", 11), ("C-2", 10)]


def test_two_records_for_one_key_are_not_chosen_from(api, deadline):
    source = api(answer=lambda asked: page(case("C-1", fine=1), case("C-1", fine=2)))

    (found,) = source.connector.search(Exists("x"), None, deadline).found

    assert [why.reason for why in source.apply(found).reasons] == [Reason.DUPLICATE_IN_BATCH]


TOTAL = {
    "paging: {cursor: data.next, param: cursor, size: {limit: 2}, end: no-cursor}": "paging: {STYLE, total: data.total}"
}
ROWS = [case(f"C-{n}") for n in range(5)]


def styled(style):
    old = next(iter(TOTAL))
    return {old: f"paging: {{{style}}}", 'truncated: "data.total > `100`"\n': "\n"}


@pytest.mark.parametrize(
    ("style", "window"),
    [
        ("page: p, size: {per: 2}, total: data.total, end: total", lambda a: (int(a.query["p"]) - 1) * 2),
        ("page: p, first: 0, size: {per: 2}, end: short", lambda a: int(a.query["p"]) * 2),
        ("page: p, size: {per: 2}, end: empty", lambda a: (int(a.query["p"]) - 1) * 2),
        ("offset: o, size: {per: 2}, total: data.total, end: total", lambda a: int(a.query["o"])),
        ("range: Range, step: 2, total: data.total, end: total", lambda a: int(a.query["Range"].split("-")[0]) - 1),
        (
            "range: X-OPS-Range, in: header, step: 2, total: data.total, end: total",
            lambda a: int(a.headers["x-ops-range"].split("-")[0]) - 1,
        ),
    ],
)
def test_pages_by_number_offset_and_range_come_whole(api, server, deadline, style, window):
    def answer(asked):
        start = window(asked)
        return page(*ROWS[start : start + 2], total=5)

    source = api(answer=answer, put=styled(style))

    outcome = source.connector.search(Exists("x"), None, deadline)

    assert [found.key for found in outcome.found] == [f"C-{n}" for n in range(5)]
    assert all(asked.query.get("per", "2") == "2" for asked in server.asked)


@pytest.mark.parametrize("place", ["header", "body"])
def test_pages_by_link_come_whole(api, server, deadline, place):
    def answer(asked):
        start = int(asked.query.get("from", 0))
        following = f"/cases?from={start + 2}" if start < 4 else None
        reply = page(*ROWS[start : start + 2], **({"more": following} if place == "body" else {}))
        if following and place == "header":
            reply.headers["Link"] = f'<{server.base}/x>; rel="prev", <{following}>; rel="next"'
        return reply

    style = "link: next" + (", from: data.more" if place == "body" else "")
    source = api(answer=answer, put=styled(style))

    assert [found.key for found in source.connector.search(Exists("x"), None, deadline).found] == [
        f"C-{n}" for n in range(5)
    ]


def test_pages_by_a_continuation_header_come_whole(api, server, deadline):
    def answer(asked):
        start = int(asked.headers.get("x-token", "at 0").split()[1])
        reply = page(*ROWS[start : start + 2])
        if start < 4:
            reply.headers["X-Next"] = f"at {start + 2}"
        return reply

    source = api(answer=answer, put=styled("continuation: X-Next, send: X-Token"))

    assert len(source.connector.search(Exists("x"), None, deadline).found) == 5


def test_a_link_to_another_host_is_not_followed(api, server, deadline):
    with serving() as other:
        reply = page(case())
        reply.headers["Link"] = f'<{other.base}/cases>; rel="next"'
        source = api(answer=lambda asked: reply, put=styled("link: next"))

        assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.BAD_ANSWER)
        assert other.asked == []


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ([(2, 5), (2, 4)], FailReason.NOT_READY),  # a row was deleted while paging
        ([(2, 5), (0, 5)], FailReason.BAD_ANSWER),
        ([(2, None)], FailReason.BAD_ANSWER),
    ],
)
def test_pages_that_do_not_add_up_are_not_passed_off_as_whole(api, deadline, pages, reason):
    told = iter(pages)

    def answer(asked):
        count, total = next(told)
        return page(*ROWS[:count], total=total)

    source = api(answer=answer, put=styled("offset: o, size: {per: 2}, total: data.total, end: total"))

    assert source.connector.search(Exists("x"), None, deadline).reason is reason


def test_cursor_pages_that_end_before_the_total_fail(api, deadline):
    old = "size: {limit: 2}, end: no-cursor"
    source = api(answer=lambda asked: page(case(), total=2), put={old: "size: {limit: 2}, total: data.total"})

    assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.BAD_ANSWER)


def test_one_failed_page_fails_the_whole_search(api, deadline):
    answers = iter([page(case(), next="a"), Reply({"code": "9"})])
    source = api(answer=lambda asked: next(answers))

    assert source.connector.search(Exists("x"), None, deadline) == Failed(FailReason.BAD_ANSWER)


def test_a_search_narrows_by_what_the_file_names_and_leaves_all_to_be_checked(api, server, deadline):
    wanted = AllOf((Compare(Op.CONTAINS, "right_keys", "EM|trademark|1"), Exists("fine")))
    source = api(answer=lambda asked: page())

    outcome = source.connector.search(wanted, None, deadline)

    assert server.asked[0].query == {"right": "EM|trademark|1", "limit": "2"}
    assert (outcome.left_to_filter, outcome.complete) == (wanted, True)
    assert source.connector.capabilities().pushdown.keys() == {"right_keys", "authority"}


def test_changes_follow_the_newest_revision_with_overlap_and_tell_deletions(api, server, deadline):
    reply = page(case("C-1"), case("C-2", at="2026-02-01T00:00:00Z"), removed=[{"caseNo": " C-9 "}, {"caseNo": "C-1"}])
    source = api(answer=lambda asked: reply)

    first = source.connector.changes(None, deadline)
    second = source.connector.changes(first.next, deadline)

    assert ([found.key for found in first.found], first.deleted, first.complete) == (["C-1", "C-2"], ("C-9",), True)
    assert [asked.query.get("updatedFrom") for asked in server.asked] == [None, "2026-01-31T23:55:00Z"]
    assert second.next == first.next


def test_a_long_first_reading_goes_on_at_the_next_page(api, server, deadline, monkeypatch):
    monkeypatch.setattr("connectors.kinds.rest.BATCH_ITEMS", 2)

    def answer(asked):
        start = int(asked.query.get("cursor", 0))
        return page(*ROWS[start : start + 2], **({"next": str(start + 2)} if start < 4 else {}))

    source = api(answer=answer)
    batches, mark = [], None
    for _ in range(3):
        changes = source.connector.changes(mark, deadline)
        batches, mark = [*batches, ([item.key for item in changes.found], changes.complete)], changes.next

    assert batches == [(["C-0", "C-1"], False), (["C-2", "C-3"], False), (["C-4"], True)]
    assert source.connector.changes("x", deadline) == Failed(FailReason.MISCONFIGURED)


# Faults (connectors.md, section 7)


def test_a_login_page_with_status_200_is_no_answer(api, deadline):
    source = api(answer=lambda asked: Reply(b"<html>sign in</html>", 200, {"Content-Type": "text/html; charset=utf-8"}))

    assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)


def test_a_redirect_is_not_followed(api, deadline):
    with serving() as other:
        other.answer = lambda asked: good()
        source = api(answer=lambda asked: Reply(b"", 302, {"Location": f"{other.base}/cases/C-1"}))

        assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)
        assert other.asked == []


@pytest.mark.parametrize("what", ["body", "headers"])
def test_a_slow_drip_ends_by_the_deadline(api, what):
    raw = good().bytes()
    reply = Reply(wire=raw, drip_seconds=0.05)
    if what == "headers":
        reply = Reply(wire=b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 1\r\n" * 500, drip_seconds=0.05)
    source = api(answer=lambda asked: reply)
    began = time.monotonic()

    assert fetched(source, Deadline.within(0.3)) == Failed(FailReason.TIMEOUT)
    assert time.monotonic() - began < 6


WHOLE = good().bytes()


@pytest.mark.parametrize(
    "wire",
    [b"", WHOLE[:30], WHOLE[: WHOLE.index(b"\r\n\r\n") + 4], WHOLE[:-5], b"\x15\x03\x01 not http at all\r\n\r\n"],
    ids=["before headers", "in headers", "after Content-Length", "mid-body", "not HTTP"],
)
def test_a_connection_that_breaks_off_fails(api, deadline, wire):
    source = api(answer=lambda asked: Reply(wire=wire))

    assert fetched(source, deadline) == Failed(FailReason.UNREACHABLE)


def test_a_body_cut_off_without_a_length_is_not_taken(api, deadline):
    cut = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"code": "0", "caseNo": "C'
    source = api(answer=lambda asked: Reply(wire=cut))

    assert fetched(source, deadline) == Failed(FailReason.RECORD_UNREADABLE)


def packed(body, **headers):
    return Reply(gzip.compress(body), 200, {"Content-Encoding": "gzip", **headers})


def test_a_packed_answer_is_read_and_a_bomb_is_not(api, deadline):
    plain = b'{"code": "0", "caseNo": "C-1", "updatedAt": "2026-01-10T08:00:00Z"}'
    cut = Reply(gzip.compress(plain)[:-9], 200, {"Content-Encoding": "gzip"})
    answers = iter(
        [packed(plain), packed(b" " * 50_000_000), cut, Reply(b"no gzip", 200, {"Content-Encoding": "gzip"})]
    )
    source = api(answer=lambda asked: next(answers))

    outcomes = [fetched(source, deadline) for _ in range(4)]

    assert outcomes[0].key == "C-1"
    assert [outcome.reason for outcome in outcomes[1:]] == [
        FailReason.BAD_ANSWER,
        FailReason.UNREACHABLE,
        FailReason.BAD_ANSWER,
    ]


def test_a_body_beyond_the_limit_is_not_read_to_its_end(api, deadline):
    source = api(answer=lambda asked: Reply(b" " * 20_001))

    assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "0", "caseNo": "D\xfcsseldorf"}',
        b'{"code": "0", "caseNo": "C-1", "caseNo": "C-2"}',
        b"",
        b'{"code": NaN}',
    ],
    ids=["wrong charset", "duplicate key", "empty", "NaN"],
)
def test_a_body_that_has_not_one_meaning_is_unreadable(api, deadline, body):
    source = api(answer=lambda asked: Reply(body))

    assert fetched(source, deadline) == Failed(FailReason.RECORD_UNREADABLE)


def test_another_record_than_the_one_asked_for_is_quarantined(api, deadline):
    source = api(answer=lambda asked: good("C-2"))

    outcome = source.apply(fetched(source, deadline))

    assert [why.reason for why in outcome.reasons] == [Reason.KEY_MISMATCH]


def test_a_fetch_by_search_takes_the_record_with_that_very_key(api, deadline):
    put = {'fetch: {get: "/cases/{key}"}': 'fetch: {get: /find, query: {no: "{key}"}, items: data.items}'}
    answers = iter(
        [page(case("C-10"), case("C-1")), page(case("C-1"), case("C-1", fine=2)), page(), page(code="NO_DATA")]
    )
    source = api(answer=lambda asked: next(answers), put=put)

    first, second, third, fourth = (fetched(source, deadline) for _ in range(4))

    assert isinstance(source.apply(first), Mapped)
    assert [why.reason for why in source.apply(second).reasons] == [Reason.DUPLICATE_IN_BATCH]
    assert (third, fourth) == (Failed(FailReason.BAD_ANSWER), Absent())


def test_an_older_revision_after_a_newer_one_is_quarantined(api, deadline):
    answers = iter([good(at="2026-01-11T00:00:00Z"), good(at="2026-01-10T00:00:00Z")])
    source = api(answer=lambda asked: next(answers))

    first, second = (source.apply(fetched(source, deadline)) for _ in range(2))

    assert isinstance(first, Mapped)
    assert [why.reason for why in second.reasons] == [Reason.OLDER_REVISION]


def test_a_clock_ten_minutes_ahead_makes_a_future_revision(api, deadline, clock):
    at = (clock() + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    source = api(answer=lambda asked: good(at=at))

    outcome = source.apply(fetched(source, deadline))

    assert isinstance(outcome, Quarantined)
    assert [why.reason for why in outcome.reasons] == [Reason.FUTURE_DATE]


def test_a_server_fault_is_tried_again_as_often_as_allowed(api, server, deadline, monkeypatch):
    monkeypatch.setattr("connectors.kinds.rest_sender.BACK_OFF_SECONDS", 0.01)
    answers = iter([Reply(wire=b""), Reply({}, 503), good()])
    source = api(answer=lambda asked: next(answers), put={"tries: 1": "tries: 3"})

    assert isinstance(fetched(source, deadline), Found)
    assert len(server.asked) == 3


def test_a_dead_server_is_left_alone_after_five_calls(api, server, deadline):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    source = api(base=dead)

    reasons = [fetched(source, deadline).reason for _ in range(6)]

    assert reasons == [FailReason.UNREACHABLE] * 5 + [FailReason.BREAKER_OPEN]


# Limits of the source: rate and order


def test_calls_keep_to_the_rate_and_a_wait_past_the_deadline_is_told(api, server):
    put = {"throttle: {": "throttle: {rate: {requests: 1, per: PT1H, burst: 1}, "}
    source = api(answer=lambda asked: good(), put=put)

    first, second = fetched(source, Deadline.within(2)), fetched(source, Deadline.within(2))

    assert isinstance(first, Found)
    assert second.reason is FailReason.THROTTLED
    assert timedelta(minutes=59) < second.retry_after <= timedelta(hours=1)
    assert len(server.asked) == 1


def test_with_a_burst_of_one_calls_are_strictly_one_after_another(api, deadline):
    running, most = [], []

    def answer(asked):
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return good()

    source = api(answer=answer, put={"throttle: {": "throttle: {rate: {requests: 1000, per: PT1S, burst: 1}, "})
    threads = [threading.Thread(target=fetched, args=(source, deadline)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(most), max(most)) == (4, 1)


# Where a call may go


@pytest.mark.parametrize(
    ("address", "public_only", "private_too"),
    [
        ("127.0.0.1", True, False),
        ("10.1.2.3", True, False),
        ("192.168.1.1", True, False),
        ("100.64.0.1", True, False),
        ("169.254.169.254", True, True),
        ("0.0.0.0", True, True),
        ("224.0.0.1", True, True),
        ("::1", True, False),
        ("fd00::1", True, False),
        ("fe80::1", True, True),
        ("::ffff:10.0.0.1", True, False),
        ("::ffff:169.254.169.254", True, True),
        ("64:ff9b::a00:1", True, False),
        ("2002:a00:1::", True, False),
        ("8.8.8.8", False, False),
        ("2606:4700::1111", False, False),
    ],
)
def test_private_and_reserved_addresses_are_called_only_where_the_file_says_so(address, public_only, private_too):
    parsed = http_wire.ipaddress.ip_address(address)

    assert http_wire.is_forbidden(parsed, private=False) is public_only
    assert http_wire.is_forbidden(parsed, private=True) is private_too


def test_a_name_that_leads_inside_is_not_called(api, server, deadline, monkeypatch):
    monkeypatch.setattr(http_wire, "_look_up", lambda *_: ["93.184.216.34", "127.0.0.1"])

    with pytest.raises(ForbiddenAddressError):
        Wire(private=False).connect_tcp("cases.example", 443)
    source = api(base="https://cases.example", put={"  private: true\n": ""})
    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)


def test_the_address_that_was_judged_is_the_one_that_is_called(server, monkeypatch):
    asked = []

    def look_up(host, port):
        asked.append(host)
        return ["127.0.0.1" if len(asked) == 1 else "10.0.0.1"]

    monkeypatch.setattr(http_wire, "_look_up", look_up)

    stream = Wire(private=True).connect_tcp("rebinding.example", server.server_address[1])

    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    assert asked == ["rebinding.example"]
    stream.close()


def test_a_name_that_is_resolved_too_slowly_ends_by_the_deadline(api, monkeypatch):
    come_back = threading.Event()
    monkeypatch.setattr(http_wire, "_look_up", lambda *_: come_back.wait(60))
    source = api(base="https://slow.example")

    began = time.monotonic()

    answer = fetched(source, Deadline.within(0.1))
    come_back.set()

    assert answer.reason is FailReason.TIMEOUT
    assert time.monotonic() - began < 15


def test_plain_http_is_refused_outside_private_networks(api):
    with pytest.raises(SourceFileError, match="http is taken only where"):
        api(put={"  private: true\n": ""})


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("/cases/{key}", "/cases", "/reach/fetch"),
        ("/cases/{key}", "/cases/{keys}", "/reach/fetch"),
        ("{right_keys}", "{no_field}", "/reach/search"),
        ('"{since}"', '"{until}"', "/reach/changes"),
        ("items: data.items", 'items: "data["', "/reach/items"),
        ("code == '0'", "code ==", "/reach/success"),
        ("size: {limit: 2}, end: no-cursor", "end: x", "/reach/paging/end"),
        ("cursor: data.next, param: cursor", "page: p", "/reach/paging/end"),
        ("format: json", "format: csv", "/read/format"),
        ("  fetch:", "  auth: {key: plain-text-secret, query: k}\n  fetch:", "/reach/auth/key"),
        ("tries: 1", "tries: 1, redirects: 3", "/reach/limits/redirects"),
    ],
)
def test_a_source_file_that_cannot_work_is_refused_with_the_place(api, old, new, pointer):
    with pytest.raises(SourceFileError) as refused:
        api(put={old: new})

    assert pointer in [fault.pointer for fault in refused.value.faults]
    assert "plain-text-secret" not in str(refused.value)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_source_shows_its_own_certificate_where_the_peer_asks_for_one(api, authority, deadline):
    certificate, key = authority.issue("gateway-client")
    with serving(authority.server("asking", asks_client=True)) as server:
        server.answer = lambda asked: good()
        tls = f'  tls: {{certificate: "{certificate}", key: "{key}", authority: "{authority.file}"}}\n  fetch:'
        bare = f'  tls: {{authority: "{authority.file}"}}\n  fetch:'

        shown = fetched(api(base=server.base, put={"  fetch:": tls}), deadline)
        not_shown = fetched(api(base=server.base, put={"  fetch:": bare}), deadline)

        assert isinstance(shown, Found)
        assert server.peers[0]["subject"][0][0][1] == "gateway-client"
        assert not_shown == Failed(FailReason.UNREACHABLE)


@pytest.mark.parametrize("trusted", [True, False])
def test_an_expired_or_unknown_certificate_is_not_taken(api, authority, deadline, trusted):
    lifetime = timedelta(days=-1) if trusted else timedelta(days=1)
    with serving(authority.server(f"bad-{trusted}", lifetime=lifetime)) as server:
        server.answer = lambda asked: good()
        put = {"  fetch:": f'  tls: {{authority: "{authority.file}"}}\n  fetch:'} if trusted else {}

        assert fetched(api(base=server.base, put=put), deadline) == Failed(FailReason.UNREACHABLE)
        assert server.asked == []


# XML


XML = """
reach:
  base: "BASE"
  private: true
  fetch: {get: "/tm/{key}"}
  search: {get: /tm, query: {owner: "{owner}"}}
  items: "//r:item"
  paging: {page: pageNo, size: {rows: 2}, total: "//r:totalCount", end: total}
  success: "//r:successYN='Y'"
  absent: "//r:successYN='Y' and //r:totalCount='0'"
  limits: {tries: 1}
read: {format: xml, namespaces: {r: "urn:reg"}, records: "//r:item"}
key: application_number
map:
  application_number: {path: "r:no", use: [trim], required: true}
  owner: {path: "r:owner"}
"""


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


def test_the_engine_below_knows_no_proxy_of_the_environment(api, server, deadline, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    source = api(answer=lambda asked: good())

    assert isinstance(fetched(source, deadline), Found)
    assert isinstance(source.connector._inner._caller._pool, httpcore.ConnectionPool)
