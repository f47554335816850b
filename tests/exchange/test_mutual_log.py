"""Each agency reads its own side of its exchanges; a client that keeps its receipts notices what a gateway changes."""

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import text

from ipx import jws
from ipx.errors import FormatError
from ipx.journal import RECEIPTS, Journal, JournalError, kept_of_answer
from ipx.mutual import compare
from ipx.problems import InvalidRequestError
from tests.exchange.world import COURT, CUSTOMS, OFFICE, REGULATOR

CASE = "IPC 118/2026"
DETENTION = {"agency": "customs-xa", "record_type": "detention", "number": "D2026-0007", "purpose": "court_proceeding"}


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "receipts")


@pytest.fixture
def kept(gateway, journal):
    """Asks as customs and keeps the receipt, as `ipx request --store` does."""

    def ask(**changes):
        answer = gateway.ask(**changes)
        journal.add([kept_of_answer(answer.evidence.raw, CUSTOMS, gateway.services.clock())])
        return answer

    return ask


@pytest.fixture
def check(gateway, journal):
    def check(client_id=CUSTOMS, **options):
        return compare(gateway.client(client_id), journal, gateway.trust, now=gateway.services.clock, **options)

    return check


def kinds(found):
    return [difference.kind for difference in found.differences]


def change(gateway, statement, **values):
    with gateway.services.database.write() as session:
        session.execute(text(statement), values)


def test_both_sides_see_the_same_line_in_the_order_of_the_log_and_others_nothing(gateway):
    answers = [gateway.ask(), gateway.ask(COURT, **DETENTION), gateway.ask()]

    mine = list(gateway.client(CUSTOMS).exchanges("requester"))
    theirs = list(gateway.client(OFFICE).exchanges("holder"))

    assert [line.exchange for line in mine] == [answers[0].evidence.exchange, answers[2].evidence.exchange]
    assert mine == theirs
    assert [line.place.index for line in mine] == sorted(line.place.index for line in mine)
    assert [line.outcome for line in gateway.client(CUSTOMS).exchanges("holder")] == ["denied"]
    assert list(gateway.client(REGULATOR).exchanges("requester")) == []
    assert list(gateway.client(REGULATOR).exchanges("holder")) == []


def test_a_list_comes_in_pages_and_says_when_it_is_complete(gateway):
    exchanges = [gateway.ask().evidence.exchange for _ in range(5)]
    client = gateway.client()
    pages, query = [], "?role=requester&limit=2"
    while query:
        reply = client._get(query)
        page = reply.json()
        pages.append([item["id"] for item in page["items"]])
        assert page["complete"] is (page["next"] is None) is ("Link" not in reply.headers)
        query = page["next"] and reply.headers["Link"].partition("<")[2].partition(">")[0].partition("/exchanges")[2]

    assert pages == [exchanges[:2], exchanges[2:4], exchanges[4:]]


MALFORMED = (
    *("", "?role=owner", "?role=requester&role=holder", "?role=requester&page=2"),
    *(f"?role=requester&limit={limit}" for limit in ("0", "201", "two", "-1")),
    *(f"?role=requester&cursor={cursor}" for cursor in ("", "AAAA", "!", "MTIz")),
)


def test_a_malformed_query_is_refused_and_names_the_parameter(gateway):
    for query in MALFORMED:
        with pytest.raises(InvalidRequestError) as refused:
            gateway.client()._get(query)

        assert refused.value.problem.errors, query


def test_a_cursor_serves_for_its_own_list_only(gateway):
    for _ in range(2):
        gateway.ask()
    cursor = gateway.client()._get("?role=requester&limit=1").json()["next"]

    assert len(gateway.client()._get(f"?role=requester&cursor={cursor}").json()["items"]) == 1
    for query in (f"?role=holder&cursor={cursor}", f"?role=requester&case_ref=x&cursor={cursor}"):
        with pytest.raises(InvalidRequestError):
            gateway.client()._get(query)
    with pytest.raises(InvalidRequestError):
        gateway.client(OFFICE)._get(f"?role=requester&cursor={cursor}")


def test_a_case_is_found_by_both_sides_and_stands_nowhere_in_clear(gateway):
    cited = gateway.ask(COURT, **DETENTION, case_ref=CASE).evidence.exchange
    gateway.ask(COURT, **DETENTION)

    assert [line.exchange for line in gateway.client(COURT).exchanges("requester", case_ref=CASE)] == [cited]
    assert [line.exchange for line in gateway.client(CUSTOMS).exchanges("holder", case_ref=CASE)] == [cited]
    assert list(gateway.client(COURT).exchanges("requester", case_ref="IPC 119/2026")) == []
    with gateway.services.database.read() as session:
        rows = session.execute(text("SELECT * FROM exchange")).all()
    assert CASE not in repr(rows)


def test_a_journal_that_agrees_is_proved_line_by_line_and_the_other_side_is_taken_over(gateway, kept, check, journal):
    for _ in range(3):
        kept()
    gateway.ask(COURT, **DETENTION)

    first, second = check(), check()

    assert (first.differences, second.differences) == ([], [])
    assert (first.kept, first.listed, first.proved, first.taken) == (3, 4, 4, 1)
    assert (second.kept, second.proved, second.taken, second.seen_before) == (4, 4, 0, first.log_size)
    assert [item.was_given for item in journal.read()] == [True, True, True, False]


def test_an_exchange_that_the_gateway_forgot_is_missed(gateway, kept, check):
    exchange = kept().evidence.exchange
    kept()
    change(gateway, "UPDATE exchange SET requester = 'court-xa' WHERE id = :id", id=exchange)

    found = check()

    assert kinds(found) == ["missing_there"]
    assert exchange in found.differences[0].sentence


def test_what_was_listed_of_the_other_side_is_missed_as_well(gateway, check):
    exchange = gateway.ask(COURT, **DETENTION).evidence.exchange
    assert check().taken == 1
    change(gateway, "UPDATE exchange SET holder = 'ipo-xa' WHERE id = :id", id=exchange)

    assert kinds(check()) == ["missing_there"]


def test_an_exchange_in_ones_own_name_that_was_never_answered_here_is_told_until_it_is_adopted(gateway, kept, check):
    kept()
    lost = gateway.ask().evidence.exchange

    assert [difference.exchange for difference in check().differences] == [lost]
    assert kinds(check(adopt=True)) == ["missing_here"]
    assert kinds(check()) == []


def test_another_receipt_than_the_one_given_is_noticed(gateway, kept, check):
    first, second = kept(), kept()
    change(
        gateway,
        "UPDATE exchange SET receipt = :other WHERE id = :id",
        other=second.evidence.receipt,
        id=first.evidence.exchange,
    )

    assert kinds(check()) == ["differing"]


def test_a_receipt_that_is_not_in_the_log_is_noticed(gateway, kept, check, journal):
    raw = jws.parse_object(kept().evidence.raw)
    other = jws.parse_object(kept().evidence.raw)
    raw["log"] = {**raw["log"], "index": other["log"]["index"]}
    shutil.rmtree(journal._folder)
    journal.add([kept_of_answer(jws.dump_json(raw), CUSTOMS, gateway.services.clock())])

    assert "not_logged" in kinds(check())


def test_a_log_that_is_no_continuation_of_the_one_seen_is_noticed_and_both_checkpoints_are_kept(
    gateway, kept, check, journal
):
    kept()
    check()
    seen = journal.checkpoint()
    head, signatures = seen.split("\n\n")
    origin, size, root = head.split("\n")
    forks = {
        "shrunk": "\n".join([origin, str(int(size) + 5), root]),
        "changed": "\n".join([origin, size, root[:-5] + "AAAA="]),
    }
    for fork in forks.values():
        journal.keep_checkpoint(f"{fork}\n\n{signatures}")

        found = check()

        assert kinds(found) == ["log_inconsistent"]
        assert "no continuation" in found.differences[0].sentence
        assert journal.checkpoint().startswith(fork)
    assert list(journal._folder.glob("checkpoint.conflict-*"))


def test_what_the_checkpoint_shown_does_not_hold_yet_is_waited_for_and_not_for_long(
    gateway, kept, check, journal, monkeypatch
):
    kept()
    shown = gateway.services.published.newest().note
    kept()
    fetch = gateway.client().log_file
    monkeypatch.setattr(
        gateway.client(),
        "log_file",
        lambda origin, path: shown.encode() if path == "checkpoint" else fetch(origin, path),
    )

    soon = check()
    later = compare(
        gateway.client(), journal, gateway.trust, now=lambda: gateway.services.clock() + timedelta(minutes=6)
    )

    assert (kinds(soon), soon.proved, soon.fresh) == ([], 1, 1)
    assert (kinds(later), later.fresh) == (["not_logged"], 0)


def test_a_checkpoint_a_little_behind_the_one_seen_last_is_no_fork(gateway, kept, check, journal, monkeypatch):
    kept()
    before = gateway.services.published.newest().note
    kept()
    assert kinds(check()) == []
    seen, fetch = journal.checkpoint(), gateway.client().log_file
    monkeypatch.setattr(
        gateway.client(),
        "log_file",
        lambda origin, path: before.encode() if path == "checkpoint" else fetch(origin, path),
    )

    found = check()

    assert (kinds(found), found.proved) == ([], 2)
    assert journal.checkpoint() == seen


def test_a_kept_checkpoint_that_was_changed_here_is_not_held_against_the_gateway(kept, check, journal):
    kept()
    journal.keep_checkpoint("nothing of a log")

    with pytest.raises(JournalError, match="changed"):
        check()


def test_what_was_erased_there_is_no_difference_and_what_was_kept_here_still_proves_it(gateway, kept, check):
    exchange = kept().evidence.exchange
    gateway.services.erasure.exchange(exchange, legal_basis="art. 17", actor="operator:test")

    found = check()

    assert (kinds(found), found.erased, found.proved) == ([], 1, 1)


def test_a_journal_survives_a_crash_in_the_middle_of_a_line_and_refuses_a_changed_one(kept, journal):
    kept()
    path = journal._folder / RECEIPTS
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])

    assert len(journal.read()) == 1
    kept()
    assert len(journal.read()) == 2
    path.write_bytes(path.read_bytes().replace(b'"index":', b'"index":-', 1))
    with pytest.raises(JournalError, match="line 1"):
        journal.read()
    with pytest.raises(FormatError):
        kept_of_answer(b"{}", CUSTOMS, None)
