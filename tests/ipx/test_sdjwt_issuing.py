"""What is not issued: reserved names, paths that lead nowhere, one salt twice."""

import json
from itertools import count

import pytest

from ipx import sdjwt
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from tests.ipx.sdjwt_parts import ENVELOPE, HOLDER, TYP, issued


@pytest.mark.parametrize("name", ["_sd", "_sd_alg", "..."])
def test_a_reserved_name_is_not_issued(name):
    for fields in ({name: 1}, {"party": {name: 1}}, {"events": [{name: 1}]}):
        with pytest.raises(FormatError, match="reserved"):
            issued(fields, hidden=[])


@pytest.mark.parametrize("path", [("absent",), (), ("owners", 1), ("owners", "0"), ("owners", 0, "absent"), ("iss", 0)])
def test_a_path_that_leads_nowhere_is_not_hidden(path):
    with pytest.raises(FormatError, match="not in the record"):
        issued(hidden=[path])


def test_a_salt_given_twice_is_noticed():
    with pytest.raises(FormatError, match="salt"):
        sdjwt.issue(
            {**ENVELOPE, "events": ["a", "a"]}, [("events", 0), ("events", 1)], HOLDER, typ=TYP, salt=lambda: "same"
        )


def test_the_salt_is_the_callers():
    numbers = count()
    record = sdjwt.issue(
        {**ENVELOPE, "a": 1}, [("a",)], HOLDER, typ=TYP, decoys=0, salt=lambda: f"salt {next(numbers)}"
    )

    assert json.loads(b64url_bytes(record.disclosures["a",])) == ["salt 0", "a", 1]


def test_a_disclosure_that_is_not_ascii_has_no_digest():
    with pytest.raises(FormatError):
        sdjwt.digest("é")
