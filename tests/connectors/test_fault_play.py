"""Every fault that can be played ends in a failure with a reason, whatever the source file says."""

import pytest

from connectors.errors import SourceFileError
from connectors.fault_play import FAULTS, play, render_played
from connectors.mapping_packs import shipped
from connectors.protocol import FailReason
from tests.connectors.rest_source import OAUTH, SOURCE, XML

EXPECTED = {
    "429": "throttled, ask again in 60 s",
    "403": "throttled, ask again in 30 s",
    "500": "unreachable",
    "error-in-200": "bad_answer",
    "login-page": "bad_answer",
    "redirect": "bad_answer",
    "no-headers": "unreachable",
    "cut": "unreachable",
    "gzip-bomb": "bad_answer",
    "wrong-charset": "record_unreadable",
    "duplicate-key": "record_unreadable",
    "slow-drip": "timeout",
}


@pytest.fixture
def played(tools, write_source):
    def make(text, *names, kind="rest"):
        body = write_source(text.replace("BASE", "https://api.example"), kind=kind)
        return play(body, list(names), secrets={"ID": "i", "KEY": "k"}, variables={}, tools=tools, shelf=shipped)

    return make


@pytest.mark.parametrize("auth", [{}, OAUTH])
def test_each_fault_has_its_reason(played, auth):
    text = SOURCE
    for old, new in auth.items():
        text = text.replace(old, new)

    outcomes = {one.fault: one.outcome for one in played(text, "all")}

    assert outcomes == EXPECTED
    assert outcomes.keys() == FAULTS.keys()


def test_no_fault_is_taken_for_an_answer_by_an_xml_source_either(played):
    outcomes = played(XML, "all")

    assert all(one.is_right for one in outcomes)
    assert {one.outcome.partition(",")[0] for one in outcomes} <= {str(reason) for reason in FailReason}


def test_a_source_file_that_takes_everything_for_absence_is_shown_up(played):
    text = SOURCE.replace("absent: \"code == 'NO_DATA'\"", "absent: {status: [200, 403]}")

    told = render_played(played(text, "error-in-200", "429"))

    assert told == "BAD  error-in-200  fetch → absent\nok   429           fetch → throttled, ask again in 60 s\n"


def test_an_unknown_fault_and_a_source_without_http_are_refused(played):
    with pytest.raises(SourceFileError, match="no fault 418"):
        played(SOURCE, "418")
    files = "reach: {location: /x, match: '*'}\nread: {format: json}\nkey: n\nmap: {n: {path: n, required: true}}\n"
    with pytest.raises(SourceFileError, match="rest, soap and office"):
        played(files, "429", kind="files")
