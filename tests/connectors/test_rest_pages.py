"""A search and its changes come whole or fail, however the API cuts them into pages."""

import pytest

from connectors.protocol import Failed, FailReason
from connectors.quarantine import Reason
from connectors.row_filter import AllOf, Compare, Exists, Op
from tests.connectors.rest_source import case, page
from tests.connectors.stub_server import Reply, serving


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
