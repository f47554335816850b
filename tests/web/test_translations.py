"""Whatever a page can say, it can say in Chinese."""

import re
from itertools import groupby

import pytest

from gateway.web.labels import _PROBLEMS
from gateway.web.problem_kinds import PROBLEMS
from tests.web.catalogues import GATEWAY, catalogues, slice_of, texts

PLACE = re.compile(r"%\(([a-z_]+)\)[sd]")


@pytest.fixture(scope="module")
def translated():
    """Everything that is translated, by text and context, whichever catalogue has it."""
    return {
        (message.id, message.context): message.string
        for _, catalogue in catalogues()
        for message in catalogue
        if message.id and not message.fuzzy
    }


def by_slice():
    folders = [path.parents[3] for path, _ in catalogues()]
    found = sorted(
        (
            (str(slice_of(path, folders).relative_to(GATEWAY)), path, line, text, context)
            for path, line, text, context in texts()
        ),
        key=lambda one: one[0],
    )
    return {name: list(members) for name, members in groupby(found, key=lambda one: one[0])}


@pytest.mark.parametrize("name", sorted(by_slice()))
def test_every_text_of_a_slice_is_translated(translated, name):
    missing = sorted(
        {
            f"{path.relative_to(GATEWAY)}:{line} {text}"
            for _, path, line, text, context in by_slice()[name]
            if not _full(translated.get((text, context)))
        }
    )

    assert not missing, "\n".join(missing)


def test_no_entry_is_fuzzy():
    assert [message.id for _, catalogue in catalogues() for message in catalogue if message.id and message.fuzzy] == []


def test_a_translation_fills_in_the_same_things(translated):
    for (text, _), said in translated.items():
        english = text if isinstance(text, tuple) else (text,)
        chinese = said if isinstance(said, tuple) else (said,)
        wanted = set(PLACE.findall(english[-1]))
        for one in chinese:
            assert not one or set(PLACE.findall(one)) == wanted, text


def test_problems_that_pages_meet_are_translated():
    assert set(_PROBLEMS) <= set(PROBLEMS)


def _full(said):
    return bool(said) and (isinstance(said, str) or all(said))
