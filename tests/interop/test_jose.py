"""npm `jose` and `@sd-jwt/core` read what we sign, and we read what `jose` signs."""

import json

import pytest

from ipx import jws, keyfile, sdjwt
from ipx.encoding import b64url_bytes
from ipx.errors import SignatureError
from ipx.jws import parse_object
from ipx.keys import KeyRing, TrustedKey, generate_signer
from tests.forging import with_another_signature


@pytest.fixture(scope="module")
def judged(node, exchange):
    """What the libraries found, by the name of the document."""
    documents, answer, _ = exchange
    bare = answer.record.partition("~")[0] + "~"
    given = {
        "documents": [document.for_node() for document in documents.values()],
        "records": [documents["record"].for_node() | {"token": token} for token in (answer.record, bare)],
    }
    said = json.loads(node("judge.mjs", json.dumps(given)))
    return dict(zip(documents, said["documents"], strict=True)), said["records"]


@pytest.mark.parametrize("name", ["request", "receipt", "record", "trust list"])
def test_jose_verifies_each_document_that_we_sign(judged, exchange, name):
    document, found = exchange[0][name], judged[0][name]

    assert found["payload"] == parse_object(b64url_bytes(document.token.split(".")[1]))
    assert found["header"] == {"alg": document.alg, "kid": found["thumbprint"], "typ": document.typ}


def test_another_sd_jwt_library_finds_the_same_fields(judged, exchange):
    documents, answer, trust = exchange
    ours = sdjwt.verify(answer.record, trust, roles=frozenset({"seal"}), typ=documents["record"].typ, at=None)
    disclosed, bare = judged[1]

    assert disclosed == {name: value for name, value in ours.claims.items() if name not in {"_sd", "_sd_alg"}}
    assert set(answer.fields) == disclosed.keys() - bare.keys()


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_we_verify_what_jose_signs(node, alg):
    signer = generate_signer(alg)
    members = {"iss": "customs-xa.intake", "iat": 1_790_000_000}
    header = {"alg": alg, "kid": signer.kid, "typ": "ipx-request+jwt"}
    sign = {"payload": members, "jwk": keyfile.private_jwk(signer), "header": header}
    token = json.loads(node("judge.mjs", json.dumps({"sign": sign})))["signed"]
    ring = KeyRing([TrustedKey("requester", signer.kid, "customs-xa.intake", signer.public)])

    assert jws.verify(token, ring, roles=frozenset({"requester"}), typ="ipx-request+jwt").payload == members
    with pytest.raises(SignatureError):
        jws.verify(with_another_signature(token), ring, roles=frozenset({"requester"}), typ="ipx-request+jwt")
