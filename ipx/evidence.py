"""Evidence in whatever form it comes: a bundle, or the answer of a gateway; one verifier judges both.

A released answer carries `id outcome sealed_by request record withheld obligations receipt log` (one to a query
`records`, each with its `withheld`, and `page`, instead of `record`) (and `erased`, digests
of fields erased since), one that is pending or was withdrawn `id outcome request receipt log`, a problem document (RFC
9457) of an exchange `exchange outcome request receipt log`; any that ends a pending one also `prior`, with `receipt`
and `log` of that step. What else they hold is for the reader and not judged.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ipx import asice, bundle, container, statement
from ipx.errors import FormatError
from ipx.jws import Json, dump_json, parse_json, text
from ipx.note import InclusionProof, parse_hashes
from ipx.report import Report
from ipx.trust import Trust

_ZIP: Final = b"PK"
_OF_A_RELEASE: Final = frozenset({"outcome", "sealed_by", "obligations", "withheld"})


def members_of_answer(answer: Json) -> dict[str, bytes]:
    """Take the files of a bundle from an answer document, and what the answer states beside them.

    Args:
        answer: a released answer or a problem document, as `jws.parse_json` gives it.

    Returns:
        files for `bundle.verify_members`. What is stated in plain members is among them as `answer.json`, so that the
        verifier compares it with the receipt.

    Raises:
        FormatError: the document lacks what every such answer has.
    """
    if not isinstance(answer, dict):
        raise FormatError("The answer is not a JSON object.")
    if "receipt" not in answer:
        raise FormatError("The document carries no receipt: it is not the outcome of an exchange, and proves nothing.")
    _require_whole(answer)
    exchange = text(answer, "id" if "id" in answer else "exchange")
    if answer.get("exchange", exchange) != exchange:
        raise FormatError("The answer names two exchanges.")
    log = answer.get("log")
    if not isinstance(log, dict):
        raise FormatError("The answer does not say where it is logged.")
    members = {
        container.REQUEST: _bytes(answer, "request"),
        container.RECEIPT: _bytes(answer, "receipt"),
        container.OPENING: dump_json({"salt": text(log, "salt")}),
        container.ENTRY: _bytes(log, "entry"),
        container.PROOF: _proof(log).text().encode(),
        statement.STATEMENT: statement.write(answer, exchange),
    }
    if "prior" in answer:
        members[container.PENDING] = bundle.write(_first_step(answer, answer["prior"]))
    if "record" in answer or "records" in answer:
        members[container.RECORD] = _handed_over(answer)
    if "erased" in answer:
        members[container.ERASED] = dump_json(answer["erased"])
    return members


def bundle_of_answer(answer: Json) -> bytes:
    """Pack an answer's evidence into a bundle, which outlives the answer's plain members.

    Raises:
        FormatError: as `members_of_answer`.
    """
    members = members_of_answer(answer)
    del members[statement.STATEMENT]
    return bundle.write(members)


def verify(data: bytes, trust: Trust, *, now: datetime) -> Report:
    """Verify a file that may be a bundle, the files of one in an ASiC-E container, or an answer.

    Raises:
        EvidenceError: something does not hold, or the file is neither.
    """
    if asice.is_container(data):
        return bundle.verify_members(asice.unpack(data), trust, now=now)
    if data.startswith(_ZIP):
        return bundle.verify(data, trust, now=now)
    return bundle.verify_members(members_of_answer(parse_json(data)), trust, now=now)


def _require_whole(answer: Mapping[str, Json]) -> None:
    """Check that a release has all that every release has; a pending answer, one withdrawn and a problem have less."""
    outcome = answer.get("outcome")  # whatever JSON can hold: a list has no hash, so no set is asked
    if "id" not in answer or outcome in ("pending", "withdrawn"):
        return
    missing = sorted(_OF_A_RELEASE.difference(answer))
    if ("record" in answer) == ("records" in answer):
        missing.append("a record, or else records")
    if missing:
        raise FormatError(f"The answer lacks {', '.join(missing)}.")


def _handed_over(answer: Mapping[str, Json]) -> bytes:
    """Take the record out of an answer; several stand on lines of their own."""
    if "records" not in answer:
        return _bytes(answer, "record")
    rows = answer["records"]
    if not isinstance(rows, list) or not rows:
        raise FormatError("The answer's records are not a list.")
    return b"\n".join(_bytes(row if isinstance(row, dict) else {}, "record") for row in rows)


def _first_step(answer: Mapping[str, Json], prior: Json) -> dict[str, bytes]:
    """Take the files of the pending receipt's own bundle from a later answer."""
    log = prior.get("log") if isinstance(prior, dict) else None
    if not isinstance(prior, dict) or not isinstance(log, dict):
        raise FormatError("The answer does not show the pending receipt that it ends.")
    return {
        container.REQUEST: _bytes(answer, "request"),
        container.RECEIPT: _bytes(prior, "receipt"),
        container.OPENING: dump_json({"salt": text(log, "salt")}),
        container.ENTRY: _bytes(log, "entry"),
        container.PROOF: _proof(log).text().encode(),
    }


def _proof(log: Mapping[str, Json]) -> InclusionProof:
    index, hashes = log.get("index"), log.get("proof")
    if type(index) is not int or not isinstance(hashes, list):
        raise FormatError("The answer does not say at which place of the log it stands, or does not prove it.")
    checkpoint = _bytes(log, "checkpoint").decode()
    return InclusionProof(index, parse_hashes([text({"proof": item}, "proof") for item in hashes]), checkpoint)


def _bytes(members: Mapping[str, Json], name: str) -> bytes:
    try:
        return text(members, name).encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"The member {name!r} is not Unicode text.") from error
