"""What an answer says in plain members beside its signed documents, and that the receipt says the same.

A reader looks at `outcome`, `sealed_by`, `withheld` first. If they could differ from the receipt, a changed answer
would mislead him while all its signatures hold.
"""

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Final

from ipx.documents import Receipt, obligations_of, page_of, records_of, withheld_of
from ipx.errors import BindingError
from ipx.jws import Json, dump_json, parse_object

STATEMENT: Final = "answer.json"
"""The name under which it accompanies the files of an answer; no bundle holds it."""

_UNSIGNED_OF_GROUP: Final = frozenset({"policy"})
"""Members of a withheld group that the gateway may explain without signing them."""


def write(answer: Mapping[str, Json], exchange: Json) -> bytes:
    """Take from an answer what it states; `exchange` is its id, which releases and problems name differently."""
    stated = ("outcome", "sealed_by", "stage", "reason", "obligations", "withheld")
    several: dict[str, Json] = {name: answer[name] for name in ("page",) if name in answer}
    if isinstance(rows := answer.get("records"), list):
        several["records"] = [{"withheld": row.get("withheld", [])} if isinstance(row, dict) else row for row in rows]
    return dump_json({"exchange": exchange, **{name: answer[name] for name in stated if name in answer}, **several})


def require_agreement(statement: bytes, receipt: Receipt) -> None:
    """Check that an answer states what its receipt does.

    Raises:
        BindingError: it does not.
        FormatError: what it states is not in form.
    """
    stated = parse_object(statement)
    pairs: dict[str, tuple[Json, Json]] = {
        "exchange": (stated.get("exchange"), receipt.exchange),
        "outcome": (stated.get("outcome"), receipt.outcome),
        "sealed_by": (stated.get("sealed_by"), receipt.sealed_by),
        "obligations": (obligations_of(stated), receipt.obligations),
        "withheld": (list(withheld_of(stated)), list(_with_unsigned(withheld_of(stated), receipt.withheld))),
    }
    said_of = records_of(stated) or ()
    pairs["page"] = page_of(stated), receipt.page
    pairs["records"] = (
        [list(rows) for rows in said_of],
        [list(_with_unsigned(*both)) for both in zip_longest(said_of, receipt.records or (), fillvalue=())],
    )
    for name, value in (("stage", receipt.stage), ("reason", receipt.reason)):
        if value is not None:
            pairs[name] = stated.get(name), value
    for name, (said, signed) in pairs.items():
        if _spelt(said) != _spelt(signed):
            raise BindingError(
                f"The answer's member {name!r} says something else than the receipt that the gateway signed."
            )


def _with_unsigned(stated: tuple[dict[str, Json], ...], signed: tuple[dict[str, Json], ...]) -> list[Json]:
    """Give the signed groups, each with the unsigned explanation that stands beside it in the answer."""
    explained = [{name: group[name] for name in _UNSIGNED_OF_GROUP & group.keys()} for group in stated]
    explained += [{}] * (len(signed) - len(explained))
    return [{**extra, **group} for extra, group in zip(explained, signed, strict=False)]


def _spelt(value: Json) -> str:
    """Spell a value so that what reads alike is alike: `true` is not 1, and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)
