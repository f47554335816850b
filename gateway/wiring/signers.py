"""The server's own private keys."""

from dataclasses import dataclass

from gateway.evidence.signers import read_signer, require_apart
from gateway.settings import Settings
from ipx.keys import Signer


@dataclass(frozen=True, slots=True)
class OwnSigners:
    """The server's own private keys, one for each purpose."""

    receipt: Signer
    log: Signer
    trust: Signer | None
    witness: Signer | None


def own_signers(settings: Settings) -> OwnSigners:
    """Take the server's keys from where its settings say they are.

    Raises:
        KeyFileError: one cannot be used, or serves two purposes.
        SignerUnavailableError: a token does not answer.
    """
    signers = OwnSigners(
        receipt=read_signer(settings.receipt_key),
        log=read_signer(settings.log_key, "Ed25519"),
        trust=read_signer(settings.trust_key) if settings.trust_key else None,
        witness=read_signer(settings.witness_key, "Ed25519") if settings.witness_key else None,
    )
    require_apart(
        {
            "IPX_RECEIPT_KEY": signers.receipt,
            "IPX_LOG_KEY": signers.log,
            "IPX_TRUST_KEY": signers.trust,
            "IPX_WITNESS_KEY": signers.witness,
        }
    )
    return signers
