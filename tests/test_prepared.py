"""Statements handed to the driver as they are say, store and refuse what the toolkit's own execution would."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, create_engine, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gateway.agencies.models import Agency
from gateway.db.prepared import Prepared, driver_execute, in_one_go
from gateway.errors import StoreUnavailableError

AGENCY = {
    "code": "customs-xa",
    "kind": "customs",
    "name": "Customs of XA",
    "jurisdictions": ["XA", "XB"],
    "scopes": [],
    "purposes": ["border_enforcement"],
    "created_at": datetime(2026, 11, 25, 9, 30, tzinfo=timezone(timedelta(hours=8))),
}
ADD = Prepared(insert(Agency).values({name: bindparam(name) for name in AGENCY}))
FIND = Prepared(select(Agency.name, Agency.created_at, Agency.suspended_at).where(Agency.code == bindparam("wanted")))
RENAME = Prepared(update(Agency).where(Agency.code == bindparam("wanted")).values(name="renamed"))


def test_values_are_converted_both_ways_as_everywhere_else(database):
    with database.write_connection() as connection:
        touched = ADD.run(connection, AGENCY)
        found = FIND.first(connection, {"wanted": "customs-xa"})
        whole = connection.execute(select(Agency.__table__)).mappings().one()

    assert touched == 1
    assert found == ("Customs of XA", datetime(2026, 11, 25, 1, 30, tzinfo=UTC), None)
    assert {name: whole[name] for name in AGENCY} == AGENCY


def test_a_number_of_any_length_in_a_column_of_json_is_kept(database):
    with database.write_connection() as connection:
        ADD.run(connection, AGENCY | {"scopes": [1 << 70]})
        assert connection.execute(select(Agency.scopes)).scalar_one() == [1 << 70]


def test_what_is_not_there_is_none_and_no_row(database):
    with database.write_connection() as connection:
        assert FIND.first(connection, {"wanted": "nobody"}) is None
        assert FIND.all(connection, {"wanted": "nobody"}) == []
        assert Prepared(update(Agency).where(Agency.code == "nobody").values(name="x")).run(connection, {}) == 0


def test_a_constant_of_the_statement_is_converted_too(database):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    suspend = Prepared(update(Agency).where(Agency.code == bindparam("wanted")).values(suspended_at=at))
    with database.write_connection() as connection:
        ADD.run_at_once(connection, [AGENCY, AGENCY | {"code": "court-xa"}])
        suspend.run(connection, {"wanted": "court-xa"})
        found = [FIND.first(connection, {"wanted": code})[2] for code in ("customs-xa", "court-xa")]

    assert found == [None, at]


def test_a_naive_instant_is_refused_here_too(database):
    with database.write_connection() as connection, pytest.raises(ValueError, match="naive"):
        ADD.run(connection, AGENCY | {"created_at": datetime(2026, 11, 25)})  # noqa: DTZ001


def test_errors_are_those_of_the_toolkit_and_undo_what_they_belong_to(database):
    def add_twice():
        with database.write_connection() as connection:
            ADD.run_at_once(connection, [AGENCY, AGENCY])

    with pytest.raises(IntegrityError):
        add_twice()
    with database.read_connection() as connection:
        assert connection.scalar(text("SELECT count(*) FROM agency")) == 0


def test_a_savepoint_undoes_its_own_part_only(database):
    with database.write_connection() as connection:
        ADD.run(connection, AGENCY)
        driver_execute(connection, "SAVEPOINT item")
        ADD.run(connection, AGENCY | {"code": "court-xa"})
        driver_execute(connection, "ROLLBACK TO item")
    with database.read_connection() as connection:
        assert FIND.all(connection, {"wanted": "court-xa"}) == []
        assert len(FIND.all(connection, {"wanted": "customs-xa"})) == 1


def test_many_rows_are_one_statement_on_sqlite_and_none_is_forgotten(database):
    rows = [AGENCY | {"code": f"agency-{number:03}"} for number in range(600)]
    statements = []
    with database.write_connection() as connection:
        if database.is_sqlite:
            connection.connection.dbapi_connection.set_trace_callback(statements.append)
        touched = ADD.run_at_once(connection, rows)
        codes = connection.scalars(select(Agency.code).order_by(Agency.code)).all()

    assert touched == 600
    assert codes == [row["code"] for row in rows]
    if database.is_sqlite:
        assert len(set(filter(re.compile("INSERT").match, statements))) == 3  # triggers repeat their cause


def test_what_goes_in_one_go_is_known_when_it_is_over(database):
    with database.write_connection() as connection:
        with in_one_go(connection):
            one = ADD.queue(connection, AGENCY)
            others = ADD.queue_at_once(connection, [AGENCY | {"code": code} for code in ("court-xa", "ipo-xa")])
            found = FIND.queue_all(connection, {"wanted": "court-xa"})
            renamed = RENAME.queue(connection, {"wanted": "nobody"})
            is_queued = not database.is_sqlite and connection.connection.dbapi_connection.pgconn.pipeline_status

        assert bool(is_queued) is not database.is_sqlite
        assert (one(), others(), renamed(), [row[0] for row in found()]) == (1, 2, 0, ["Customs of XA"])


def test_of_what_goes_in_one_go_nothing_stays_where_one_fails(database):
    def add_twice():
        with database.write_connection() as connection, in_one_go(connection):
            ADD.queue(connection, AGENCY)
            ADD.queue(connection, AGENCY)
            ADD.queue(connection, AGENCY | {"code": "court-xa"})

    with pytest.raises(IntegrityError):
        add_twice()
    with database.write_connection() as connection:
        assert FIND.all(connection, {"wanted": "court-xa"}) == []
        assert ADD.run(connection, AGENCY) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_breaks_in_one_go_is_an_outage_and_not_used_again(database):
    def add():
        with database.write_connection() as connection, in_one_go(connection):
            ADD.queue(connection, AGENCY)
            driver_execute(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
            ADD.queue(connection, AGENCY | {"code": "court-xa"})

    with pytest.raises(StoreUnavailableError):
        add()
    with database.write_connection() as connection:
        assert ADD.run(connection, AGENCY) == 1


def test_rows_that_are_there_already_do_not_count(database):
    add_once = {
        name: insert_into(Agency).values({name: bindparam(name) for name in AGENCY}).on_conflict_do_nothing()
        for name, insert_into in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    }
    with database.write_connection() as connection:
        ADD.run(connection, AGENCY)
        assert Prepared(add_once).run_at_once(connection, [AGENCY, AGENCY | {"code": "court-xa"}]) == 1
        assert ADD.run_at_once(connection, []) == 0


def test_a_parameter_outside_of_the_values_is_refused():
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(ValueError, match="outside VALUES"):
        Prepared(text("INSERT INTO t VALUES (:a) ON CONFLICT DO UPDATE SET b = :b")).run_at_once(
            connection, [{"a": 1, "b": 2}]
        )
