"""OpenSSL verifies our signatures: JWS of both algorithms, log signatures and cosignatures of notes."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ipx.encoding import b64_bytes, b64url_bytes
from ipx.keys import generate_signer, public_key
from ipx.note import COSIGNATURE, NoteSigner, sign

VERIFY = ("pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message", "-sigfile", "signature")
GOOD = "Signature Verified Successfully\n"


def pem(key):
    return key.native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def in_der(signature):
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def judge(openssl, key, message, signature):
    options = ("-digest", "sha256") if key.alg == "ES256" else ()
    signature = in_der(signature) if key.alg == "ES256" else signature
    return openssl(*VERIFY, *options, key=pem(key), message=message, signature=signature)


@pytest.mark.parametrize("name", ["request", "receipt", "record", "trust list"])
def test_openssl_verifies_each_document_that_we_sign(openssl, exchange, name):
    document = exchange[0][name]
    message, _, signature = document.token.rpartition(".")
    key = public_key(document.jwk)

    good = judge(openssl, key, message.encode(), b64url_bytes(signature))
    bad = judge(openssl, key, message.encode() + b" ", b64url_bytes(signature))

    assert (good.returncode, good.stdout) == (0, GOOD)
    assert bad.returncode == 1


def test_the_documents_of_one_exchange_are_of_both_algorithms(exchange):
    assert {document.alg for document in exchange[0].values()} == {"ES256", "Ed25519"}


def test_openssl_verifies_the_signature_of_a_checkpoint(openssl, exchange):
    _, answer, trust = exchange
    text, _, lines = answer.evidence.checkpoint.partition("\n\n")
    signature = b64_bytes(lines.split()[2])[4:]
    (key,) = trust.log.keys

    assert judge(openssl, key.public_key, f"{text}\n".encode(), signature).stdout == GOOD


def test_openssl_verifies_a_cosignature(openssl):
    witness = NoteSigner("w.example/witness", generate_signer("Ed25519"), COSIGNATURE)
    text, at = "gw.example/log\n1\n" + "A" * 43 + "=\n", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    line = sign(text, witness, at=at).splitlines()[-1]
    stamp, signature = b64_bytes(line.split()[2])[4:12], b64_bytes(line.split()[2])[12:]

    assert int.from_bytes(stamp, "big") == int(at.timestamp())
    message = f"cosignature/v1\ntime {int(at.timestamp())}\n{text}".encode()
    assert judge(openssl, witness.key.public_key, message, signature).stdout == GOOD
