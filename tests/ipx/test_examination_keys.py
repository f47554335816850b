"""Checks 9 and 10 of a bundle: every key was in force when it signed, by the trusted time where one was revoked."""

import json

import pytest

from ipx import bundle, trust
from ipx.errors import BindingError, SignatureError
from tests.ipx.world import DAY, SECOND


def test_a_receipt_later_than_its_witnesses_is_refused(judge, refuses, world, now, minute):
    judge(trust=world.witnessed(), witnesses=world.witnesses, at=SECOND + 5)
    refuses(
        BindingError, "later than the moment", trust=world.witnessed(), witnesses=world.witnesses, at=SECOND,
        cosigned_at=now - minute,
    )  # fmt: skip


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_key_signs_from_its_first_second_to_its_last(judge, refuses, role):
    judge(keys={role: {"valid_from": SECOND}})
    judge(keys={role: {"valid_until": SECOND + 1}})
    refuses(SignatureError, f"{role} key of .* was not in force", keys={role: {"valid_from": SECOND + 1}})
    refuses(SignatureError, f"{role} key of .* was not in force", keys={role: {"valid_until": SECOND}})


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_revoked_key_voids_what_no_trusted_time_proves_older(judge, refuses, world, role):
    later = {role: {"revoked_at": SECOND + 1}}
    at_once = {role: {"revoked_at": SECOND}}
    witnessed = {"witnesses": world.witnesses}

    judge(trust=world.witnessed(keys=later), **witnessed)
    refuses(SignatureError, f"{role} key of .* revoked, and no trusted time", keys=later)
    refuses(
        SignatureError,
        f"{role} key of .* revoked, and the trusted time",
        trust=world.witnessed(keys=at_once),
        **witnessed,
    )


def test_keys_that_signed_nothing_here_do_not_matter(judge):
    judge(keys={"holder": {"revoked_at": SECOND - DAY}})


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_key_without_an_end_stays_in_force(world, now, role):
    payload = world.trust_payload()
    for key in payload["keys"]:
        if key["role"] == role:
            del key["valid_until"]
    listed = trust.load(json.dumps(payload).encode(), pinned=None, at_least=0)

    assert bundle.verify_members(world.members(), listed, now=now).outcome == "released"
