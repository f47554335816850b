"""What operators read of a holder that failed: our own words as a warning, the other side's only where debug is on.

What a driver says may name hosts and accounts, and repeat values of a query or a record.
"""

import logging
from collections.abc import Callable

from connectors.errors import ConnectorError
from connectors.protocol import FailReason


def log_failure(
    log: logging.Logger,
    source: str,
    reason: FailReason,
    error: Exception,
    *,
    operation: str = "",
    hidden: Callable[[str], str] = str,
) -> None:
    """Log that a source failed.

    Args:
        log: of the connector's module.
        source: its name.
        reason: what is answered to whoever asked.
        error: what broke, or our own error in its place.
        operation: what was to be done, where that is known.
        hidden: takes secrets out of a text.
    """
    during = f"{operation}: " if operation else ""
    if isinstance(error, ConnectorError) and error.__cause__ is None:
        log.warning("source %s: %s%s: %s", source, during, reason, hidden(str(error)))
        return
    log.warning("source %s: %s%s: %s", source, during, reason, " ".join(_kinds(error.__cause__ or error)))
    said = getattr(error, "orig", None) or error  # SQLAlchemy's own text repeats the statement and its values
    log.debug("source %s: %s%s", source, during, hidden(str(said)))


def _kinds(error: BaseException) -> list[str]:
    """Name the kind of an error and the driver's code for it: they say what it is about and hold no values."""
    by_driver = getattr(error, "orig", None) or error
    code = getattr(by_driver, "sqlstate", None) or getattr(by_driver, "sqlite_errorname", None)
    if code is None and by_driver is not error and isinstance(next(iter(by_driver.args), None), int):
        code = by_driver.args[0]  # MySQL's number
    names = dict.fromkeys(type(one).__name__ for one in (error, by_driver))
    return [*names, *([f"({code})"] if code else [])]
