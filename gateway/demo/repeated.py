"""One exchange brokered in earnest, and others made after it: at other times, with evidence of their own."""

import json
import random
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, cast

from sqlalchemy import select

from gateway.agencies.register import RegisterView
from gateway.clock import utc_now
from gateway.evidence.receipts import Ending
from gateway.exchange.finished import step_of
from gateway.exchange.models import Exchange, ExchangePayload
from gateway.exchange.steps import Stopwatch
from gateway.exchange.stored_answer import ANSWER, DISCLOSURES
from gateway.oauth.guard import Caller
from gateway.oauth.purpose import Purpose
from gateway.wiring import Services
from ipx import jws
from ipx.commitment import Outcome
from ipx.documents import RECORD_TYP
from ipx.encoding import b64url_bytes
from ipx.keys import Signer
from ipx.request import Ask, sign_request

NODE: Final = "demo-past"
"""By which exchanges of the past are told from those of the story."""
OFFICIALS: Final = 40
"""Of each agency, by whom its systems ask."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One exchange that was brokered in earnest, to be repeated."""

    ask: Ask
    client_id: str
    weight: int
    row: dict[str, Any]
    ending: Ending
    objects: dict[str, bytes]
    timing_ms: dict[str, float]


def brokered(services: Services, ask: Ask, client_id: str, weight: int, key: Signer) -> Pattern | None:
    """Broker one exchange; None where it is not over (it waits for an officer), and so not to be repeated."""
    request = sign_request(ask, client_id=client_id, gateway=services.settings.origin, key=key, now=services.clock())
    caller = Caller(
        client_id=client_id,
        agency=client_id.partition(".")[0],
        jti=str(uuid.uuid4()),
        scopes=frozenset({"exchange:request"}),
        cnf_jkt=None,
        authorization_details=(),
        purpose=Purpose(ask.purpose, ask.legal_basis),
        supplier=None,
        delegation_id=None,
        consume=(),
        register=RegisterView(None),
    )
    finished = services.broker.exchange(request.encode("ascii"), caller, Stopwatch())
    if finished.pending is not None:
        return None
    with services.database.read() as session:
        stored = session.get_one(Exchange, finished.exchange_id)
        row = {column.key: getattr(stored, column.key) for column in Exchange.__table__.columns}
        payloads = services.payloads.of(finished.exchange_id, row["wrapped_key"] or b"", row["class_key"])
        objects = {
            payload.name: payloads.decrypt(payload.name, payload.ciphertext)
            for payload in session.scalars(
                select(ExchangePayload).where(ExchangePayload.exchange_id == finished.exchange_id)
            )
        }
    del objects["request"]
    said = json.loads(b64url_bytes(finished.receipt.split(".")[1]))
    answer = finished.answer
    is_released = finished.outcome == "released"
    ending = Ending(
        exchange_id=finished.exchange_id,
        request=finished.request,
        holder=row["holder"],
        outcome=cast("Outcome", finished.outcome),
        sealed_by=answer.sealed_by if is_released else None,
        presentation="~".join((answer.issuer_jwt or "", *answer.disclosures, "")) if is_released else "",
        stage=finished.stage,
        reason=finished.reason,
        policies=said.get("policies", {}),
        book=said.get("book"),
        snapshot=objects.get("snapshot"),
        obligations=answer.obligations,
        withheld=[(item["group"], item["reason"], item["policy"]) for item in said.get("withheld", ())],
        timing_ms=said.get("timing_ms"),
    )
    return Pattern(ask, client_id, weight, row, ending, objects, dict(finished.timing_ms or {}))


@dataclass(frozen=True, slots=True)
class Made:
    """One exchange of the past, ready to be written."""

    step: str
    entry: bytes
    row: dict[str, Any]
    payloads: list[dict[str, Any]]


def sealed(services: Services, pattern: Pattern, at: datetime) -> Pattern:
    """Seal the pattern's record as of that moment: no record is older than its seal says."""
    if pattern.ending.outcome != "released":
        return pattern
    old, *disclosures = pattern.ending.presentation.split("~")
    said = json.loads(b64url_bytes(old.split(".")[1]))
    said |= {"iat": int(at.timestamp()), "recorded_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    made = jws.sign(said, services.holder_keys.seal(pattern.ending.holder), typ=RECORD_TYP)
    answer = json.loads(pattern.objects[ANSWER])
    return replace(
        pattern,
        ending=pattern.ending._replace(presentation="~".join((made, *disclosures))),
        objects=pattern.objects | {ANSWER: json.dumps(answer | {"issuer_jwt": made}).encode()},
    )


def repeated(services: Services, pattern: Pattern, key: Signer, at: datetime, chance: random.Random) -> Made:
    settings = services.settings
    exchange_id = _uuid7(at)
    person = f"{pattern.client_id.partition('.')[0]}/officer-{chance.randrange(1, OFFICIALS + 1):02}"
    request = sign_request(
        replace(pattern.ask, person=person), client_id=pattern.client_id, gateway=settings.origin, key=key, now=at
    )
    timing = {stage: round(spent * chance.uniform(0.6, 2.5), 3) for stage, spent in pattern.timing_ms.items()}
    ending = pattern.ending._replace(
        exchange_id=exchange_id,
        request=request,
        timing_ms=None if pattern.ending.timing_ms is None else timing,
    )
    receipt = services.receipts.make(ending)
    class_key = services.class_keys.current(ending.holder, pattern.row["record_type"])
    cipher = services.payloads.new(exchange_id, class_key)
    finished_at = at + timedelta(milliseconds=sum(timing.values()))
    expired = finished_at + timedelta(days=settings.answer_days)
    is_kept = ending.outcome != "released" or expired > utc_now()
    objects = {"request": request.encode("ascii")} | {
        name: data for name, data in pattern.objects.items() if is_kept or name != DISCLOSURES
    }
    asked = json.loads(b64url_bytes(request.split(".")[1]))
    row = pattern.row | {
        "id": exchange_id,
        "jti": asked["jti"],
        "request_sha256": sha256(request.encode("ascii")).digest(),
        "received_at": at,
        "deadline_at": at + timedelta(seconds=settings.exchange_seconds),
        "node": NODE,
        "finished_at": finished_at,
        "timing_ms": timing,
        "receipt": receipt.token,
        "salt": receipt.salt,
        "wrapped_key": cipher.wrapped_key,
        "class_key": cipher.class_key,
        "answer_expired_at": None if is_kept else expired,
    }
    payloads = [
        {"exchange_id": exchange_id, "name": name, "ciphertext": cipher.encrypt(name, data)}
        for name, data in objects.items()
    ]
    return Made(step_of(exchange_id, ending.outcome), receipt.entry, row, payloads)


def _uuid7(at: datetime) -> str:
    """Make a UUID of that moment (RFC 9562, section 5.7): exchanges sort by when they were filed."""
    milliseconds = int(at.timestamp() * 1000)
    number = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))
