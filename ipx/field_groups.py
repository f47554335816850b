"""Which field group each field belongs to, so that an answer can be shown by group.

Written from the gateway's record catalogue into `field_groups.json`; a test compares the two. It only orders what is
shown: an answer with a field that is not listed here is shown all the same.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ipx.jws import Json, parse_object

UNKNOWN = "other"


def by_group(record_type: str, fields: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Sort fields into their groups, groups in the catalogue's order."""
    groups = _groups_of(record_type)
    found: dict[str, dict[str, Json]] = {group: {} for group in [*dict.fromkeys(groups.values()), UNKNOWN]}
    for name, value in fields.items():
        found[groups.get(name, UNKNOWN)][name] = value
    return {group: members for group, members in found.items() if members}


def _groups_of(record_type: str) -> Mapping[str, str]:
    table = _table().get(record_type)
    return {name: str(group) for name, group in table.items()} if isinstance(table, dict) else {}


@cache
def _table() -> Mapping[str, Json]:
    return parse_object(files("ipx").joinpath("field_groups.json").read_bytes())
