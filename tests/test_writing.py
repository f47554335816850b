"""A writing transaction is whole, whether its statements go through the toolkit or straight to the driver."""

import sqlite3

import pytest
from sqlalchemy import bindparam, event, insert, select

from gateway.agencies.models import Agency
from gateway.clock import utc_now
from gateway.db.prepared import Prepared
from gateway.errors import StoreUnavailableError

COLUMNS = ("code", "kind", "name", "jurisdictions", "scopes", "purposes", "created_at")
ADD = Prepared(insert(Agency).values({name: bindparam(name) for name in COLUMNS}))


def agency(code):
    lists = {"jurisdictions": [], "scopes": [], "purposes": []}
    return {"code": code, "kind": "customs", "name": code, "created_at": utc_now(), **lists}


def codes(database):
    with database.read_connection() as connection:
        return set(connection.scalars(select(Agency.code)))


def write_both_ways(database, *, breaks=False):
    with database.write_connection() as connection:
        ADD.run(connection, agency("by-driver"))
        connection.execute(insert(Agency).values(agency("by-toolkit")))
        if breaks:
            raise LookupError("on second thoughts")


def write_by_driver(database):
    with database.write_connection() as connection:
        ADD.run(connection, agency("by-driver"))


def test_what_both_have_written_is_committed_together(database):
    write_both_ways(database)

    assert codes(database) == {"by-driver", "by-toolkit"}


def test_what_both_have_written_is_undone_together(database):
    with pytest.raises(LookupError):
        write_both_ways(database, breaks=True)

    assert codes(database) == set()
    write_both_ways(database)


@pytest.mark.parametrize("write", [write_both_ways, write_by_driver])
def test_a_commit_that_fails_leaves_nothing_and_the_next_one_is_made(database, write):
    if not database.is_sqlite:
        pytest.skip("its commits are the toolkit's")

    def fail(_connection):
        raise sqlite3.OperationalError("disk I/O error")

    event.listen(database.writer, "commit", fail)
    with pytest.raises(StoreUnavailableError):
        write(database)
    event.remove(database.writer, "commit", fail)

    assert codes(database) == set()
    write(database)
    assert "by-driver" in codes(database)


def test_whoever_writes_already_is_told_so_at_once_and_goes_on(database):
    if not database.is_sqlite:
        pytest.skip("it has a transaction for each")
    with database.write_connection() as connection:
        ADD.run(connection, agency("outer"))
        with pytest.raises(StoreUnavailableError), database.write_connection():
            pass

    assert codes(database) == {"outer"}
