"""Rights held against each other: one work twice, a variety called like a mark, users from somewhere else."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from gateway.records.consistency.compared import Collection, Compared, Fields, Oddity, names_of, one_writing, texts

_COUNTRY_IN_NUMBER: Final = re.compile(r"(?:PGI|PDO|TSG|GI)-([A-Z]{2})-[0-9A-Z]+")
_OFFICES_OF_SEVERAL: Final = frozenset({"EU", "EM", "WO", "AP", "OA", "BX", "EA", "GC"})


def one_work_twice(collection: Collection) -> Iterator[Oddity]:
    """Two registrations of one title by one author at one office."""
    known: dict[tuple[str, str, str], Compared] = {}
    for record in collection.of("copyright_registration"):
        fields = record.fields
        for title in map(one_writing, texts(fields.get("title"))):
            for author in sorted(names_of(fields.get("authors"))):
                first = known.setdefault((fields["office"], title, author), record)
                if first is not record and first.fields.get("registration_number") != fields.get("registration_number"):
                    yield Oddity(
                        "one_work_twice",
                        f"this work of this author is registered as {first.fields.get('registration_number')} too",
                        (record.name, first.name),
                        "title",
                    )
                    break
            else:
                continue
            break


def denomination_is_a_mark(collection: Collection) -> Iterator[Oddity]:
    """A variety whose denomination, which everybody must use, is somebody's trademark."""
    marks: dict[str, list[Compared]] = defaultdict(list)
    for mark in collection.of("trademark"):
        if mark.fields.get("verbal_element"):
            marks[one_writing(mark.fields["verbal_element"])].append(mark)
    for variety in collection.of("plant_variety"):
        for mark in marks.get(one_writing(variety.fields.get("denomination", "")), ()):
            yield Oddity(
                "denomination_is_a_mark",
                f"the denomination {variety.fields['denomination']} is the mark {mark.fields['application_number']}",
                (variety.name, mark.name),
                "denomination",
            )


def users_outside_region(collection: Collection) -> Iterator[Oddity]:
    """An authorised user from a country in which the indication does not originate.

    Of the region itself a register tells in prose. Its country is said by the file number (`PGI-CN-02624`) or by the
    office; where neither does (offices of several countries), nothing is compared.
    """
    for record in collection.of("geographical_indication"):
        origin = _origin(record.fields)
        for user in record.fields.get("authorised_users", ()):
            if origin and user.get("country") and user["country"] != origin:
                yield Oddity(
                    "user_outside_region",
                    f"the authorised user {user.get('name')} is of {user['country']}; the indication is from {origin}",
                    (record.name,),
                    "authorised_users",
                )


def _origin(fields: Fields) -> str | None:
    numbered = _COUNTRY_IN_NUMBER.fullmatch(str(fields["file_number"]))
    if numbered is not None:
        return numbered[1]
    office = str(fields["office"])
    return None if office in _OFFICES_OF_SEVERAL else office
