"""What policies were asked is written down exactly, for it is asked again."""

from dataclasses import replace

import pytest

from gateway.exchange.questions import Questions
from policies.snapshots import read_snapshots
from tests.policies.conftest import CATALOGUE, question

HALF = "half of \ud83d"
"""Text of a source whose JSON escapes half of a surrogate pair: no UTF-8 can be written of it."""


@pytest.fixture
def questions(clock):
    return Questions(None, None, None, None, CATALOGUE, clock)


def read(snapshot):
    (found,) = read_snapshots("an exchange", snapshot, CATALOGUE, "trademark", "ipo-xa")
    return found.question


def test_a_question_reads_back_as_it_was_asked(questions):
    asked = question("customs-xa", "ipo-xa", "trademark", "border_enforcement", legal_basis="Gesetz § 1, 法")

    assert read(questions.snapshot(asked)) == asked


@pytest.mark.parametrize("facts", [{"right_keys": frozenset({HALF})}, {"case_numbers": frozenset({HALF, "1"})}])
def test_text_that_is_no_utf8_is_written_down_too(questions, facts):
    asked = question("customs-xa", "ipo-xa", "trademark", "border_enforcement", facts=facts)
    of_request = replace(asked, legal_basis=HALF)

    assert read(questions.snapshot(asked)) == asked
    assert read(questions.snapshot(of_request)) == of_request
