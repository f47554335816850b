"""Records held against each other: what each may be right in itself and still does not fit another one.

    for oddity in inconsistencies(records):
        print(oddity.kind, oddity.sentence, oddity.records)

An oddity is a hint for whoever keeps the records. It refuses none and changes none: a register may be right and customs
wrong, or the other way round, and which it is no comparison can tell.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from gateway.records.consistency.compared import Collection, Compared, Oddity
from gateway.records.consistency.enforcement import (
    detained_again,
    detention_outside_recordal,
    goods_outside_classes,
    overlapping_recordals,
    recordal_against_register,
    same_facts_twice,
)
from gateway.records.consistency.parties import one_name_two_numbers, one_number_two_names
from gateway.records.consistency.rights import denomination_is_a_mark, one_work_twice, users_outside_region
from gateway.records.consistency.titles import broken_chain, entries_that_point_nowhere, licence_by_another

Check = Callable[[Collection], Iterator[Oddity]]

CHECKS: Final[tuple[Check, ...]] = (
    broken_chain,
    licence_by_another,
    entries_that_point_nowhere,
    one_work_twice,
    denomination_is_a_mark,
    users_outside_region,
    recordal_against_register,
    goods_outside_classes,
    overlapping_recordals,
    detention_outside_recordal,
    detained_again,
    same_facts_twice,
    one_number_two_names,
    one_name_two_numbers,
)


def inconsistencies(records: Iterable[Compared]) -> list[Oddity]:
    """Compare records of any types, of any number of sources, and give what does not fit, in the order of `CHECKS`."""
    collection = Collection(list(records))
    return [oddity for check in CHECKS for oddity in check(collection)]


__all__ = ["CHECKS", "Collection", "Compared", "Oddity", "inconsistencies"]
