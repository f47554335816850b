"""Receipts: the gateway's signed statement of how one exchange ended, and the log entry that commits to it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from gateway.clock import Clock
from gateway.evidence.signers import require_ready
from ipx import jws
from ipx.commitment import SALT_BYTES, Outcome, entry, receipt_commitment
from ipx.documents import RECEIPT_TYP
from ipx.encoding import b64url
from ipx.jws import Json
from ipx.keys import Signer
from ipx.sdjwt import digest
from ipx.values import value

NOTHING_RELEASED: Final = ""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Ending(NamedTuple):
    """What a receipt states. `presentation` and `sealed_by` go with the outcome `released` only."""

    exchange_id: str
    request: str
    """The request JWS as carried."""
    holder: str
    outcome: Outcome
    sealed_by: Literal["holder", "gateway"] | None = None
    presentation: str = NOTHING_RELEASED
    """The record as handed over: `<issuer JWT>~<disclosure>~…~`; several records on lines of their own."""
    disclosed: Sequence[str] | None = None
    """Digests of one record's disclosures, sorted, where the caller knows them; None: they are made here."""
    stage: str | None = None
    reason: str | None = None
    policies: Mapping[str, str] = _NOTHING
    """`guardrail`, `holder`, `egress` → `name@revision`, those that were asked."""
    book: str | None = None
    """Digest of the policy book in force."""
    snapshot: bytes | None = None
    """What the policy engine was asked, exactly; the receipt holds its SHA-256."""
    obligations: Mapping[str, Json] = _NOTHING
    withheld: Sequence[tuple[str, str, str | None]] = ()
    """Field group, reason, and the policy that decided; None where no policy grants the group."""
    timing_ms: Mapping[str, float] | None = None
    """By stage, up to `sign`; None with `no_information`, where times would tell whether a record exists."""
    more: Mapping[str, Json] = _NOTHING
    """Members that only receipts of some kind have: of an approval, of a query. They change none of the others."""


@value
class Receipt:
    token: str
    salt: bytes
    """Opens the commitment; lives in the erasable exchange row and nowhere else."""
    entry: bytes
    """For the log; says the outcome and the time, and names nobody."""


def receipt_hash(token: str) -> str:
    """Name a document by its bytes as carried: unpadded base64url SHA-256."""
    return b64url(_sha256(token))


class Receipts:
    def __init__(
        self,
        signer: Signer,
        issuer: str,
        log_origin: str,
        clock: Clock,
        *,
        salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT_BYTES),
    ) -> None:
        """Take what every receipt carries.

        Args:
            signer: the receipt key, used for nothing else than receipts and what is stated of them.
            issuer: this gateway's origin; its name in the trust list.
            log_origin: the log in which the receipts' entries stand.
            clock: dates receipts.
            salt: gives 32 random bytes each time.
        """
        self._signer = signer
        self._issuer = issuer
        self._log_origin = log_origin
        self._clock = clock
        self._salt = salt

    def ready(self) -> None:
        """Make sure, before a holder is called, that a receipt can be signed.

        Raises:
            SignerUnavailableError: it cannot.
        """
        require_ready(self._signer)

    def statement(self, members: Mapping[str, Json], *, typ: str) -> str:
        """Sign something else that the gateway states of receipts: it, when, and these members."""
        payload = {"iss": self._issuer, "iat": int(self._clock().timestamp()), **members}
        return jws.sign(payload, self._signer, typ=typ)

    def make(self, ending: Ending, *, prior: str | None = None) -> Receipt:
        """Sign a receipt and make its log entry.

        Args:
            ending: what it states.
            prior: the pending receipt that this one ends.

        Raises:
            ValueError: a record without the outcome `released`, or the other way round.
            ipx.errors.FormatError: something in it cannot be written as strict JSON.
        """
        is_released = ending.outcome == "released"
        if is_released != bool(ending.presentation) or is_released != (ending.sealed_by is not None):
            raise ValueError(f"outcome {ending.outcome} with sealed_by {ending.sealed_by}")
        issuer_jwt, disclosed = _parted(ending.presentation, ending.disclosed)
        at = int(self._clock().timestamp())
        req_hash, rec_hash = _sha256(ending.request), _sha256(issuer_jwt)
        payload: dict[str, Json] = {
            "iss": self._issuer,
            "jti": ending.exchange_id,
            "iat": at,
            "req_hash": b64url(req_hash),
            "rec_hash": b64url(rec_hash),
            "disclosed": [*disclosed],
            "holder": ending.holder,
            "sealed_by": ending.sealed_by,
            "outcome": ending.outcome,
            "stage": ending.stage,
            "reason": ending.reason,
            "policies": dict(ending.policies),
            "book": ending.book,
            "snapshot_sha256": None if ending.snapshot is None else b64url(sha256(ending.snapshot).digest()),
            "obligations": dict(ending.obligations) or None,
            "withheld": [
                {"group": group, "reason": reason, "policy": policy} for group, reason, policy in ending.withheld
            ],
            "timing_ms": None if ending.timing_ms is None else dict(ending.timing_ms),
            "prior": None if prior is None else receipt_hash(prior),
            "log": self._log_origin,
            **ending.more,
        }
        token = jws.sign(
            {name: value for name, value in payload.items() if value is not None}, self._signer, typ=RECEIPT_TYP
        )
        salt = self._salt()
        return Receipt(token, salt, entry(receipt_commitment(salt, req_hash, rec_hash, token), ending.outcome, at))


def _sha256(document: str) -> bytes:
    return sha256(document.encode("ascii")).digest()


def _parted(presentation: str, disclosed: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """Part signed records from their disclosures, and give the digests of these.

    Of several records, the signed parts stand on lines, as they are hashed.
    """
    if disclosed is not None:
        return presentation.partition("~")[0], disclosed
    lines = [line.split("~") for line in presentation.split("\n")]
    return "\n".join(line[0] for line in lines), sorted(digest(each) for line in lines for each in line[1:-1])
