"""Operators read why a holder failed in our own words; what its driver said, only where debug is on."""

import logging
import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from connectors.errors import SourceRefusedError
from connectors.kinds.failure_log import log_failure
from connectors.kinds.http_caller import CallFailedError
from connectors.protocol import FailReason
from gateway import logs

PLANTED = "Planted Personal Name"
LOG = logging.getLogger("connectors.kinds.planted")


def refused_by(driver_error):
    return sa.exc.DataError(f"SELECT * FROM marks WHERE owner = '{PLANTED}'", {"owner": PLANTED}, driver_error)


def failed_call():
    error = CallFailedError(FailReason.UNREACHABLE, f"reset by {PLANTED}")
    error.__cause__ = ConnectionResetError(PLANTED)
    return error


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (refused_by(psycopg.errors.InvalidDatetimeFormat(PLANTED)), "DataError InvalidDatetimeFormat (22007)"),
        (refused_by(sqlite3.OperationalError(PLANTED)), "DataError OperationalError"),
        (refused_by(RuntimeError(1064, PLANTED)), "DataError RuntimeError (1064)"),
        (UnicodeDecodeError("utf-8", PLANTED.encode(), 0, 1, PLANTED), "UnicodeDecodeError"),
        (failed_call(), "ConnectionResetError"),
    ],
)
def test_the_other_side_s_words_are_for_debugging_only(caplog, error, kinds):
    with caplog.at_level(logging.DEBUG):
        log_failure(LOG, "marks", FailReason.UNREACHABLE, error)

    warned, debugged = caplog.records
    assert (warned.levelname, warned.getMessage()) == ("WARNING", f"source marks: unreachable: {kinds}")
    assert debugged.levelname == "DEBUG"
    assert PLANTED in debugged.getMessage()
    assert "SELECT" not in debugged.getMessage()


@pytest.mark.parametrize(
    "error",
    [SourceRefusedError("table marks has no column owner"), CallFailedError(FailReason.BAD_ANSWER, "status 404")],
)
def test_our_own_words_are_a_warning(caplog, error):
    with caplog.at_level(logging.DEBUG):
        log_failure(LOG, "marks", FailReason.MISCONFIGURED, error, operation="fetch")

    [warned] = caplog.records
    assert warned.getMessage() == f"source marks: fetch: misconfigured: {error}"


def test_secrets_are_taken_out_of_what_is_said_for_debugging_too(caplog):
    with caplog.at_level(logging.DEBUG):
        log_failure(LOG, "marks", FailReason.UNREACHABLE, failed_call(), hidden=lambda text: text.replace(PLANTED, "…"))

    assert "reset by …" in caplog.text
    assert PLANTED not in caplog.text


@pytest.mark.parametrize(("level", "is_told"), [(logging.DEBUG, True), (logging.INFO, False), (logging.WARNING, False)])
def test_a_gateway_tells_them_only_where_its_level_is_debug(level, is_told):
    root, connectors = logging.getLogger(), logging.getLogger("connectors")
    before = root.handlers[:], root.level, connectors.level, logs.structlog.get_config()
    try:
        logs.configure(level)
        assert LOG.isEnabledFor(logging.DEBUG) == is_told
        assert LOG.isEnabledFor(logging.WARNING)
    finally:
        root.handlers[:], config = before[0], before[3]
        root.setLevel(before[1])
        connectors.setLevel(before[2])
        logs.structlog.configure(**config)
