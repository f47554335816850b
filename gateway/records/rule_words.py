"""What a cross-field rule says, in words: for the page of record types."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "not_before": "`{field}` before `{earlier}`",
    "not_after": "`{field}` after `{later}`",
    "present_needs": "`{field}` without `{needs}`",
    "required_unless": "neither `{field}` nor `{other}`",
    "flag_needs": "`{field}` true without `{needs}`",
    "word_needs": "`{field}` {words} without `{needs}`",
    "word_excludes": "`{field}` {words} with `{excludes}`",
    "word_excludes_words": "`{field}` {words} with `{other}` {excludes_words}",
    "unique": "two entries of `{field}` with the same {by}",
    "lines_of": "a line of `{field}` that `{of}` lacks",
    "disjoint": "an entry in both `{field}` and `{other}`",
    "differ": "`{field}` the same as `{others}`",
    "not_among": "`{field}` among `{others}`",
    "one_number": "several numbers in `{field}`",
    "member_present": "an entry of `{field}` without `{member}`",
    "member_needs": "`{member}` in `{field}` without `{needs}`",
    "texts_have_language": "a text in `{field}` without its language",
    "object_needs": "`{field}` with `{member}` and without `{beside}`",
    "between": "`{member}` of `{field}` outside {lowest} to {highest}",
    "working_day": "`{field}` on a Saturday or Sunday",
    "priority_within_months": "`{field}` more than {months} months before `{of}`",
    "no_placeholder_names": "in `{field}` somebody who asked not to be named",
    "consent_by_all": "`{field}` without one of each party in {others}",
    "number_of_office": "`{field}` not in its office's form ({numbers})",
    "written_form": "`{field}` with {forms} not in that form",
    "not_past": "`{field}` in the past",
    "not_past_while": "`{field}` in the past while `{code}` is {words}",
    "not_older_while": "`{field}` more than {months} months ago while `{code}` is {words}",
    "year_not_ahead": "`{field}` of a year to come",
    "hs_edition": "`{member}` of `{field}` not in the edition of the tariff in force",
}


def sentence(name: str, arguments: Mapping[str, Any]) -> str:
    """Say what breaks a rule.

    Raises:
        KeyError: the rule has no words yet.
    """
    return _WORDS[name].format(**{key: _said(value) for key, value in arguments.items()})


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return " or ".join(f"`{inner}`" for inner in value)
    return str(value)
