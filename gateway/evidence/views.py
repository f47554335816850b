"""`<origin>/log/…`: the log as C2SP files, proofs, and the trust list. Public; bad input is a problem document."""

import json
import re
from typing import Final

import svcs
from flask import Blueprint, Response, request

from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.evidence.errors import (
    DuplicateStepError,
    ErasedError,
    EvidenceOverdueError,
    ForeignSealError,
    KeyFileError,
    LogDamagedError,
    LogForkedError,
    LogRotatedError,
    LogUnavailableError,
    NoContainerError,
    NotYetProvableError,
    PayloadError,
    SignerUnavailableError,
    TimestampError,
    UnpublishableError,
    WitnessAheadError,
    WitnessBehindError,
    WitnessDownError,
    WitnessError,
    WitnessRefusedError,
)
from gateway.evidence.published import PublishedLog, PublishedShards
from gateway.evidence.trust_list import TrustLists
from gateway.evidence.witness_service import WitnessService
from gateway.web import problem
from ipx.encoding import b64
from ipx.errors import ProofError
from ipx.tiles import parse_path

TEXT: Final = "text/plain; charset=utf-8"
FOREVER: Final = "public, max-age=31536000, immutable"
CHECKPOINT_CACHE: Final = "public, max-age=5"
TRUST_CACHE: Final = "public, max-age=60"

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)

for _error, _slug in (
    (DuplicateStepError, "already-exists"),
    (ErasedError, "answer-gone"),
    (EvidenceOverdueError, "evidence-overdue"),
    (ForeignSealError, "holder-failed"),
    (KeyFileError, "internal"),
    (LogDamagedError, "log-unavailable"),
    (LogForkedError, "log-unavailable"),
    (LogRotatedError, "log-unavailable"),
    (LogUnavailableError, "log-unavailable"),
    (NoContainerError, "no-container"),
    (NotYetProvableError, "not-yet-provable"),
    (PayloadError, "internal"),
    (SignerUnavailableError, "key-unavailable"),
    (TimestampError, "internal"),
    (UnpublishableError, "internal"),
    (WitnessAheadError, "internal"),
    (WitnessBehindError, "internal"),
    (WitnessDownError, "internal"),
    (WitnessError, "internal"),
    (WitnessRefusedError, "internal"),
):
    problem.register(_error, _slug)


def blueprint() -> Blueprint:
    log = Blueprint("log", __name__)
    for prefix in ("/log", "/log-<int(min=2):number>"):  # the first shard, and those after it
        log.add_url_rule(f"{prefix}/checkpoint", view_func=checkpoint)
        log.add_url_rule(f"{prefix}/tile/<path:path>", view_func=tile)
        log.add_url_rule(f"{prefix}/proof", view_func=proof)
        log.add_url_rule(f"{prefix}/consistency", view_func=consistency)
    log.add_url_rule("/log/trust.jws", view_func=trust_list)
    log.add_url_rule("/log/trust.jwk", view_func=trust_key)
    return log


def witness_blueprint() -> Blueprint:
    """`<origin>/witness/…`: this gateway as a witness of its peers' logs (C2SP tlog-witness)."""
    witness = Blueprint("witness", __name__, url_prefix="/witness")
    witness.add_url_rule("/add-checkpoint", view_func=add_checkpoint, methods=["POST"])
    witness.add_url_rule("/<origin_hash>/checkpoint", view_func=cosigned_checkpoint)
    return witness


def checkpoint(number: int = 1) -> Response:
    """Give the newest checkpoint that a quorum of witnesses has cosigned; the newest, where none is or it is old."""
    shown = _shard(number).shown()
    response = _cached(shown.note, TEXT, CHECKPOINT_CACHE)
    response.headers["IPX-Witnessed"] = (
        f"?{int(shown.is_witnessed)};cosigned={shown.cosignatures};quorum={shown.quorum}"
    )
    return response


def add_checkpoint() -> Response:
    answer = svcs.flask.get(WitnessService).add_checkpoint(request.get_data(cache=False))
    response = Response(answer.body, status=answer.status, content_type=answer.content_type)
    response.headers["Cache-Control"] = "no-store"
    return response


def cosigned_checkpoint(origin_hash: str) -> Response:
    return _cached(svcs.flask.get(WitnessService).latest(f"{origin_hash}/checkpoint"), TEXT, CHECKPOINT_CACHE)


def tile(path: str, number: int = 1) -> Response:
    try:
        named = parse_path(path)
    except ProofError as error:
        raise UnknownError(str(error)) from error
    return _forever(_shard(number).tile(named), "application/octet-stream")


def proof(number: int = 1) -> Response:
    """Prove `index` under the checkpoint of `size`, or under the first one that has it."""
    index, size = _numbers("index", "size", optional={"size"})
    return _forever(_shard(number).proof(index or 0, size).text(), TEXT)


def consistency(number: int = 1) -> Response:
    """Prove that the log of `new` leaves begins with the log of `old` leaves: one base64 hash a line."""
    old, new = _numbers("old", "new", optional=set())
    hashes = _shard(number).consistency(old or 0, new or 0)
    return _forever("".join(f"{b64(value)}\n" for value in hashes), TEXT)


def trust_list() -> Response:
    return _cached(svcs.flask.get(TrustLists).latest(), "application/jose", TRUST_CACHE)


def trust_key() -> Response:
    """Give the key to pin on first use; compare its thumbprint with the one the operator publishes elsewhere."""
    key = dict(svcs.flask.get(TrustLists).signed_by())
    return _cached(json.dumps(key, sort_keys=True), "application/jwk+json", TRUST_CACHE)


def _shard(number: int) -> PublishedLog:
    return svcs.flask.get(PublishedShards).number(number)


def _numbers(*names: str, optional: set[str]) -> tuple[int | None, ...]:
    faults = [
        Fault(f"/{name}", "number", "give it once, as a decimal number without leading zeros")
        for name in names
        if not (name in optional and name not in request.args)
        and not (len(request.args.getlist(name)) == 1 and _NUMBER.fullmatch(request.args[name]))
    ]
    faults += [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in names]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return tuple(int(request.args[name]) if name in request.args else None for name in names)


def _forever(body: str | bytes, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = FOREVER
    return response


def _cached(body: str, content_type: str, cache: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = cache
    response.add_etag()
    response.make_conditional(request)
    return response
