"""What an error of a database or its driver means to a caller."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connectors.errors import SourceFileError, SourceRefusedError
from connectors.kinds.sql_account import Dialect
from connectors.kinds.sql_rows import TooManyChildrenError
from connectors.protocol import FailReason


class AccountError(SourceRefusedError):
    """The account can write."""


def reason_of(error: Exception, dialect: Dialect) -> FailReason:  # noqa: PLR0911  (one answer a kind of error)
    match error:
        case AccountError():
            return FailReason.REFUSED_ACCOUNT
        case SourceFileError() | SourceRefusedError():
            return FailReason.MISCONFIGURED
        case TooManyChildrenError():
            return FailReason.TOO_MANY_ROWS
        case PoolTimeoutError():
            return FailReason.TIMEOUT
        case UnicodeDecodeError():
            return FailReason.RECORD_UNREADABLE
        case DBAPIError():
            return dialect.reason(error)
        case _:
            return FailReason.UNREACHABLE
