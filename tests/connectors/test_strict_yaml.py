import pytest

from connectors import strict_yaml
from connectors.strict_yaml import YamlError


def test_a_country_code_stays_a_country_code():
    loaded = strict_yaml.load("countries: [NO, yes, off, y]\nsure: true")

    assert loaded == {"countries": ["NO", "yes", "off", "y"], "sure": True}


@pytest.mark.parametrize("text", ["2020-04-08", "12:30", "010", "0x10", "1e3", "1_000", "1.5", ".inf", "<<"])
def test_what_yaml_1_1_would_reinterpret_stays_the_text_that_was_written(text):
    assert strict_yaml.load(f"value: {text}") == {"value": text}


def test_plain_whole_numbers_and_null_are_read():
    assert strict_yaml.load("a: 30\nb: -1\nc:\nd: null") == {"a": 30, "b": -1, "c": None, "d": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("map: 1\nmap: 2", "duplicate key 'map' (line 2, column 1)"),
        ("a: {b: 1, b: 2}", "duplicate key 'b'"),
        ("1: a", "a key must be a text"),
        ("true: a", "a key must be a text"),
        ("? [a]\n: b", "a key must be a text"),
        ("a: &x 1\nb: *x", "anchors are not allowed"),
        ("a: *x", "aliases are not allowed"),
        ("a: !!timestamp 2020-04-08", "tags are not allowed"),
        ("a: !!python/object/apply:os.system [true]", "tags are not allowed"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: {", "line 1"),
        ("a: \x00", "not YAML"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(text, said):
    with pytest.raises(YamlError, match=said.replace("(", r"\(").replace(")", r"\)")):
        strict_yaml.load(text)


def test_deep_nesting_and_great_length_are_refused_before_they_cost_anything():
    with pytest.raises(YamlError, match="nested too deeply"):
        strict_yaml.load("[" * 500)
    with pytest.raises(YamlError, match="longer than"):
        strict_yaml.load("#" * 300_000)
