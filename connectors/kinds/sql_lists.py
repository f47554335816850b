"""Lists of values in statements: a short one as parameters of its own, so that its text is made once.

SQLAlchemy writes the text of an `IN` with an expanding parameter anew each time, which takes as long as the rest of a
small statement.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

IN_LIST: Final = 500
"""Most values of one list."""
FEW: Final = 8
"""Values of a list up to which statements are kept for each length."""

_NAMES: Final = tuple(f"wanted_{number}" for number in range(FEW))


def one_of(
    column: sa.ColumnElement[Any], count: int, *, type_: sa.types.TypeEngine[Any] | None = None
) -> sa.ColumnElement[bool]:
    """Compare a column with `count` values, which `values_of` names."""
    kind = type_ or column.type
    if count > FEW:
        return column.in_(sa.bindparam("wanted", expanding=True, type_=kind))
    return column.in_([sa.bindparam(name, type_=kind) for name in _NAMES[:count]])


def shape_of(count: int) -> int:
    """Give the same number for lists that one statement fits."""
    return count if count <= FEW else IN_LIST


def values_of(wanted: Sequence[Any]) -> dict[str, Any]:
    """Name the values of a list as `one_of` does."""
    if len(wanted) > FEW:
        return {"wanted": wanted}
    return dict(zip(_NAMES, wanted, strict=False))
