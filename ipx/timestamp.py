"""Time-stamps of an authority (RFC 3161), verified with the package `rfc3161-client`, installed only where needed.

Its traps are avoided here: it keeps roots in a set and of two with one subject tries one at random, so it is asked once
for each root; what it raises is of several kinds, and becomes one. A certificate must have been valid when the stamp
was made, not now. It passes over what no signature covers; there a stamp must say the one thing that fits the rest, so
that of one stamp there are no two spellings.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509

from ipx.errors import SignatureError, TrustError


def verify_timestamp(
    token: bytes, message: bytes, roots: Sequence[x509.Certificate], *, nonce: int | None, policy: str | None
) -> datetime:
    """Check that an authority has seen a message.

    Args:
        token: the authority's reply (`TimeStampResp`, DER).
        message: what was stamped.
        roots: certificates trusted to issue to authorities.
        nonce: what the query carried, where this is the reply to it.
        policy: the object identifier of the policy demanded; None where any will do.

    Returns:
        the time that the authority states.

    Raises:
        SignatureError: it did not stamp this message, or none of the roots stands behind it.
        TrustError: the package is not installed.
    """
    try:
        from rfc3161_client import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional
            VerificationError,
            VerifierBuilder,
            decode_timestamp_response,
        )
    except ImportError as error:
        raise TrustError("Time-stamps cannot be judged here: install the package rfc3161-client.") from error
    try:
        response = decode_timestamp_response(token)
        stated: datetime = response.tst_info.gen_time
    except ValueError as error:
        raise SignatureError("The time-stamp is not a granted reply of an authority.") from error
    _require_unsigned_parts_to_fit(token)
    demanded = x509.ObjectIdentifier(policy) if policy else None
    reason: Exception | None = None
    for root in roots:
        verifier = VerifierBuilder(roots=[root], nonce=nonce, policy_id=demanded).build()
        try:
            verifier.verify_message(response, message)
        except (VerificationError, ValueError) as error:
            reason = error
        else:
            return stated.astimezone(UTC)
    raise SignatureError("The time-stamp is not over this checkpoint, or by no authority that is trusted.") from reason


def _require_unsigned_parts_to_fit(token: bytes) -> None:
    """Judge what the signature does not cover (RFC 5652 §5.1, §5.3): the two versions and the named algorithm."""
    from asn1crypto import tsp  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415 - as above

    try:
        signed = tsp.TimeStampResp.load(token, strict=True)["time_stamp_token"]["content"]
        [signer] = signed["signer_infos"]
        hashed, method = signer["digest_algorithm"]["algorithm"].native, signer["signature_algorithm"]
        fits = method["algorithm"].native == "rsassa_pkcs1v15" or method.hash_algo == hashed
        versions = signed["version"].native, signer["version"].native
    except ValueError as error:
        raise SignatureError("The time-stamp is not built as RFC 5652 says.") from error
    by_issuer = signer["sid"].name == "issuer_and_serial_number"
    if versions != ("v3", "v1" if by_issuer else "v3") or not fits:
        raise SignatureError("The time-stamp names a version or an algorithm other than the one that it was made by.")
