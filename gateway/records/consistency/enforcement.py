"""Enforcement held against the register: what does not fit the right, or another act of enforcement."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from gateway.records.consistency.compared import Collection, Compared, Fields, Oddity, names_of, one_writing, said

_ALWAYS, _FOREVER = "0000-01-01", "9999-12-31"


def recordal_against_register(collection: Collection) -> Iterator[Oddity]:
    """A recordal of a right that had run out, or whose owner the register calls otherwise."""
    for recordal in collection.of("customs_recordal"):
        right = collection.rights.get(recordal.fields.get("right_key", ""))
        if right is None:
            continue
        expiry, begins = right.fields.get("expiry_date", _FOREVER), recordal.fields.get("valid_from", _FOREVER)
        if expiry < begins < _FOREVER:
            yield Oddity(
                "recordal_of_expired_right",
                f"in force from {begins}; the right expired on {expiry}",
                (recordal.name, right.name),
                "valid_from",
            )
        owners = names_of(right.fields.get("owners"))
        for field in ("owner", "owner_name_local"):
            name = recordal.fields.get(field)
            if name and owners and one_writing(name) not in owners:
                yield Oddity(
                    "recordal_of_another_owner" if field == "owner" else "local_name_differs",
                    f"customs knows {name}; the register says {said(right.fields['owners'])}",
                    (recordal.name, right.name),
                    field,
                )


def goods_outside_classes(collection: Collection) -> Iterator[Oddity]:
    """Approved goods of a class in which the mark is not registered."""
    for recordal in collection.of("customs_recordal"):
        right = collection.rights.get(recordal.fields.get("right_key", ""))
        if right is None or right.record_type != "trademark":
            continue
        classes = {item.get("class_number") for item in right.fields.get("goods_services", ())}
        for goods in recordal.fields.get("approved_goods", ()):
            if classes and goods.get("class_number") and goods["class_number"] not in classes:
                registered = ", ".join(sorted(map(str, classes), key=lambda text: (len(text), text)))
                yield Oddity(
                    "goods_outside_class",
                    f"{goods['description']} is of class {goods['class_number']}; the mark has {registered}",
                    (recordal.name, right.name),
                    "approved_goods",
                )


def overlapping_recordals(collection: Collection) -> Iterator[Oddity]:
    """Two recordals of one right, before one authority, in force on the same days."""
    by_right: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for recordal in collection.of("customs_recordal"):
        fields = recordal.fields
        if fields.get("right_key") and fields.get("recordal_status") not in {"expired", "revoked"}:
            by_right[fields["right_key"], fields.get("authority", "")].append(recordal)
    for (key, _), recordals in by_right.items():
        for first, second in combinations(recordals, 2):
            begins = max(first.fields.get("valid_from", _ALWAYS), second.fields.get("valid_from", _ALWAYS))
            ends = min(first.fields.get("valid_to", _FOREVER), second.fields.get("valid_to", _FOREVER))
            if begins <= ends:
                yield Oddity(
                    "overlapping_recordals",
                    f"{key} is recorded as {first.fields['recordal_number']} on the same days",
                    (second.name, first.name),
                    "right_key",
                )


def detention_outside_recordal(collection: Collection) -> Iterator[Oddity]:
    """Goods stopped for a recordal that was not in force on that day, or for a right that it does not cover."""
    recordals = {record.fields["recordal_number"]: record for record in collection.of("customs_recordal")}
    for detention in collection.of("detention"):
        recordal = recordals.get(detention.fields.get("recordal_number", ""))
        if recordal is None:
            continue
        day, begins, ends = (
            _stopped_on(detention.fields),
            recordal.fields.get("valid_from"),
            recordal.fields.get("valid_to"),
        )
        if day and ends and day > ends:
            yield Oddity(
                "recordal_expired",
                f"stopped on {day}; the recordal ended on {ends}",
                (detention.name, recordal.name),
                "recordal_number",
            )
        if day and begins and day < begins:
            yield Oddity(
                "recordal_not_yet",
                f"stopped on {day}; the recordal begins on {begins}",
                (detention.name, recordal.name),
                "recordal_number",
            )
        key, keys = recordal.fields.get("right_key"), detention.fields.get("right_keys", ())
        if key and keys and key not in keys:
            yield Oddity(
                "recordal_of_another_right",
                f"stopped for {', '.join(keys)}; the recordal is of {key}",
                (detention.name, recordal.name),
                "right_keys",
            )


def detained_again(collection: Collection) -> Iterator[Oddity]:
    """Goods with the serial numbers of goods that were released before."""
    released = [record for record in collection.of("detention") if record.fields.get("stage") == "released"]
    by_serial = {serial: record for record in released for serial in record.fields.get("serial_numbers", ())}
    for detention in collection.of("detention"):
        before = next((by_serial[one] for one in detention.fields.get("serial_numbers", ()) if one in by_serial), None)
        if (
            before is not None
            and before is not detention
            and _stopped_on(before.fields) <= _stopped_on(detention.fields)
        ):
            yield Oddity(
                "detained_again",
                f"these goods were released in {before.fields['detention_number']}",
                (detention.name, before.name),
                "serial_numbers",
            )


def same_facts_twice(collection: Collection) -> Iterator[Oddity]:
    """Penalties of two authorities for one cause of one party about one right: one act is punished once."""
    by_facts: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for case in collection.of("admin_case"):
        for key in case.fields.get("right_keys", ()):
            for party in sorted(names_of(_respondents(case.fields))):
                by_facts[key, party, one_writing(case.fields.get("cause", ""))].append(case)
    told: set[tuple[str, str]] = set()
    for (key, party, _), cases in by_facts.items():
        for first, second in combinations(cases, 2):
            detentions = [set(case.fields.get("detention_numbers", ())) for case in (first, second)]
            is_one_act = bool(detentions[0] & detentions[1]) or _of_one_day(first.fields, second.fields)
            if (
                first.fields["authority"] != second.fields["authority"]
                and is_one_act
                and (first.name, second.name) not in told
            ):
                told.add((first.name, second.name))
                yield Oddity(
                    "same_facts_twice",
                    f"{first.fields['authority']} decided about {party} and {key} on the same facts in "
                    f"{first.fields['case_number']}",
                    (second.name, first.name),
                    "case_number",
                )


def _respondents(fields: Fields) -> Sequence[Fields]:
    return [*fields.get("respondents", ()), *fields.get("individual_respondents", ())]


def _of_one_day(first: Fields, second: Fields) -> bool:
    return "decided_on" in first and first["decided_on"] == second.get("decided_on")


def _stopped_on(fields: Fields) -> str:
    return str(fields.get("suspended_on") or fields.get("presented_on") or fields.get("importation_date") or "")
