"""Check 3 of a bundle: request and receipt, each right in all other respects and signed as damaged."""

import pytest

from ipx import bundle
from ipx.encoding import b64url
from ipx.errors import BindingError, FormatError, SignatureError
from tests.ipx.world import SECOND


@pytest.mark.parametrize("signer", ["request_signer", "receipt_signer", "record_signer"])
def test_a_document_signed_by_a_stranger_is_refused(refuses, world, signer):
    refuses(SignatureError, "Nobody vouches", **{signer: world.stranger})


@pytest.mark.parametrize(
    ("signer", "key"),
    [
        ("request_signer", "gateway"),
        ("receipt_signer", "client"),
        ("record_signer", "gateway"),
        ("record_signer", "client"),
    ],
)
def test_a_document_signed_with_a_key_of_another_role_is_refused(refuses, world, signer, key):
    refuses(SignatureError, "Nobody vouches", **{signer: getattr(world, key)})


@pytest.mark.parametrize("document", ["request", "receipt", "record"])
def test_a_document_whose_issuer_does_not_own_the_key_is_refused(refuses, document):
    refuses(SignatureError, f"The {document} does not hold.*issuer", **{document: {"iss": "somebody-else"}})


def test_a_request_to_another_gateway_is_refused(refuses):
    refuses(BindingError, "another gateway", request={"aud": "https://other.example"})


def test_a_receipt_for_another_request_is_refused(refuses):
    refuses(BindingError, "another request", receipt={"req_hash": b64url(bytes(32))})


def test_a_receipt_for_another_holder_is_refused(refuses):
    refuses(BindingError, "another holder", receipt={"holder": "ipo-xb"})


def test_a_receipt_of_another_log_is_refused(refuses):
    refuses(BindingError, "another log", receipt={"log": "gw.example/log-2"})


@pytest.mark.parametrize("name", ["aud", "jti", "iat", "exp", "holder", "record", "purpose", "legal_basis"])
def test_a_request_that_lacks_a_member_is_refused(refuses, absent, name):
    refuses(FormatError, f"The request does not hold.*{name}", request={name: absent})


@pytest.mark.parametrize("name", ["jti", "iat", "req_hash", "rec_hash", "disclosed", "holder", "outcome", "log"])
def test_a_receipt_that_lacks_a_member_is_refused(refuses, absent, name):
    refuses(FormatError, "The receipt does not hold", receipt={name: absent})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iat", True),
        ("iat", 1.5),
        ("outcome", "RELEASED"),
        ("outcome", ["released"]),
        ("sealed_by", 5),
        ("sealed_by", ""),
        ("stage", 5),
        ("reason", []),
        ("prior", 5),
        ("obligations", []),
        ("withheld", {}),
        ("withheld", ["trademark.owner"]),
        ("withheld", [{"group": "trademark.owner"}]),
        ("withheld", [{"reason": "not_granted"}]),
        ("disclosed", "x"),
        ("disclosed", [1]),
        ("disclosed", ["b", "a"]),
        ("disclosed", ["a", "a"]),
    ],
)
def test_a_receipt_with_a_member_of_another_kind_is_refused(refuses, name, value):
    refuses(FormatError, "The receipt does not hold", receipt={name: value})


@pytest.mark.parametrize("outcome", ["finished", "", None, "act", "erased"])
def test_an_outcome_that_does_not_exist_is_refused(refuses, outcome):
    refuses(FormatError, "no outcome that exists", "denied", receipt={"outcome": outcome})


def test_a_request_for_a_record_and_by_a_query_is_refused(refuses):
    refuses(FormatError, "for neither", request={"query": {}})


def test_a_case_reference_may_be_absent_but_not_empty(judge, refuses, absent):
    assert ", case" not in judge(request={"case_ref": absent}).sentences()[0]
    refuses(FormatError, "case_ref", request={"case_ref": ""})


def test_a_request_made_to_last_is_refused(judge, refuses):
    judge(request={"exp": SECOND + 1})
    for exp in (SECOND, SECOND - 1, SECOND + 61):
        refuses(BindingError, "within 60 seconds", request={"exp": exp})


def test_a_receipt_of_the_future_is_refused_but_for_a_little_skew(judge, refuses):
    judge(at=SECOND + 5)
    refuses(BindingError, "future", at=SECOND + 6)


@pytest.mark.parametrize("file", ["request.jws", "receipt.jws", "record.sd-jwt"])
def test_a_document_that_is_not_ascii_is_refused(world, now, file):
    members = world.members()
    members[file] += "é".encode()

    with pytest.raises(FormatError, match="not ASCII"):
        bundle.verify_members(members, world.trust(), now=now)
