"""A REST source is believed only on its word: what its file calls success, absence and a revision."""

from datetime import timedelta

import pytest

from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason
from connectors.quarantine import Quarantined, Reason
from tests.connectors.rest_source import case, fetched, good, page
from tests.connectors.stub_server import Reply


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
