"""Keys in files: written for one reader, read strictly."""

import json
import os

import pytest

from ipx import keyfile
from ipx.keys import public_key
from ipx.problems import KeyFileError

# RFC 8037, appendix A.1 and A.3: an Ed25519 private key as JWK, and the thumbprint of its public half.
RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("alg", keyfile.ALGORITHMS)
def test_a_key_that_was_written_signs_the_same_when_read(tmp_path, alg):
    key = keyfile.generate(alg)
    keyfile.write_key(tmp_path / "key.jwk", key)

    read = keyfile.read_key(tmp_path / "key.jwk")

    public = public_key(read.public_jwk, algorithms=frozenset(keyfile.ALGORITHMS))
    public.verify(read.sign(b"message"), b"message")
    assert (read.kid, read.alg) == (key.kid, alg)


def test_only_its_owner_may_read_a_key_file(tmp_path):
    keyfile.write_key(tmp_path / "key.jwk", keyfile.generate("Ed25519"))

    assert (tmp_path / "key.jwk").stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "key.jwk"
    keyfile.write_key(path, keyfile.generate("Ed25519"))
    path.chmod(0o640)

    with pytest.raises(KeyFileError) as caught:
        keyfile.read_key(path)

    assert caught.value.next_step == f"Run: chmod 600 {path}"


def test_an_existing_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key.jwk"
    keyfile.write_key(path, keyfile.generate("Ed25519"))
    before = path.read_bytes()

    with pytest.raises(KeyFileError, match="exists"):
        keyfile.write_key(path, keyfile.generate("Ed25519"))

    assert path.read_bytes() == before


def test_the_public_half_holds_no_secret():
    for alg in keyfile.ALGORITHMS:
        jwk = keyfile.public_jwk(keyfile.generate(alg))

        assert not {"d", "p", "q", "dp", "dq", "qi"} & jwk.keys()
        assert jwk["alg"] == alg


def test_the_key_of_rfc_8037_is_read_and_named_by_its_thumbprint():
    key = keyfile.parse_key(json.dumps(RFC_8037).encode())

    assert key.kid == RFC_8037_THUMBPRINT


def test_a_pem_file_is_read_as_well():
    for alg in keyfile.ALGORITHMS:
        key = keyfile.generate(alg)

        assert keyfile.parse_key(key.private_pem()).kid == key.kid


def other_half(jwk):
    return {**jwk, "d": keyfile.private_jwk(keyfile.generate("Ed25519"))["d"]}


@pytest.mark.parametrize(
    "spoil",
    [
        other_half,
        lambda jwk: {name: value for name, value in jwk.items() if name != "d"},
        lambda jwk: {**jwk, "d": "AA"},
        lambda jwk: {**jwk, "d": 7},
        lambda jwk: {**jwk, "kid": "my-key"},
        lambda jwk: {**jwk, "crv": "Ed448"},
        lambda jwk: {**jwk, "k": "c2VjcmV0"},
        lambda jwk: [jwk],
    ],
)
def test_a_spoilt_key_file_is_refused_in_words(tmp_path, spoil):
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps(spoil(dict(RFC_8037))))
    path.chmod(0o600)

    with pytest.raises(KeyFileError, match="holds no usable private key"):
        keyfile.read_key(path)


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_halves_that_do_not_belong_together_are_refused(tmp_path, alg):
    one, other = (keyfile.private_jwk(keyfile.generate(alg)) for _ in range(2))
    mixed = {**other, **{name: one[name] for name in ("x", "y", "n", "kid") if name in one}}
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps(mixed))
    path.chmod(0o600)

    with pytest.raises(KeyFileError, match="holds no usable private key"):
        keyfile.read_key(path)


def test_neither_json_nor_pem_is_refused(tmp_path):
    path = tmp_path / "key.jwk"
    for content in (b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff\xfe"):
        path.write_bytes(content)
        path.chmod(0o600)

        with pytest.raises(KeyFileError):
            keyfile.read_key(path)


def test_a_missing_key_file_says_how_to_make_one(tmp_path):
    with pytest.raises(KeyFileError) as caught:
        keyfile.read_key(tmp_path / "nothing.jwk")

    assert "ipx keygen" in caught.value.next_step
    assert os.strerror(2) in str(caught.value)
