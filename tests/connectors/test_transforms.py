import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import transforms
from connectors.dates import read_date, read_instant, zone_of
from connectors.quarantine import Reason, UnfitValueError
from connectors.texts import damage
from connectors.transforms import pipeline


@pytest.fixture
def apply(tools):
    return lambda use, value: pipeline(use, tools).one(value)


@pytest.mark.parametrize(
    ("use", "value", "expected"),
    [
        (["trim"], " \u3000a  b\u00a0\n", "a  b"),
        (["collapse"], " a \n\t b\u3000c ", "a b c"),
        (["halfwidth"], "\uff11\uff12\uff21", "12A"),
        (["upper"], "ab", "AB"),
        (["lower"], "AB", "ab"),
        ([{"pad": {"width": 5, "with": "0"}}], "42", "00042"),
        ([{"prefix": "EUIPO:"}], "7", "EUIPO:7"),
        ([{"strip_prefix": "US"}], "US7", "7"),
        ([{"split": ";"}], "a; b ;;c", ["a", "b", "c"]),
        ([{"split": ";"}, "unique", {"join": "|"}], "b;a;b", "b|a"),
        ([{"split": ","}, "first"], "x,y", "x"),
        ([{"match": r"No\. (\d+)"}], "case No. 17 of", "17"),
        (["int"], " 007 ", 7),
        (["decimal"], "0012.500", "12.5"),
        (["decimal"], "-0.00", "0"),
        (["decimal"], "1000000000000000000000000.1", "1000000000000000000000000.1"),
        ([{"decimal": {"point": ",", "group": "."}}], "1.234.567,80", "1234567.8"),
        (["bool"], "true", True),
        ([{"bool": {"true": ["Y", "J"], "false": ["N"]}}], "N", False),
        ([{"code": {"1": "seized"}}], "1", "seized"),
        ([{"code": "st3"}], "NO", "NO"),
        ([{"number": "nice"}], "009", "9"),
        (["trim"], " ", None),
    ],
)
def test_a_transform_does_what_its_name_says(apply, use, value, expected):
    assert apply(use, value) == expected


@pytest.mark.parametrize(
    ("use", "value", "reason"),
    [
        (["int"], "1.0", Reason.BAD_NUMBER),
        (["int"], "\u0661", Reason.BAD_NUMBER),
        (["decimal"], "1,5", Reason.BAD_NUMBER),
        (["decimal"], "1e5", Reason.BAD_NUMBER),
        (["decimal"], "NaN", Reason.BAD_NUMBER),
        ([{"decimal": {"point": ",", "group": "."}}], "12.34", Reason.BAD_NUMBER),
        (["bool"], "NO", Reason.WRONG_TYPE),
        (["trim"], True, Reason.WRONG_TYPE),
        ([{"code": "st3"}], "XX", Reason.UNKNOWN_CODE),
        ([{"code": {"1": "seized"}}], "9", Reason.UNKNOWN_CODE),
        ([{"number": "EM.trademark"}], "18222197", Reason.BAD_IDENTIFIER),
        ([{"number": "checked"}], "12", Reason.BAD_CHECK_DIGIT),
        ([{"match": "(a+)"}], "b", Reason.WRONG_TYPE),
        ([{"match": "(a+)"}], "a" * 1001, Reason.TOO_LARGE),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(apply, use, value, reason):
    with pytest.raises(UnfitValueError) as caught:
        apply(use, value)

    assert caught.value.reason is reason
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        ["no_such_thing"],
        [{"trim": 1}],
        [{"pad": 5}],
        [{"match": "("}],
        [{"match": "abc"}],
        [{"date": "%Y"}],
        [{"date": []}],
        [{"date": ["%d %B %Y"]}],
        [{"date": ["%Y-%m"]}],
        [{"datetime": "Mars/Olympus"}],
        [{"code": "nowhere"}],
        [{"code": {}}],
        [{"number": "nothing"}],
        [{"bool": {"true": ["Y"], "false": ["Y"]}}],
        [{"decimal": {"point": ",,"}}],
        [{"join": 1}],
        ["split"],
    ],
)
def test_a_transform_that_cannot_be_made_is_a_fault_of_the_source_file(tools, use):
    with pytest.raises(ValueError):  # noqa: PT011  (its words are the operator's, tested where they are shown)
        pipeline(use, tools)


@pytest.mark.parametrize(
    ("formats", "text", "expected"),
    [
        (["%Y-%m-%d"], "2020-04-09", "2020-04-09"),
        (["%Y-%m-%d"], "2018-04-17-04:00", "2018-04-17"),
        (["%Y-%m-%d"], "2018-04-17+14:00", "2018-04-17"),
        (["%Y-%m-%d"], "2018-04-17Z", "2018-04-17"),
        (["%Y%m%d"], "20211210", "2021-12-10"),
        (["%m/%d/%Y"], "06/17/2010", "2010-06-17"),
        (["%Y-%m-%d", "%Y/%m/%d"], "1972/07/26", "1972-07-26"),
        (["%d-%m-%Y"], "08-04-2020", "2020-04-08"),
        (["%Y-%m-%dT%H:%M:%S"], "2020-07-29T00:00:00", "2020-07-29"),
    ],
)
def test_a_civil_date_is_read_and_its_offset_cut_not_applied(apply, formats, text, expected):
    assert apply([{"date": formats}], text) == expected


@pytest.mark.parametrize(
    ("formats", "text"),
    [
        (["%Y%m%d"], "2026022"),
        (["%Y%m%d"], "202602 2"),
        (["%Y-%m-%d"], "2020-4-9"),
        (["%Y-%m-%d"], "2020-02-30"),
        (["%Y-%m-%d"], "20200409"),
        (["%Y-%m-%d"], "2020-04-09T10:00:00"),
        (["%d/%m/%Y", "%m/%d/%Y"], "03/04/2020"),
        (["%Y%m%d"], "20110500"),
        (["%Y-%m-%d"], "\u0662\u0660\u0662\u0660-04-09"),
    ],
)
def test_a_date_that_does_not_write_back_or_can_mean_two_days_is_refused(apply, formats, text):
    with pytest.raises(UnfitValueError) as caught:
        apply([{"date": formats}], text)

    assert caught.value.reason is Reason.BAD_DATE


@given(
    st.dates(min_value=date(1000, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%Y-%j"]),
)
def test_every_date_comes_back_as_it_was_written(day, pattern):
    assert read_date(day.strftime(pattern), [pattern]) == day


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("Europe/Madrid", "2020-08-12T09:10:19", "2020-08-12T07:10:19Z"),
        ("Asia/Shanghai", "2026-01-01 00:00:00", "2025-12-31T16:00:00Z"),
        ("Asia/Shanghai", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z"),
        ("UTC", "2026-01-01T00:00:00.250Z", "2026-01-01T00:00:00.250000Z"),
        ("Europe/Madrid", "2020-10-25T02:30:00", "2020-10-25T00:30:00Z"),
    ],
)
def test_an_instant_is_told_in_utc(apply, zone, text, expected):
    assert apply([{"datetime": zone}], text) == expected


@pytest.mark.parametrize("text", ["2020-03-29T02:30:00", "2020-08-12", "12.08.2020 09:10", "2020-08-12T25:00:00"])
def test_an_hour_that_never_was_and_half_an_instant_are_refused(text):
    assert read_instant(text, zone_of("Europe/Madrid")) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("D\u00c3\u00bcsseldorf", Reason.WRONG_ENCODING),
        ("\u00e2\u20ac\u0153quoted\u00e2\u20ac\u009d"[:12], Reason.WRONG_ENCODING),
        ("b'<section>x</section>'", Reason.WRONG_ENCODING),
        ("Stra\ufffde", Reason.WRONG_ENCODING),
        ("a\x00b", Reason.NOT_PARSEABLE),
        ("D\u00fcsseldorf", None),
        ("\u00abCAF\u00c9\u00bb", None),
        ("ΑΒΓ", None),
        ("某某 (GB) Ltd", None),
        ("b'", None),
        ("plain", None),
    ],
)
def test_damaged_text_is_told_from_text_in_a_foreign_language(text, reason):
    assert damage(text) is reason


@given(st.text(st.one_of(st.characters(), st.sampled_from("  \t\n\x0b\x1c\x85\xa0\u2003\u2028\u3000"))))
def test_collapsing_leaves_one_space_for_whatever_white_space_there_is(text):
    assert transforms._collapse(text) == " ".join(text.split())


def test_no_printable_character_but_the_space_is_white_space():
    """By which a text is known to need no collapsing."""
    assert [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isprintable() and chr(code).isspace()] == [" "]
