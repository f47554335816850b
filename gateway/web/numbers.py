"""Numbers in addresses: only those that a column of the database can hold; there is nothing at any other."""

from typing import Final

from werkzeug.routing import IntegerConverter, ValidationError

MOST: Final = 2**31 - 1
"""The largest value of an `INTEGER` of PostgreSQL; SQLite takes more."""


class ColumnInteger(IntegerConverter):
    """Werkzeug's `int`, within what a column can hold."""

    def to_python(self, value: str) -> int:
        """Read the number of an address."""
        if len(value) > len(str(MOST)) or int(value) > MOST:
            raise ValidationError
        return int(super().to_python(value))
