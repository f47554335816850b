"""What an exchange handed over: its record, or a query's records, and the fields erased since; third to sixth check."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ipx import container, sdjwt
from ipx.documents import RECORD_TYP, Receipt, Request
from ipx.encoding import ascii_text, hashed
from ipx.errors import BindingError, FormatError
from ipx.jws import parse_json
from ipx.sdjwt import Presentation
from ipx.trust import Trust

_SEALED_BY: Final[Mapping[str, str]] = {"holder": "holder", "seal": "gateway"}


def handed_over(
    members: Mapping[str, bytes], trust: Trust, request: Request, receipt: Receipt
) -> tuple[Presentation, ...]:
    """Verify the record, or a query's records, each on a line of its own; none where nothing was released.

    Raises:
        BindingError: present or missing against the outcome, of another request or receipt, sealed by somebody else.
        FormatError: it is no SD-JWT, or breaks a rule of one.
        SignatureError: nobody vouches for the key, or the signature does not fit.
    """
    raw = members.get(container.RECORD)
    if (receipt.outcome == "released") != (raw is not None):
        raise BindingError(f"The outcome is {receipt.outcome!r}, and a record is {'here' if raw else 'missing'}.")
    if raw is None:
        if receipt.rec_hash != hashed(""):
            raise BindingError("The receipt releases nothing and yet is bound to a record.")
        return ()
    lines = [ascii_text(raw)] if request.query is None else ascii_text(raw).split("\n")
    found = tuple(_record(line, trust, request, receipt) for line in lines)
    if receipt.rec_hash != hashed(signed_parts(found)):
        raise BindingError("It is not the record that the receipt was made for.")
    return found


def _record(raw: str, trust: Trust, request: Request, receipt: Receipt) -> Presentation:
    at = datetime.fromtimestamp(receipt.issued_at, UTC)
    presentation = sdjwt.verify(raw, trust, roles=frozenset({"holder", "seal"}), typ=RECORD_TYP, at=at)
    claims = presentation.claims
    if not claims.get("sealed_by") == receipt.sealed_by == _SEALED_BY[presentation.key.role]:
        raise BindingError("Key, record and receipt do not agree on whether the holder or the gateway sealed it.")
    if presentation.key.owner != request.holder or (request.query is None and claims.get("sub") != request.record):
        raise BindingError("It is not the record that was asked for, or not of the holder that was asked.")
    return presentation


def require_chosen(
    request: Request, receipt: Receipt, presentations: tuple[Presentation, ...], *, is_whole: bool
) -> None:
    """Check that records are those that a query asks for; what they were chosen by they disclose, unless erased.

    Raises:
        BindingError: they are not.
    """
    query = request.query
    if query is None or receipt.records is None:
        if (query is not None and presentations) or receipt.records is not None:
            raise BindingError("The receipt tells of several records, and the request asks for one; or the reverse.")
        return
    names = [presentation.claims.get("sub") for presentation in presentations]
    if len(names) != len(receipt.records) or len(set(map(str, names))) != len(names) or len(names) > query.limit:
        raise BindingError("The receipt tells of another number of records, or one is here twice.")
    for presentation, name in zip(presentations, names, strict=True):
        if not isinstance(name, str) or not name.startswith(f"urn:ipx:{request.holder}:{query.record_type}:"):
            raise BindingError("A record is not of the type that was asked for.")
        if is_whole and not query.admits(presentation.claims):
            raise BindingError("A record is not one of those that the query chooses, by what it discloses.")


def signed_parts(presentations: tuple[Presentation, ...]) -> str:
    """Join what is hashed of records: the signed parts, each on a line of its own."""
    return "\n".join(presentation.jwt for presentation in presentations)


def erased_of(
    members: Mapping[str, bytes], receipt: Receipt, presentations: tuple[Presentation, ...]
) -> frozenset[str]:
    """Check that what is disclosed, with what was erased since, is what the receipt says was handed over.

    Returns:
        digests of the fields that were erased since.

    Raises:
        BindingError: it is not; or what is said to be erased was never hidden in a record.
        FormatError: the list of erased fields is none.
    """
    erased = _digests(members[container.ERASED]) if container.ERASED in members else frozenset[str]()
    disclosed = frozenset(digest for presentation in presentations for digest in presentation.digests)
    withheld = frozenset(digest for presentation in presentations for digest in presentation.withheld)
    if not erased <= withheld:
        raise BindingError("A field is said to be erased that the record does not hide.")
    if disclosed | erased != frozenset(receipt.disclosed):
        raise BindingError("The fields disclosed here are not exactly those that the receipt says were handed over.")
    return erased


def _digests(data: bytes) -> frozenset[str]:
    match parse_json(data):
        case [*items] if (
            items and all(isinstance(item, str) for item in items) and len({*map(str, items)}) == len(items)
        ):
            return frozenset(map(str, items))
        case _:
            raise FormatError("The list of erased fields is not a list of digests, each once.")
