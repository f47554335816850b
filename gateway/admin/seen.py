"""Which version of a thing a form was made from, so that nobody overwrites what they have not seen (as If-Match)."""

import hashlib
import json
from typing import Any

from flask import request

from gateway.agencies.models import Agency, Client, Quota, Source
from gateway.errors import ChangedSinceSeenError


def version(row: Agency | Client | Source | Quota) -> str:
    """Name the present state of a row; any change gives another name."""
    names = [column.name for column in row.__table__.columns if column.name != "not_before"]
    state = json.dumps({name: getattr(row, name) for name in names}, sort_keys=True, default=str)
    return hashlib.sha256(state.encode()).hexdigest()[:32]


def is_as_seen(row: Any) -> None:
    """Compare a locked row with the version that this request's form was made from.

    Raises:
        ChangedSinceSeenError: somebody changed it meanwhile, or the form names no version.
    """
    if request.form.get("version") != version(row):
        raise ChangedSinceSeenError("the form was made from another version")
