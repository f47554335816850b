"""The trust file: pinned once, never older, never signed by somebody else. Against the stub in conftest.py."""

import json

import pytest

from ipx import trustfile
from ipx.channel import Channel
from ipx.keys import generate_signer
from ipx.problems import UnreachableError
from ipx.trustfile import TrustFileError

SOME_KEY = b'{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'


@pytest.fixture
def channel(stub, patience, time):
    channel = Channel(stub.origin, patience=patience, time=time.faculties())
    yield channel
    channel.close()


def test_a_fetched_list_is_written_and_read_again(stub, channel, key, tmp_path):
    trustfile.write(tmp_path / "trust.json", trustfile.fetch(channel))

    read = trustfile.read(tmp_path / "trust.json")

    assert read.fingerprint == stub.issuer.trust_key.kid
    assert read.trust.key(frozenset({"requester"}), key.kid).owner == stub.client_id
    assert json.loads(read.raw).keys() == {"pinned", "trust"}


def test_a_fingerprint_told_by_telephone_must_fit(stub, channel):
    trustfile.fetch(channel, fingerprint=stub.issuer.trust_key.kid)

    with pytest.raises(TrustFileError, match="not another-key"):
        trustfile.fetch(channel, fingerprint="another-key")


def test_a_newer_list_by_the_pinned_key_is_taken_without_asking_for_the_key_again(stub, channel):
    known = trustfile.fetch(channel)
    stub.issuer.version = 2

    newer = trustfile.fetch(channel, known=known)

    assert newer.trust.version == 2
    assert len(stub.calls("GET /log/trust.jwk")) == 1


def test_an_older_list_is_refused(stub, channel):
    stub.issuer.version = 3
    known = trustfile.fetch(channel)
    stub.issuer.version = 2

    with pytest.raises(TrustFileError, match="version 3 was seen before"):
        trustfile.fetch(channel, known=known)


def test_a_list_by_another_key_than_the_pinned_one_is_refused(stub, channel):
    known = trustfile.fetch(channel)
    stub.issuer.trust_key = generate_signer()

    with pytest.raises(TrustFileError, match="another key") as caught:
        trustfile.fetch(channel, known=known)
    assert "Keep the trust file you have" in caught.value.next_step


@pytest.mark.parametrize("body", [b"", b"\xff", b"a.b.c", b"{}"])
def test_what_is_no_trust_list_is_refused(stub, channel, canned, body):
    stub.next("GET /log/trust.jws", canned(200, body))

    with pytest.raises(TrustFileError):
        trustfile.fetch(channel)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"\xff", b'{"kty":"oct","k":"AAAA"}'])
def test_what_is_no_public_key_is_not_pinned(stub, channel, canned, body):
    stub.next("GET /log/trust.jwk", canned(200, body))

    with pytest.raises(TrustFileError, match="key cannot be read"):
        trustfile.fetch(channel)


def test_a_gateway_that_is_away_is_said_so(stub, channel):
    stub.close_listener()

    with pytest.raises(UnreachableError):
        trustfile.fetch(channel)


def test_a_list_that_an_auditor_wrote_himself_needs_no_signature(stub, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(stub.issuer.trust()))

    assert trustfile.read(path).fingerprint is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"pinned": 7, "trust": "x"}',
        b'{"pinned": {}, "trust": "x"}',
        b'{"pinned": %s, "trust": "a.b.c"}' % SOME_KEY,
        b'{"pinned": %s, "trust": "\xc3\xa9"}' % SOME_KEY,
    ],
)
def test_a_file_that_is_no_trust_file_is_refused_in_words(tmp_path, content):
    path = tmp_path / "trust.json"
    path.write_bytes(content)

    with pytest.raises(TrustFileError, match="cannot be relied on"):
        trustfile.read(path)


def test_a_pinned_file_with_a_changed_list_is_refused(stub, channel, tmp_path):
    trustfile.write(tmp_path / "trust.json", trustfile.fetch(channel))
    document = json.loads((tmp_path / "trust.json").read_text())
    stub.issuer.version = 9
    document["trust"] = stub.issuer.signed_trust(generate_signer())
    (tmp_path / "trust.json").write_text(json.dumps(document))

    with pytest.raises(TrustFileError, match="cannot be relied on"):
        trustfile.read(tmp_path / "trust.json")


def test_a_missing_or_unwritable_file_is_said_so(stub, channel, tmp_path):
    with pytest.raises(TrustFileError, match="cannot be read"):
        trustfile.read(tmp_path / "none.json")
    with pytest.raises(TrustFileError, match="cannot be written"):
        trustfile.write(tmp_path / "none" / "trust.json", trustfile.fetch(channel))
