"""Queries: their form, what they choose, and the evidence of an answer with several records, damaged and signed so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import bundle, sdjwt
from ipx.errors import BindingError, FormatError
from ipx.query import Query
from tests.ipx.world import ABSENT, SECOND, changed, sha256

TYPE = "urn:ipx:ipo-xa:trademark:"
QUERY = {"record_type": "trademark", "where": {"mark_status": "registered"}, "limit": 3}
PAGE = {"complete": True, "next": None, "refused": [], "unreadable": 0}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("where", "fields", "passes"),
    [
        ({}, {}, True),
        ({"stage": "seized"}, {"stage": "seized"}, True),
        ({"stage": "seized"}, {"stage": "detained"}, False),
        ({"stage": "seized"}, {}, False),
        ({"stage": ["a", "b"]}, {"stage": "b"}, True),
        ({"line": 1}, {"line": True}, False),
        ({"line": 1}, {"line": "1"}, False),
        ({"final": True}, {"final": True}, True),
        ({"on": {"ge": "2026-01-02"}}, {"on": "2026-01-02"}, True),
        ({"on": {"ge": "2026-01-02"}}, {"on": "2026-01-01"}, False),
        ({"on": {"le": "2026-01-02"}}, {"on": "2026-01-02"}, True),
        ({"on": {"le": "2026-01-02"}}, {"on": "2026-01-03"}, False),
        ({"on": {"ge": "2026-01-01", "le": "2026-01-31"}}, {"on": "2026-02-01"}, False),
        ({"on": {"ge": "2026"}}, {"on": 2027}, False),
        ({"on": {"ge": 1}}, {"on": "2026"}, False),
        ({"keys": {"contains": "k1"}}, {"keys": ["k1", "k2"]}, True),
        ({"keys": {"contains": "k1"}}, {"keys": "k1"}, False),
        ({"keys": {"contains": 1}}, {"keys": [True]}, False),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, False),
    ],
)
def test_a_query_chooses_by_values_of_one_type_and_never_by_what_is_absent(where, fields, passes):
    query = Query.read({"record_type": "detention", "where": where})

    assert query.admits(fields) is passes
    assert query.fields == where.keys()


@given(document=JSON)
def test_any_json_is_a_query_or_a_format_error(document):
    try:
        query = Query.read(document)
    except FormatError:
        return
    assert Query.read(query.document) == query


@pytest.mark.parametrize(
    "change",
    [
        {"record_type": ABSENT},
        {"record_type": 7},
        {"where": []},
        {"where": {f"f{number}": "x" for number in range(9)}},
        {"where": {"f": []}},
        {"where": {"f": ["x"] * 51}},
        {"where": {"f": ["x", None]}},
        {"where": {"f": ["x", 1.5]}},
        {"where": {"f": ""}},
        {"where": {"f": "x" * 256}},
        {"where": {"f": {}}},
        {"where": {"f": {"like": "x"}}},
        {"where": {"f": {"ge": ["x"]}}},
        {"limit": 0},
        {"limit": 101},
        {"limit": True},
        {"limit": "5"},
        {"after": 1},
        {"order": "f"},
    ],
)
def test_a_query_in_another_form_is_refused(change):
    with pytest.raises(FormatError):
        Query.read(changed(QUERY, change))


@pytest.mark.parametrize(
    "change",
    [
        {"where": {f"f{number}": "x" for number in range(8)}},
        {"where": {"f": ["x"] * 50}},
        {"limit": 100},
        {"limit": 1},
        {"where": {"f": "x" * 255}},
    ],
)
def test_the_largest_and_the_smallest_query_is_taken(change):
    Query.read(changed(QUERY, change))


@pytest.fixture
def several(world):
    """The files of an exchange by query; every argument damages one thing, and what depends on it is made to fit."""

    def made(
        records=({}, {}),
        *,
        query=QUERY,
        request=None,
        receipt=None,
        hidden=(),
        signers=(),
        lines=None,
        sealed_by="gateway",
        **files,
    ):
        issued = []
        for number, change in enumerate(records):
            claims = changed(
                {
                    "iss": "ipo-xa",
                    "sub": f"{TYPE}{number}",
                    "iat": SECOND,
                    "sealed_by": sealed_by,
                    "mark_status": "registered",
                    "verbal_element": f"MARK {number}",
                },
                change,
            )
            signer = dict(signers).get(number, world.seal)
            names = [(name,) for name in ("mark_status", "verbal_element")]
            issued.append(sdjwt.issue(claims, names, signer, typ="ipx-record+sd-jwt", decoys=2))
        shown = [[(name,) for name in ("mark_status", "verbal_element") if name not in hidden] for _ in issued]
        presentations = [sdjwt.redact(one, paths) for one, paths in zip(issued, shown, strict=True)]
        digests = sorted(
            sdjwt.digest(one.disclosures[path]) for one, paths in zip(issued, shown, strict=True) for path in paths
        )
        jwts = "\n".join(one.jwt for one in issued)
        asked = {"record": ABSENT, "query": query} | (request or {})
        stated = {
            "rec_hash": sha256(jwts),
            "disclosed": digests,
            "records": [{"withheld": []} for _ in issued],
            "page": PAGE,
            **(receipt or {}),
        }
        members = world.members(request=asked, receipt=stated)
        receipt_token = members["receipt.jws"].decode()
        committed = bundle.commitment(b"s" * 32, members["request.jws"].decode(), jwts, receipt_token)
        entry = bundle.entry(committed, "released", SECOND)
        members |= {
            "entry.json": entry,
            "proof.tlog-proof": world.proof(entry).text().encode(),
            "record.sd-jwt": "\n".join(presentations if lines is None else lines(presentations)).encode(),
        }
        return changed(members, files)

    return made


@pytest.fixture
def judge(world, now, several):
    return lambda *arguments, **damage: bundle.verify_members(several(*arguments, **damage), world.trust(), now=now)


def test_several_records_hold_and_are_told_in_plain_words(judge):
    report = judge()

    told = " ".join(report.sentences())
    assert [record["verbal_element"] for record in report.records] == ["MARK 0", "MARK 1"]
    assert report.claims is None
    assert report.disclosed == 4
    assert "asked ipo-xa for records of type trademark that match" in told
    assert "2 records were handed over; there are no more." in told


def test_a_page_that_is_not_the_last_says_so(judge):
    told = " ".join(judge(receipt={"page": {**PAGE, "complete": False, "next": f"{TYPE}1"}}).sentences())

    assert "2 records were handed over; there are more on the next page." in told


def test_one_record_and_as_many_as_the_limit_hold_and_one_more_does_not(judge, refuses):
    judge(({},))
    judge(({},) * 3)
    refuses(BindingError, "another number of records", ({},) * 4)


def test_a_record_that_the_query_does_not_choose_is_refused(refuses):
    refuses(BindingError, "not one of those that the query chooses", ({}, {"mark_status": "expired"}))


def test_a_record_that_hides_what_it_was_chosen_by_is_refused(refuses):
    refuses(BindingError, "not one of those that the query chooses", hidden=("mark_status",))


def test_a_record_of_another_type_or_holder_or_without_a_name_is_refused(refuses, absent, world):
    refuses(BindingError, "not of the type", ({}, {"sub": "urn:ipx:ipo-xa:patent:1"}))
    refuses(BindingError, "not of the type", ({}, {"sub": "urn:ipx:ipo-xb:trademark:1"}))
    refuses(BindingError, "not of the type", ({}, {"sub": absent}))
    refuses(BindingError, "do not agree", signers=((1, world.holder),))


def test_a_record_twice_is_refused(refuses):
    refuses(BindingError, "one is here twice", ({}, {"sub": f"{TYPE}0"}))


def test_records_in_another_order_or_one_fewer_or_more_are_refused(refuses):
    refuses(BindingError, "not the record that the receipt", lines=lambda rows: rows[::-1])
    refuses(BindingError, "not the record that the receipt", lines=lambda rows: rows[:1])
    refuses(BindingError, "not the record that the receipt", lines=lambda rows: [*rows, rows[0]])
    refuses(FormatError, "The record does not hold", lines=lambda rows: [*rows, ""])


def test_a_receipt_that_tells_of_another_number_of_records_is_refused(refuses):
    refuses(BindingError, "another number of records", receipt={"records": [{"withheld": []}]})


def test_a_receipt_of_one_record_does_not_answer_a_query_nor_the_reverse(refuses, absent):
    refuses(BindingError, "several records", receipt={"records": absent, "page": absent})
    refuses(BindingError, "several records", ({},), request={"query": absent, "record": f"{TYPE}0"})


@pytest.mark.parametrize(
    "stated",
    [
        {"page": ABSENT},
        {"records": ABSENT},
        {"page": []},
        {"records": {}},
        {"records": ["x", "y"]},
        {"records": [{"withheld": "x"}, {"withheld": []}]},
    ],
)
def test_a_receipt_of_several_records_in_another_form_is_refused(refuses, stated):
    refuses(FormatError, "The receipt does not hold", receipt=stated)


def test_a_refusal_that_tells_of_records_is_refused(world, now):
    stated = {"records": [], "page": PAGE}
    members = world.members("denied", request={"record": ABSENT, "query": QUERY}, receipt=stated)

    with pytest.raises(FormatError, match="what page"):
        bundle.verify_members(members, world.trust(), now=now)


def test_a_refused_query_holds_without_records(world, now):
    members = world.members("denied", request={"record": ABSENT, "query": QUERY})

    report = bundle.verify_members(members, world.trust(), now=now)

    assert report.records == ()
    assert "No field of any record was handed over." in report.sentences()


def test_a_request_for_a_record_and_by_a_query_or_for_neither_is_refused(refuses, absent):
    refuses(FormatError, "for neither", request={"record": f"{TYPE}0"})
    refuses(FormatError, "for neither", request={"query": absent})
    refuses(FormatError, "record_type", query={"record_type": 7})


def test_a_disclosure_moved_to_another_record_is_refused(refuses):
    def moved(rows):
        first, second = (row.split("~") for row in rows)
        return ["~".join([*first[:-2], ""]), "~".join([*second[:-1], first[-2], ""])]

    refuses(FormatError, "did not sign", lines=moved)


def test_fields_erased_since_leave_the_rest_verifiable(several, world, now):
    whole = several()
    parted = [line.split("~") for line in whole["record.sd-jwt"].decode().split("\n")]
    gone = [sdjwt.digest(parts[1]) for parts in parted]
    kept = "\n".join("~".join([parts[0], *parts[2:]]) for parts in parted)

    report = bundle.verify_members(
        whole | {"record.sd-jwt": kept.encode(), "erased.json": json.dumps(sorted(gone)).encode()},
        world.trust(),
        now=now,
    )

    assert (report.erased, report.disclosed) == (2, 2)


def test_a_bundle_of_one_record_is_what_it_was(world, now):
    """The signed part of one record is hashed alone: evidence of before queries still verifies."""
    members = world.members()

    assert bundle.verify_members(members, world.trust(), now=now).claims is not None
    assert b"\n" not in members["record.sd-jwt"]
