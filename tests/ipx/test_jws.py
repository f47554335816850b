"""Strict JWS: one header, one spelling, type first, key by role, issuer owns the key."""

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipx import jws
from ipx.encoding import b64url, b64url_bytes
from ipx.errors import EvidenceError, FormatError, SignatureError
from ipx.keys import KeyRing, TrustedKey, generate_signer

TYP = "ipx-request+jwt"
SIGNERS = {alg: generate_signer(alg) for alg in ("Ed25519", "ES256")}
CLIENT = SIGNERS["Ed25519"]
KEYS = KeyRing(
    [
        *(TrustedKey("requester", signer.kid, "customs-xa.intake", signer.public) for signer in SIGNERS.values()),
        TrustedKey("holder", CLIENT.kid, "customs-xa.intake", CLIENT.public),
    ]
)
REQUESTER = frozenset({"requester"})
PAYLOAD = {"iss": "customs-xa.intake", "iat": 1_790_000_000, "holder": "ipo-xa"}


def signed(header, payload, signer=CLIENT):
    """A token over any header and payload bytes, properly signed: damaged, but signed as damaged."""
    raw = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(b64url(part) for part in raw)
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode()))}"


def header(**changes):
    return {"alg": "Ed25519", "kid": CLIENT.kid, "typ": TYP, **changes}


def verify(token, roles=REQUESTER):
    return jws.verify(token, KEYS, roles=roles, typ=TYP)


@pytest.mark.parametrize("alg", SIGNERS)
def test_what_is_signed_verifies_and_names_its_key(alg):
    token = jws.sign(PAYLOAD, SIGNERS[alg], typ=TYP)

    verified = verify(token)

    assert verified.payload == PAYLOAD
    assert verified.key.owner == "customs-xa.intake"
    assert json.loads(b64url_bytes(token.split(".")[0])) == {"alg": alg, "kid": SIGNERS[alg].kid, "typ": TYP}


def test_a_token_signed_piece_by_piece_verifies():
    assert verify(signed(header(), PAYLOAD)).payload == PAYLOAD


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"typ": "ipx-receipt+jwt"}, FormatError),
        ({"typ": "IPX-REQUEST+JWT"}, FormatError),
        ({"alg": "none"}, FormatError),
        ({"alg": "EdDSA"}, FormatError),
        ({"alg": "HS256"}, FormatError),
        ({"alg": "RS256"}, FormatError),
        ({"alg": "PS256"}, FormatError),
        ({"alg": "ES256"}, SignatureError),
        ({"alg": ["Ed25519"]}, FormatError),
        ({"kid": "unknown"}, SignatureError),
        ({"kid": ""}, FormatError),
        ({"kid": 5}, FormatError),
        ({"kid": "k" * 1100}, FormatError),
        ({"crit": ["exp"]}, FormatError),
        ({"crit": []}, FormatError),
        ({"jwk": dict(CLIENT.public_jwk)}, FormatError),
        ({"jku": "https://gw.example/keys"}, FormatError),
        ({"x5c": []}, FormatError),
        ({"x5u": ""}, FormatError),
        ({"b64": True}, FormatError),
        ({"cty": "json"}, FormatError),
        ({"zip": "DEF"}, FormatError),
    ],
)
def test_a_header_with_anything_else_is_refused(changed, error):
    with pytest.raises(error):
        verify(signed(header(**changed), PAYLOAD))


@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
def test_a_header_that_lacks_a_member_is_refused(member):
    short = header()
    del short[member]

    with pytest.raises(FormatError, match="exactly"):
        verify(signed(short, PAYLOAD))


def test_the_type_is_judged_before_the_key():
    with pytest.raises(FormatError, match="ipx-receipt"):
        verify(signed(header(typ="ipx-receipt+jwt", kid="unknown"), PAYLOAD))


def test_a_key_counts_only_in_the_role_it_is_listed_for():
    token = jws.sign(PAYLOAD, CLIENT, typ=TYP)

    with pytest.raises(SignatureError, match="gateway"):
        verify(token, roles=frozenset({"gateway"}))
    with pytest.raises(SignatureError, match="more than one"):
        verify(token, roles=frozenset({"holder", "requester"}))


@pytest.mark.parametrize("issuer", ["customs-xb.intake", "customs-xa", "", None, 1, ["customs-xa.intake"]])
def test_an_issuer_who_does_not_own_the_key_is_refused(issuer):
    with pytest.raises(SignatureError, match="issuer"):
        verify(signed(header(), {**PAYLOAD, "iss": issuer}))


def test_a_payload_without_an_issuer_is_refused():
    with pytest.raises(SignatureError, match="issuer"):
        verify(signed(header(), {"iat": 1}))


def test_the_signature_is_judged_before_the_payload_is_read():
    token = signed(header(), b"not json")

    with pytest.raises(SignatureError):
        verify(token[:-6] + "AAAAAA")
    with pytest.raises(FormatError):
        verify(token)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token.rsplit(".", 1)[0],
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.replace(".", ".\n", 1),
        lambda token: token.replace(".", "~", 1),
        lambda token: "",
        lambda token: "é" + token,
        lambda token: "\ud800.\ud800.\ud800",
        lambda token: token + "A" * 2**20,
    ],
)
def test_another_spelling_of_a_token_is_refused(change):
    with pytest.raises(FormatError):
        verify(change(jws.sign(PAYLOAD, CLIENT, typ=TYP)))


def test_a_token_up_to_the_limit_is_taken_and_a_longer_one_is_not(monkeypatch):
    token = jws.sign(PAYLOAD, CLIENT, typ=TYP)
    for limit, length in (("MAX_BYTES", len(token)), ("_MAX_HEADER_TEXT", len(token.split(".")[0]))):
        with monkeypatch.context() as patched:
            patched.setattr(jws, limit, length)
            verify(token)
            patched.setattr(jws, limit, length - 1)
            with pytest.raises(FormatError, match=r"larger|too long"):
                verify(token)


@pytest.mark.parametrize("value", [[], "iss", 5, None, True, [["iss", "customs-xa.intake"]]])
def test_a_header_or_payload_that_is_no_object_is_refused(value):
    with pytest.raises(FormatError, match="not an object"):
        verify(signed(header(), value))
    with pytest.raises(FormatError, match="not an object"):
        verify(signed(value, PAYLOAD))


def test_an_empty_signature_is_no_signature():
    with pytest.raises(SignatureError):
        verify(jws.sign(PAYLOAD, CLIENT, typ=TYP).rsplit(".", 1)[0] + ".")


def test_spare_bits_make_no_second_spelling():
    token = jws.sign(PAYLOAD, CLIENT, typ=TYP)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + last[last.index(token[-1]) | 1]

    with pytest.raises(FormatError):
        verify(twin)


@given(st.data())
def test_any_changed_character_is_refused(data):
    token = jws.sign(PAYLOAD, CLIENT, typ=TYP)
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters().filter(lambda drawn: drawn != token[at]))

    with pytest.raises(EvidenceError):
        verify(token[:at] + character + token[at + 1 :])


@given(st.text())
def test_garbage_is_a_format_error(token):
    with pytest.raises(FormatError):
        verify(token)


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":-1e400}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\\ude00\\ud83d"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":1} {"b":2}',
        b'{"a":1}\0',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":"\n"}',
        b"",
        b"[" * 17 + b"]" * 17,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b'"' + b"a" * (16 * 2**20 - 1) + b'"',
    ],
)
def test_json_with_two_meanings_or_none_is_refused(document):
    with pytest.raises(FormatError):
        jws.parse_json(document)


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"[" * 16 + b"]" * 16, None),
        (b'"' + b"[{" * 40 + b'"', "[{" * 40),
        (b"[" + b"[]," * 40 + b"[]]", [[]] * 41),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b' {"a": 1.5e3}\n', {"a": 1500.0}),
        (b"true", True),
        (b'"' + b"a" * (16 * 2**20 - 2) + b'"', "a" * (16 * 2**20 - 2)),
    ],
)
def test_json_with_one_meaning_is_taken(document, value):
    assert value is None or jws.parse_json(document) == value
    jws.parse_json(document)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_reads_back_as_written(value):
    assert jws.parse_json(jws.dump_json(value)) == value


@given(JSON | st.floats(allow_nan=False, allow_infinity=False))
@example([1e-4, 9.999e-5, 1e16, 9999999999999998.0, 0.0, -0.0, 0.1, 123.456, 5e-324])
@example({"a": 1 << 64, "b": -(1 << 63), "c": (1 << 64) - 1, "d": '\x00\x1f\x7f\u2028"\\/é'})
def test_json_is_written_in_one_way_whatever_writes_it(value):
    standard = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    assert jws.dump_json(value) == standard.encode()


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_json_or_a_format_error(data):
    with contextlib.suppress(FormatError):
        jws.parse_json(data)


def deep(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", b"bytes", {"a": {1, 2}}, deep(17), deep(5000)], ids=type
)
def test_what_no_strict_reader_takes_back_is_not_signed(value):
    with pytest.raises(FormatError):
        jws.sign({"iss": "customs-xa.intake", "value": value}, CLIENT, typ=TYP)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, -1, 253_402_300_800, []])
def test_a_time_is_a_whole_number_of_seconds(value):
    assert jws.instant({"iat": 0}, "iat") == 0
    assert jws.instant({"iat": 253_402_300_799}, "iat") == 253_402_300_799
    with pytest.raises(FormatError):
        jws.instant({"iat": value}, "iat")
    with pytest.raises(FormatError):
        jws.instant({}, "iat")


def test_a_document_under_a_pinned_key_needs_exactly_that_key():
    token = jws.sign(PAYLOAD, CLIENT, typ="ipx-trust+jwt")
    other = SIGNERS["ES256"].public

    assert jws.verify_pinned(token, CLIENT.public, typ="ipx-trust+jwt") == PAYLOAD
    with pytest.raises(SignatureError, match="another key"):
        jws.verify_pinned(token, other, typ="ipx-trust+jwt")
    with pytest.raises(SignatureError, match="fit"):
        jws.verify_pinned(
            signed({"alg": "Ed25519", "kid": CLIENT.kid, "typ": "ipx-trust+jwt"}, PAYLOAD, generate_signer()),
            CLIENT.public, typ="ipx-trust+jwt",
        )  # fmt: skip
    with pytest.raises(FormatError):
        jws.verify_pinned(token, CLIENT.public, typ=TYP)
