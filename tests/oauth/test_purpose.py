"""A token bound to a purpose (RFC 9396): registered for the agency, said in the token, and binding for the request."""

import json

import pytest
from flask import request

from gateway.oauth.errors import AccessRefusedError

DETAIL = {"type": "ipx_purpose", "purpose": "border_enforcement", "legal_basis": "CCA 2025 art. 4"}


@pytest.fixture
def details(world):
    def text(*items, **changes):
        return json.dumps(list(items) or [{k: v for k, v in {**DETAIL, **changes}.items() if v is not ...}])

    return text


@pytest.mark.both_databases
def test_the_purpose_is_in_answer_token_and_introspection(intake, details):
    answer = intake.ask(authorization_details=details(case_ref="CX-118", record_types=["trademark"]))

    expected = [{**DETAIL, "case_ref": "CX-118", "record_types": ["trademark"]}]
    assert answer.json["authorization_details"] == expected
    assert intake.post("/oauth/introspect", token=answer.json["access_token"]).json["authorization_details"] == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", None),
        ("x", "GW-220"),
        ("{}", "GW-220"),
        ("[]", "GW-220"),
        ("[1]", "GW-220"),
        ("[[]]", "GW-220"),
        ("null", "GW-220"),
        ('[{"type":"ipx_purpose","type":"ipx_purpose"}]', "GW-220"),
        ("[" * 40 + "]" * 40, "GW-220"),
        ('[{"purpose":"border_enforcement"}]', "GW-220"),
        ('[{"type":1}]', "GW-220"),
        ('[{"type":"payment_initiation"}]', "GW-221"),
    ],
)
def test_malformed_details_are_refused(intake, refused, text, code):
    answer = intake.ask(authorization_details=text)

    if code is None:
        assert answer.status_code == 200  # a parameter without a value counts as not sent
        return
    refused(answer, "invalid_authorization_details", code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actions": ["read"]}, "GW-222"),
        ({"purpose": ...}, "GW-220"),
        ({"purpose": 1}, "GW-220"),
        ({"purpose": ""}, "GW-220"),
        ({"legal_basis": ...}, "GW-220"),
        ({"legal_basis": "x" * 257}, "GW-220"),
        ({"case_ref": None}, "GW-220"),
        ({"record_types": []}, "GW-220"),
        ({"record_types": "trademark"}, "GW-220"),
        ({"record_types": [1]}, "GW-220"),
        ({"record_types": ["x"] * 33}, "GW-220"),
        ({"record_types": ["x" * 200] * 20}, "GW-220"),
        ({"purpose": "marketing"}, "GW-230"),
        ({"purpose": "court_proceeding"}, "GW-230"),
    ],
)
def test_details_that_say_too_much_or_too_little_are_refused(intake, refused, details, changes, code):
    refused(intake.ask(authorization_details=details(**changes)), "invalid_authorization_details", code)


def test_two_purposes_in_one_token_are_refused(intake, refused, details):
    refused(intake.ask(authorization_details=details(DETAIL, DETAIL)), "invalid_authorization_details", "GW-220")


@pytest.mark.parametrize(
    ("asked", "inside"),
    [
        ({}, True),
        ({"purpose": "investigation"}, False),
        ({"legal_basis": "another law"}, False),
        ({"case_ref": "CX-119"}, False),
        ({"case_ref": None}, False),
        ({"record_type": "court_case"}, False),
    ],
)
def test_a_request_must_fall_inside_the_purpose(world, intake, details, asked, inside):
    token = intake.token(authorization_details=details(case_ref="CX-118", record_types=["trademark"]))
    proof = intake.proof("GET", f"{world.ORIGIN}/v1/whoami", token)
    with world.app.test_request_context("/v1/whoami", headers={"Authorization": f"DPoP {token}", "DPoP": proof}):
        caller = world.guard.authenticate(request, "exchange:request")
    wanted = {
        "purpose": "border_enforcement",
        "legal_basis": "CCA 2025 art. 4",
        "case_ref": "CX-118",
        "record_type": "trademark",
    } | asked

    if inside:
        caller.require_purpose(**wanted)
        return
    with pytest.raises(AccessRefusedError, match="GW-231"):
        caller.require_purpose(**wanted)
