"""Whatever looks for exchanges finds them by an index: there are few of these, and some hold few of the rows."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import event

from gateway.auditor.filters import ExchangeFilter
from gateway.auditor.scope import Scope
from gateway.exchange.failing_holders import failing_holders
from gateway.exchange.readers import Reader
from tests.exchange.world import MARK

NATION = Scope("person:carol", None)
CUSTOMS = Scope("person:dora", "customs-xa")
NOW: Final = datetime.now(UTC)
READER = Reader("customs-xa", own_client=None)


def _search(scope=NATION, **wanted):
    return lambda services: services.auditing.search.exchanges(scope, ExchangeFilter(**wanted), after=None, limit=50)


def _page(side, case=None):
    return lambda services: services.mutual_log.page(READER, side, case_ref=case, after=5, limit=50)


LOOKS: Final = {
    "newest": (_search(), "received_at_id", "log_index"),
    "own side": (_search(CUSTOMS), "requester_received_at_id", "holder_received_at_id_requester"),
    "pair": (_search(requester="customs-xa", holder="ipo-xa"), "requester_holder_received_at_id"),
    "pair, asked by its holder": (
        _search(CUSTOMS, requester="ipo-xa"),
        *("requester_holder_received_at_id", "requester_received_at_id"),
    ),
    "purpose": (_search(purpose="examination", since=NOW), "purpose_received_at"),
    "outcome": (_search(outcome=("failed",)), "state_received_at"),
    "record": (_search(record=f"urn:ipx:ipo-xa:trademark:{MARK}"), "record_sha256_received_at"),
    "case": (_search(case="CX-118"), "case_hash_log_index"),
    "asked, in the order of the log": (_page("requester"), "requester_log_index"),
    "was asked, in the order of the log": (_page("holder"), "holder_log_index"),
    "of a case, in the order of the log": (_page("requester", "CX-118"), "requester_log_index", "case_hash_log_index"),
    "indexer": (lambda services: services.auditing.indexer.catch_up(), "log_index"),
    "figures": (
        lambda services: services.auditing.statistics.of(NATION, NOW - timedelta(days=9), NOW),
        *("log_index", "received_at_id", "state_received_at", "holder_received_at_id_requester"),
    ),
    "failing holders": (
        lambda services: failing_holders(services.database, NOW),
        *("state_received_at", "holder_received_at_id_requester"),
    ),
    "pending and over": (lambda services: services.settling.go_round(), "pending_deadline_at"),
    "interrupted": (lambda services: services.recovery.close_overdue(), "state_received_at"),
    "interrupted here": (lambda services: services.recovery.close_own(), "state_received_at"),
    "answers to expire": (lambda services: services.erasure.expire_answers(timedelta(days=9)), "answer_kept"),
    "classes": (lambda services: services.erasure.classes(), "class_key"),
}


def test_whoever_looks_for_exchanges_has_an_index(gateway):
    gateway.ask(case_ref="CX-118")

    without = {name: _without_index(gateway.services, act, allowed) for name, (act, *allowed) in LOOKS.items()}

    assert {name: plans for name, plans in without.items() if plans} == {}


def _without_index(services, act, allowed):
    """Give how exchanges are looked for otherwise than by these indexes, or that nobody looks for any.

    PostgreSQL's choice depends on how many there are: there any index will do.
    """
    database, asked = services.database, []

    def hear(_connection, _cursor, statement, values, *_):
        asked.append((statement, values))

    for engine in {database.reader, database.writer}:
        event.listen(engine, "before_cursor_execute", hear)
    act(services)
    for engine in {database.reader, database.writer}:
        event.remove(engine, "before_cursor_execute", hear)
    plans = {plan for statement in asked for plan in _plans(database, *statement)} or {"nobody was looked for"}
    if not database.is_sqlite:
        return {plan for plan in plans if "Seq Scan" in plan or "nobody" in plan}
    named = {"sqlite_autoindex_exchange_1", *(f"ix_exchange_{name}" for name in allowed)}
    return {plan for plan in plans if not named & set(plan.split())}


def _plans(database, statement, values):
    """Give the lines of a plan that say how exchanges are found."""
    with closing(database.reader.raw_connection()) as raw:
        cursor = raw.cursor()
        if database.is_sqlite:
            lines = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            return [line for line in lines if line.split()[1] == "exchange"]
        cursor.execute("SET enable_seqscan = off")  # as if the table were large
        lines = [row[0] for row in cursor.execute(f"EXPLAIN {statement}", values)]
        return [line for line in lines if "Scan" in line and " on exchange " in line]
