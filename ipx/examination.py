"""The examination of one exchange's evidence: ten checks in a fixed order; the first that fails ends it.

Each check takes what the earlier ones have established. Its error names the document and says what does not hold.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ipx import container, jws
from ipx.commitment import commitment, entry
from ipx.documents import RECEIPT_TYP, REQUEST_TYP, Receipt, Request
from ipx.encoding import ascii_text, b64url_bytes, hashed
from ipx.errors import BindingError, EvidenceError, FormatError, SignatureError, TrustError
from ipx.handover import erased_of, handed_over, require_chosen, signed_parts
from ipx.jws import CLOCK_SKEW_SECONDS, instant, parse_object, text
from ipx.keys import TrustedKey
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.note import Cosigned, InclusionProof, LogPolicy, open_checkpoint, parse_proof
from ipx.report import Report, TimeSource
from ipx.sdjwt import Presentation
from ipx.statement import STATEMENT, require_agreement
from ipx.timestamp import verify_timestamp
from ipx.trust import Trust

MAX_REQUEST_SECONDS: Final = 60
FRESH_SECONDS: Final = 300
MAX_PENDING_SECONDS: Final = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Signature:
    """Who signed something, and when by the signer's own clock."""

    key: TrustedKey
    at: int


@dataclass(frozen=True, slots=True)
class _Time:
    """By when somebody else than the gateway had seen the entry."""

    at: datetime | None = None
    source: TimeSource | None = None


def examine(members: Mapping[str, bytes], trust: Trust, *, now: datetime, is_filing: bool = False) -> Report:
    """Examine the files of a bundle, without its manifest.

    Args:
        members: by their names in a bundle; an answer's statement may be among them.
        trust: what the reader trusts.
        now: the present; nothing may be later.
        is_filing: whether these are the files of a pending receipt inside another bundle; then none may be inside it.

    Raises:
        EvidenceError: the first thing that does not hold, by its kind.
    """
    container.require_names(members.keys() - {STATEMENT})
    _require_timestamp(members, trust)
    with _naming("The request"):
        request, requested = _request(members, trust)
    with _naming("The receipt"):
        receipt, acknowledged = _receipt(members, trust)
    _require_same_exchange(request, receipt, trust, now)
    filing = _filing(members, trust, request, receipt, now, is_filing=is_filing)
    with _naming("The record"):
        presentations = handed_over(members, trust, request, receipt)
    erased = erased_of(members, receipt, presentations)
    require_chosen(request, receipt, presentations, is_whole=not erased)
    logged = _require_entry(members, request, receipt, presentations)
    proof, cosigned = _require_inclusion(members, trust.log_named(receipt.log), logged, now)
    time = _time(members, trust, proof, cosigned, now)
    _require_in_force(_signatures(requested, acknowledged, presentations, filing), receipt, time)
    if STATEMENT in members:
        require_agreement(members[STATEMENT], receipt)
    return Report(
        request=request,
        receipt=receipt,
        records=tuple(presentation.claims for presentation in presentations),
        disclosed=sum(len(presentation.digests) for presentation in presentations),
        withheld=sum(len(presentation.withheld) for presentation in presentations) - len(erased),
        erased=len(erased),
        log_index=proof.index,
        log_size=cosigned.checkpoint.size,
        cosignatures=len(cosigned.cosigned_at),
        filed_at=filing.filed_at if filing else datetime.fromtimestamp(receipt.issued_at, UTC),
        trusted_at=time.at,
        time_source=time.source,
        trust_version=trust.version,
    )


def _require_timestamp(members: Mapping[str, bytes], trust: Trust) -> None:
    if trust.tsa_roots and container.TIMESTAMP not in members:
        raise BindingError("The trust list demands an authority's time-stamp, and the evidence has none, or none yet.")
    if container.TIMESTAMP in members and not trust.tsa_roots:
        raise TrustError("The evidence carries a time-stamp, and the trust list names no authority to judge it by.")


def _request(members: Mapping[str, bytes], trust: Trust) -> tuple[Request, _Signature]:
    token = ascii_text(members[container.REQUEST])
    verified = jws.verify(token, trust, roles=frozenset({"requester"}), typ=REQUEST_TYP)
    request = Request.read(token, verified.payload)
    if not 0 < request.expires_at - request.issued_at <= MAX_REQUEST_SECONDS:
        raise BindingError(f"It was not made to be used within {MAX_REQUEST_SECONDS} seconds.")
    return request, _Signature(verified.key, request.issued_at)


def _receipt(members: Mapping[str, bytes], trust: Trust) -> tuple[Receipt, _Signature]:
    token = ascii_text(members[container.RECEIPT])
    verified = jws.verify(token, trust, roles=frozenset({"gateway"}), typ=RECEIPT_TYP)
    receipt = Receipt.read(token, verified.payload)
    return receipt, _Signature(verified.key, receipt.issued_at)


def _require_same_exchange(request: Request, receipt: Receipt, trust: Trust, now: datetime) -> None:
    if receipt.req_hash != hashed(request.token):
        raise BindingError("The receipt is for another request than this one.")
    if receipt.issuer != request.audience:
        raise BindingError("The request was made to another gateway than the one that signed the receipt.")
    if receipt.holder != request.holder:
        raise BindingError("The receipt names another holder than the one that was asked.")
    trust.log_named(receipt.log)
    if receipt.issued_at > now.timestamp() + CLOCK_SKEW_SECONDS:
        raise BindingError("The receipt is dated in the future: the gateway's clock or this machine's is wrong.")


def _filing(
    members: Mapping[str, bytes], trust: Trust, request: Request, receipt: Receipt, now: datetime, *, is_filing: bool
) -> Report | None:
    pending = members.get(container.PENDING)
    if (receipt.prior is None) != (pending is None):
        raise BindingError(
            "The receipt ends a pending one that is missing here, or a pending one is here that it does not."
        )
    if pending is None:
        if abs(receipt.issued_at - request.issued_at) > FRESH_SECONDS:
            raise BindingError("The request was not fresh when the receipt was made.")
        return None
    if is_filing or receipt.outcome == "pending":
        raise BindingError("A pending receipt follows another one; there are two receipts at most.")
    with _naming("The bundle of the pending receipt"):
        filing = examine(container.unpack(pending), trust, now=now, is_filing=True)
    first = filing.receipt
    if first.outcome != "pending" or receipt.prior != hashed(first.token):
        raise BindingError("The receipt ends another pending receipt than the one that is here.")
    if first.exchange != receipt.exchange or filing.request.token != request.token:
        raise BindingError("The pending receipt is of another exchange.")
    if not 0 <= receipt.issued_at - first.issued_at <= MAX_PENDING_SECONDS:
        raise BindingError("The exchange was pending for more than 90 days, or ended before it began.")
    return filing


def _require_entry(
    members: Mapping[str, bytes], request: Request, receipt: Receipt, presentations: tuple[Presentation, ...]
) -> bytes:
    opening = parse_object(members[container.OPENING])
    if opening.keys() != {"salt"}:
        raise FormatError("The opening of the commitment is not a salt.")
    salt = b64url_bytes(text(opening, "salt"))
    committed = commitment(salt, request.token, signed_parts(presentations), receipt.token)
    expected = entry(committed, receipt.outcome, receipt.issued_at)
    if members[container.ENTRY] != expected:
        raise BindingError("The log entry does not commit to these documents.")
    return expected


def _require_inclusion(
    members: Mapping[str, bytes], policy: LogPolicy, logged: bytes, now: datetime
) -> tuple[InclusionProof, Cosigned]:
    try:
        proof = parse_proof(members[container.PROOF].decode())
    except UnicodeDecodeError as error:
        raise FormatError("The proof of inclusion is not UTF-8.") from error
    cosigned = open_checkpoint(proof.checkpoint_note, policy, now=now)
    head = cosigned.checkpoint
    verify_inclusion(proof.index, head.size, leaf_hash(logged), proof.hashes, head.root)
    return proof, cosigned


def _time(
    members: Mapping[str, bytes], trust: Trust, proof: InclusionProof, cosigned: Cosigned, now: datetime
) -> _Time:
    """Take the authority's time, else the moment by which a quorum had cosigned; without either there is none."""
    quorum = trust.log.quorum
    if container.TIMESTAMP not in members:
        return _Time(cosigned.cosigned_at[quorum - 1], "witnesses") if quorum else _Time()
    with _naming("The time-stamp"):
        token, note = members[container.TIMESTAMP], proof.checkpoint_note.encode()
        at = verify_timestamp(token, note, trust.tsa_roots, nonce=None, policy=trust.tsa_policy)
    skew = timedelta(seconds=CLOCK_SKEW_SECONDS)
    if at > now + skew:
        raise BindingError("The time-stamp is of the future: the authority's clock or this machine's is wrong.")
    if any(moment > at + skew for moment in cosigned.cosigned_at):
        raise BindingError("A witness cosigned the checkpoint later than the time-stamp over it says.")
    return _Time(at, "time-stamp")


def _signatures(
    requested: _Signature, acknowledged: _Signature, presentations: tuple[Presentation, ...], filing: Report | None
) -> Iterator[_Signature]:
    if filing is None:  # else the request was judged by the time of its filing
        yield requested
    yield acknowledged
    for presentation in presentations:
        yield _Signature(presentation.key, instant(presentation.claims, "iat"))


def _require_in_force(signatures: Iterator[_Signature], receipt: Receipt, time: _Time) -> None:
    if time.at is not None and receipt.issued_at > time.at.timestamp() + CLOCK_SKEW_SECONDS:
        raise BindingError("The receipt is dated later than the moment by which others had seen its log entry.")
    for signature in signatures:
        key = signature.key
        name = f"The {key.role} key of {key.owner}"
        begins, ends = (moment.timestamp() if moment else None for moment in (key.valid_from, key.valid_until))
        if (begins is not None and signature.at < begins) or (ends is not None and signature.at >= ends):
            raise SignatureError(f"{name} was not in force when it signed.")
        if key.revoked_at is not None and (time.at is None or key.revoked_at <= time.at):
            proof = "no trusted time proves" if time.at is None else "the trusted time does not prove"
            raise SignatureError(f"{name} is revoked, and {proof} that the signature is older.")


@contextmanager
def _naming(document: str) -> Iterator[None]:
    """Name the document in every error of its check."""
    try:
        yield
    except EvidenceError as error:
        raise type(error)(f"{document} does not hold. {error}") from error
