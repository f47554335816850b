"""The members of a request are judged alike in the short way, by which nearly all go, and in the library's own."""

from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from gateway.exchange.schemas import RequestSchema

SCHEMA = RequestSchema()
RECORD = "urn:ipx:ipo-xa:trademark:202400017"
GOOD = {
    "iss": "customs-xa.exchange",
    "aud": "https://gateway.example",
    "jti": "01a216cc-c701-7235-a558-c67b7d0e0dda",
    "iat": 1795678848,
    "exp": 1795678908,
    "holder": "ipo-xa",
    "record": RECORD,
    "purpose": "border_enforcement",
    "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4",
}
OTHER = {"groups": ["trademark.biblio"], "case_ref": "C-1", "person": "officer 7", "query": {"record_type": "design"}}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.sampled_from(["", " ", "\u00a0", "x\n", "x\x7f", " x ", "x" * 63, "x" * 64, "x" * 255, "x" * 256, "\ud800"]),
    st.sampled_from(
        [GOOD["jti"] + "\n", GOOD["jti"].upper(), RECORD + "\n", RECORD + ":1", "urn:ipx:a:b:c", "urn:ipx"]
    ),
    st.lists(st.sampled_from(["trademark.biblio", "", 7, None]), max_size=2),
    st.dictionaries(st.sampled_from(["record_type", "after", "where"]), st.sampled_from(["design", RECORD, {}])),
)


@given(
    st.dictionaries(st.sampled_from([*GOOD, *OTHER, "urgent"]), ODD, max_size=2),
    st.dictionaries(st.sampled_from([*OTHER]), st.just(None), max_size=2),
    st.frozensets(st.sampled_from([*GOOD]), max_size=1),
)
def test_both_ways_of_judging_a_request_say_the_same(changes, more, missing):
    payload = {**GOOD, **{name: OTHER[name] for name in more}, **changes}
    payload = {name: value for name, value in payload.items() if name not in missing}

    assert judged(SCHEMA.read, payload) == judged(SCHEMA.load, payload)


def test_what_is_in_order_never_takes_the_long_way(monkeypatch):
    monkeypatch.delattr(RequestSchema, "_loaded")

    assert SCHEMA.read({**GOOD, "case_ref": "C-1"}).keys() == {*GOOD, "case_ref"}


def judged(check, payload):
    try:
        return check(payload)
    except ValidationError as error:
        return error.messages
