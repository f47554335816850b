"""Checks 5 and 6 of a bundle: the record is the one asked for, and shows exactly what the receipt names."""

import json

import pytest

from ipx import bundle
from ipx.encoding import b64url
from ipx.errors import BindingError, FormatError
from tests.ipx.world import SECOND

# --- 5: the record ---------------------------------------------------------------------------------------------------


def test_a_release_without_a_record_is_refused(refuses, absent):
    refuses(BindingError, "a record is missing", **{"record.sd-jwt": absent})


def test_a_refusal_with_a_record_is_refused(refuses, world):
    refuses(BindingError, "a record is here", "denied", **{"record.sd-jwt": world.members()["record.sd-jwt"]})


def test_a_refusal_bound_to_a_record_is_refused(refuses):
    refuses(BindingError, "yet is bound to a record", "denied", receipt={"rec_hash": b64url(bytes(32))})


@pytest.mark.parametrize("receipt", [{"sealed_by": "gateway"}, {"disclosed": ["x"]}])
def test_a_refusal_that_names_fields_or_a_seal_is_refused(refuses, receipt):
    refuses(FormatError, "releases nothing and yet", "denied", receipt=receipt)


@pytest.mark.parametrize("sealed_by", ["holder", "gateway"])
@pytest.mark.parametrize("place", ["key", "record", "receipt", "receipt_absent", "record_absent"])
def test_key_record_and_receipt_must_agree_on_who_sealed(refuses, world, absent, sealed_by, place):
    other = "gateway" if sealed_by == "holder" else "holder"
    damage = {
        "key": {"record_signer": world.holder if other == "holder" else world.seal},
        "record": {"record": {"sealed_by": other}},
        "receipt": {"receipt": {"sealed_by": other}},
        "receipt_absent": {"receipt": {"sealed_by": absent}},
        "record_absent": {"record": {"sealed_by": absent}},
    }[place]

    refuses(BindingError, "do not agree", "released", sealed_by, **damage)


def test_another_record_than_the_one_asked_for_is_refused(refuses, absent):
    refuses(BindingError, "not the record that was asked for", record={"sub": "urn:ipx:ipo-xa:trademark:1"})
    refuses(BindingError, "not the record that was asked for", record={"sub": absent})


def test_a_record_of_another_holder_is_refused(refuses, world):
    keys = {"seal": {"iss": "ipo-xb"}}
    refuses(BindingError, "not of the holder", record={"iss": "ipo-xb"}, keys=keys)


def test_a_record_the_receipt_was_not_made_for_is_refused(refuses):
    refuses(BindingError, "not the record that the receipt", receipt={"rec_hash": b64url(bytes(32))})


def test_a_record_is_judged_at_the_moment_of_the_receipt(judge, refuses, now, world, minute):
    members = world.members(record={"exp": SECOND + 1})

    bundle.verify_members(members, world.trust(), now=now + 60 * minute)
    refuses(BindingError, "no longer valid", record={"exp": SECOND})
    refuses(BindingError, "not yet valid", record={"nbf": SECOND + 6})


def test_a_record_without_a_date_is_refused(refuses, absent):
    refuses(FormatError, "iat", record={"iat": absent})


# --- 6: disclosed and erased -----------------------------------------------------------------------------------------


def test_a_field_more_or_less_than_the_receipt_says_is_refused(refuses, world, now):
    refuses(BindingError, "not exactly those", receipt={"disclosed": []})
    members = world.members()
    jwt, _, *rest = members["record.sd-jwt"].decode().split("~")
    members["record.sd-jwt"] = "~".join([jwt, *rest]).encode()
    with pytest.raises(BindingError, match="not exactly those"):
        bundle.verify_members(members, world.trust(), now=now)


@pytest.mark.parametrize("erased", [b"{}", b"[]", b"[1]", b'["a","a"]', b'"a"', b"nothing"])
def test_a_list_of_erased_fields_in_another_form_is_refused(refuses, erased):
    refuses(FormatError, "JSON|erased", **{"erased.json": erased})


def test_what_the_record_does_not_hide_cannot_be_erased(world, now):
    members = world.members()
    disclosure = members["record.sd-jwt"].decode().split("~")[1]
    for digest in ("A" * 43, bundle_digest(disclosure)):
        members["erased.json"] = json.dumps([digest]).encode()
        with pytest.raises(BindingError, match="does not hide"):
            bundle.verify_members(members, world.trust(), now=now)


def test_a_refusal_has_nothing_to_erase(refuses):
    refuses(BindingError, "does not hide", "denied", **{"erased.json": json.dumps(["A" * 43]).encode()})


def test_a_withheld_field_cannot_be_passed_off_as_erased(world, now):
    members = world.members(erased=("owners",))
    other = world.members(erased=("owners",))
    members["erased.json"] = other["erased.json"]

    with pytest.raises(BindingError, match="does not hide"):
        bundle.verify_members(members, world.trust(), now=now)


def bundle_digest(disclosure):
    from ipx.sdjwt import digest  # noqa: PLC0415 - only here

    return digest(disclosure)
