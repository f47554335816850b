"""Refusals beyond the thirty of the design page: of names, shapes, sizes, signers, times and any changed character."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import sdjwt
from ipx.encoding import b64url
from ipx.errors import BindingError, EvidenceError, FormatError, SignatureError
from tests.ipx.sdjwt_parts import (
    CHILD,
    ELEMENT,
    ENVELOPE,
    HOLDER,
    JSON,
    KEYS,
    NAMED,
    NAMED_DIGEST,
    PARENT,
    PARENT_DIGEST,
    SD,
    SD_ALG,
    SD_ALG_DIGEST,
    TYP,
    UNKNOWN,
    hidden_as,
    issued,
    record,
    signed,
    verify,
)
from tests.ipx.world import NOW


@pytest.mark.parametrize("claim", sorted(sdjwt.CLEAR_CLAIMS))
def test_a_clear_claim_may_not_be_hidden(claim):
    disclosure, digest = hidden_as(claim, ENVELOPE.get(claim, 1_790_000_000))
    payload = record(_sd=[digest])
    payload.pop(claim, None)

    with pytest.raises((FormatError, SignatureError), match=r"hidden behind a disclosure|issuer"):
        verify(signed(payload, disclosure))
    with pytest.raises(FormatError, match="must stand in clear"):
        sdjwt.issue({**ENVELOPE, claim: "x"}, [(claim,)], HOLDER, typ=TYP)


@pytest.mark.parametrize("part", [{"_sd": [UNKNOWN]}, [{"...": UNKNOWN}], {"a": {"_sd": [UNKNOWN]}}])
def test_a_clear_claim_may_not_be_hidden_in_part(part):
    with pytest.raises(FormatError, match="part of the claim 'source'"):
        verify(signed(record(source=part)))
    with pytest.raises(FormatError, match="must stand in clear"):
        sdjwt.issue({**ENVELOPE, "source": {"a": 1}}, [("source", "a")], HOLDER, typ=TYP)


def test_the_name_of_a_clear_claim_is_free_further_inside():
    disclosure, digest = hidden_as("status", "granted")

    assert verify(signed(record(party={"_sd": [digest]}), disclosure)).claims["party"] == {"status": "granted"}


@pytest.mark.parametrize(
    "members",
    [
        {"party": {"_sd_alg": "sha-256"}},
        {"events": [{"_sd_alg": "sha-256"}]},
        {"...": UNKNOWN},
        {"party": {"...": UNKNOWN}},
        {"events": [{"...": UNKNOWN, "x": 1}]},
        {"events": [{"...": UNKNOWN, "_sd": []}]},
        {"events": [[{"...": {}}]]},
    ],
)
def test_a_reserved_name_out_of_its_place_is_refused(members):
    with pytest.raises(FormatError):
        verify(signed(record(**members)))


def test_sd_alg_may_not_come_from_a_disclosure():
    with pytest.raises(FormatError, match="reserved"):
        verify(signed(record(_sd=[SD_ALG_DIGEST]), SD_ALG))


@pytest.mark.parametrize("digest", [1, None, True, {}, [], "", "short", UNKNOWN + "A"])
def test_a_digest_that_is_none_is_refused(digest):
    with pytest.raises(FormatError, match="digest"):
        verify(signed(record(_sd=[digest])))
    with pytest.raises(FormatError, match="digest"):
        verify(signed(record(events=[{"...": digest}])))


@pytest.mark.parametrize(
    "content",
    [[], ["salt"], ["salt", "name", "value", "more"], [1, "name", "value"], ["salt", 1, "value"], [None, "value"],
     {"salt": 1, "b": 2}, "text", None, 5],
)  # fmt: skip
def test_a_disclosure_of_another_shape_is_refused(content):
    disclosure = b64url(json.dumps(content).encode())

    for payload in (record(_sd=[sdjwt.digest(disclosure)]), record(events=[{"...": sdjwt.digest(disclosure)}])):
        with pytest.raises(FormatError):
            verify(signed(payload, disclosure))


def test_a_key_binding_is_refused():
    token = issued().token

    with pytest.raises(FormatError, match="end in ~"):
        verify(token + signed({"nonce": "x"}).rstrip("~"))


def test_a_disclosure_without_a_record_is_refused():
    for token in ("", "~", "~~", f"~{NAMED}~"):
        with pytest.raises(FormatError):
            verify(token)


def test_a_thousand_disclosures_are_taken_and_no_more():
    blocks = [hidden_as(f"n{number}", number) for number in range(1001)]
    disclosures = [disclosure for disclosure, _ in blocks]
    payload = record(_sd=[digest for _, digest in blocks])

    assert len(verify(signed(payload, *disclosures[:1000])).digests) == 1000
    with pytest.raises(FormatError, match="1000"):
        verify(signed(payload, *disclosures))


def test_a_record_up_to_the_limit_is_taken_and_a_longer_one_is_not(monkeypatch):
    token = issued().token
    monkeypatch.setattr(sdjwt, "MAX_BYTES", len(token))
    verify(token)

    monkeypatch.setattr(sdjwt, "MAX_BYTES", len(token) - 1)
    with pytest.raises(FormatError, match="15 MiB"):
        verify(token)


def test_a_key_of_another_role_signs_no_record():
    with pytest.raises(SignatureError, match="requester"):
        sdjwt.verify(issued().token, KEYS, roles=frozenset({"requester"}), typ=TYP, at=NOW)


def test_an_issuer_who_does_not_own_the_key_is_refused():
    with pytest.raises(SignatureError, match="issuer"):
        verify(issued(iss="ipo-xb").token)


@given(st.data())
def test_any_changed_character_is_refused(data):
    token = issued().token
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters().filter(lambda drawn: drawn != token[at]))

    with pytest.raises(EvidenceError):
        verify(token[:at] + character + token[at + 1 :])


@given(st.lists(st.sampled_from([NAMED, ELEMENT, CHILD, PARENT, SD, "", "A", "é", "\ud800"])), JSON)
def test_whatever_is_signed_a_verifier_raises_only_its_own_errors(disclosures, extra):
    payload = record(extra=extra, _sd=[NAMED_DIGEST, PARENT_DIGEST])
    try:
        verify(signed(payload, *disclosures))
    except EvidenceError:
        return


@pytest.mark.parametrize(
    "content", [{"salt": "name"}, [], ["salt"], [1, "name", 2], ["salt", 1, 2], ["salt", "name", 1, 2]]
)
def test_what_a_signed_digest_stands_for_must_be_a_disclosure(content):
    disclosure = b64url(json.dumps(content).encode())

    with pytest.raises(FormatError, match="not a salt"):
        verify(signed(record(_sd=[sdjwt.digest(disclosure)]), disclosure))


# --- validity --------------------------------------------------------------------------------------------------------


SECOND_OF_NOW = int(NOW.timestamp())


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": SECOND_OF_NOW + 1},
        {"iat": SECOND_OF_NOW + 5},
        {"nbf": SECOND_OF_NOW + 5},
        {"nbf": SECOND_OF_NOW, "exp": SECOND_OF_NOW + 1},
    ],
)
def test_a_record_is_valid_up_to_its_last_second(claims):
    verify(issued(**claims).token)


@pytest.mark.parametrize(
    "claims",
    [{"exp": SECOND_OF_NOW}, {"exp": 0}, {"iat": SECOND_OF_NOW + 6}, {"nbf": SECOND_OF_NOW + 6}],
)
def test_a_record_out_of_its_time_is_refused_where_the_time_matters(claims):
    token = issued(**claims).token

    verify(token, at=None)
    with pytest.raises(BindingError):
        verify(token)


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", [True, "1790000000", 1.5, None, -1, 10**12])
def test_a_time_that_is_no_whole_number_is_refused(name, value):
    with pytest.raises(FormatError, match=name):
        verify(signed(record(**{name: value})), at=None)
