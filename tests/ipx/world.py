"""A small world of exchanges: keys, a trust list, a log. Each part can be damaged, and is then signed as damaged."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ipx import bundle, jws, merkle, note, sdjwt, trust
from ipx.encoding import b64, b64url
from ipx.keys import generate_signer

ABSENT = object()
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
DAY = 86_400
UNLOGGED = b'{"c":"' + b"A" * 43 + b'","o":"released","t":1795593600,"v":1}'
RECORD = "urn:ipx:ipo-xa:trademark:2019-0042"
GATEWAY = "https://gw.example"
ORIGIN = "gw.example/log"
FIELDS = {
    "verbal_element": "SUNRISE",
    "goods_services": [{"class_number": 3, "texts": ["soap"]}],
    "owners": [{"party_no": 1, "name": "Sunrise Ltd"}],
    "owner_contacts": [{"party_no": 1, "email": "secret@example.org"}],
}
ALLOWED = ("verbal_element", "goods_services", "owners")


def changed(members, changes):
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def sha256(text):
    return b64url(hashlib.sha256(text.encode()).digest())


@dataclass
class World:
    client: object = field(default_factory=lambda: generate_signer("ES256"))
    gateway: object = field(default_factory=generate_signer)
    holder: object = field(default_factory=generate_signer)
    seal: object = field(default_factory=generate_signer)
    stranger: object = field(default_factory=generate_signer)
    trust_key: object = field(default_factory=generate_signer)
    log: object = field(default_factory=lambda: note.NoteSigner(ORIGIN, generate_signer()))
    witnesses: list = field(
        default_factory=lambda: [
            note.NoteSigner(f"w{number}.example", generate_signer(), note.COSIGNATURE) for number in range(3)
        ]
    )

    def trust_payload(self, *, keys=None, **changes):
        owners = {
            "requester": ("customs-xa.intake", self.client),
            "gateway": (GATEWAY, self.gateway),
            "holder": ("ipo-xa", self.holder),
            "seal": ("ipo-xa", self.seal),
        }
        entries = [
            changed(
                {
                    "role": role,
                    "kid": signer.kid,
                    "iss": owner,
                    "alg": signer.alg,
                    "jwk": dict(signer.public_jwk),
                    "valid_from": SECOND - 86_400,
                    "valid_until": SECOND + 86_400,
                },
                (keys or {}).get(role, {}),
            )
            for role, (owner, signer) in owners.items()
        ]
        payload = {
            "iss": GATEWAY,
            "version": 3,
            "iat": SECOND - 3600,
            "prev": None,
            "keys": entries,
            "log": {"origin": ORIGIN, "vkeys": [self.log.key.vkey]},
            "witnesses": [],
            "quorum": 0,
            "tsa_roots": [],
            "tsa_policy": None,
        }
        return changed(payload, changes)

    def trust(self, **changes):
        return trust.load(json.dumps(self.trust_payload(**changes)).encode(), pinned=None, at_least=0)

    def witnessed(self, **changes):
        listed = [{"vkey": witness.key.vkey, "url": f"https://{witness.name}"} for witness in self.witnesses]
        return self.trust(**{"witnesses": listed, "quorum": 2, **changes})

    def members(
        self,
        outcome="released",
        sealed_by="gateway",
        *,
        request=None,
        record=None,
        receipt=None,
        at=SECOND,
        allowed=ALLOWED,
        erased=(),
        request_signer=None,
        record_signer=None,
        receipt_signer=None,
        entry=None,
        salt=b"s" * 32,
        index=5,
        leaves=9,
        witnesses=(),
        cosigned_at=NOW,
        request_token=None,
        **files,
    ):
        """The files of one exchange. Every argument damages one thing; what depends on it is made to fit."""
        request_token = request_token or jws.sign(
            changed(
                {
                    "iss": "customs-xa.intake",
                    "aud": GATEWAY,
                    "jti": "019ab2c0-0000-7000-8000-000000000001",
                    "iat": SECOND,
                    "exp": SECOND + 60,
                    "holder": "ipo-xa",
                    "record": RECORD,
                    "purpose": "border_enforcement",
                    "legal_basis": "CCA 2025 art. 4",
                    "case_ref": "CX-118",
                },
                request or {},
            ),
            request_signer or self.client,
            typ="ipx-request+jwt",
        )
        presentation, jwt, digests = "", "", []
        if outcome == "released":
            claims = changed(
                {
                    "iss": "ipo-xa",
                    "sub": RECORD,
                    "iat": SECOND,
                    "record_type": "trademark",
                    "schema_version": 1,
                    "source": "ipo-xa-trademarks",
                    "revision": 1,
                    "as_of": "2026-11-25T08:00:00Z",
                    "recorded_at": "2026-11-25T08:00:00Z",
                    "status": "active",
                    "sealed_by": sealed_by,
                    "language": "en",
                    **FIELDS,
                },
                record or {},
            )
            signer = record_signer or (self.holder if sealed_by == "holder" else self.seal)
            issued = sdjwt.issue(claims, [(name,) for name in FIELDS], signer, typ="ipx-record+sd-jwt", decoys=4)
            digests = sorted(sdjwt.digest(issued.disclosures[name,]) for name in allowed)
            presentation = sdjwt.redact(issued, [(name,) for name in allowed if name not in erased])
            jwt = issued.jwt
            if erased:
                files["erased"] = [sdjwt.digest(issued.disclosures[name,]) for name in erased]
        payload = changed(
            {
                "iss": GATEWAY,
                "jti": "019ab2c0-0000-7000-8000-00000000000a",
                "iat": at,
                "req_hash": sha256(request_token),
                "rec_hash": sha256(jwt),
                "disclosed": digests,
                "holder": "ipo-xa",
                "outcome": outcome,
                "sealed_by": sealed_by if outcome == "released" else ABSENT,
                "policies": {"guardrail": "base@1", "holder": "trademark@4", "egress": None},
                "book": sha256("book"),
                "snapshot_sha256": sha256("snapshot"),
                "obligations": {"retain_days": 90, "watermark": True} if outcome == "released" else ABSENT,
                "withheld": [{"group": "trademark.owner.contact", "reason": "not_granted"}],
                "log": ORIGIN,
            },
            receipt or {},
        )
        receipt_token = jws.sign(payload, receipt_signer or self.gateway, typ="ipx-receipt+jwt")
        if entry is None:
            committed = bundle.commitment(salt, request_token, jwt, receipt_token)
            entry = bundle.entry(committed, payload.get("outcome"), payload.get("iat"))
        members = {
            "request.jws": request_token.encode(),
            "receipt.jws": receipt_token.encode(),
            "opening.json": json.dumps({"salt": b64url(salt)}).encode(),
            "entry.json": entry,
            "proof.tlog-proof": self.proof(entry, index, leaves, witnesses, cosigned_at).text().encode(),
        }
        if outcome == "released":
            members["record.sd-jwt"] = presentation.encode()
        if "erased" in files:
            members["erased.json"] = json.dumps(files.pop("erased")).encode()
        return changed(members, files)

    def proof(self, entry, index=5, leaves=9, witnesses=(), cosigned_at=NOW):
        hashes = [merkle.leaf_hash(b"other %d" % number) for number in range(leaves)]
        if 0 <= index < leaves:
            hashes[index] = merkle.leaf_hash(entry)
        root = merkle.root(lambda level, at: _subtree(hashes, level, at), leaves)
        path = merkle.inclusion_proof(lambda level, at: _subtree(hashes, level, at), min(index, leaves - 1), leaves)
        checkpoint = note.Checkpoint(ORIGIN, leaves, root)
        signed = note.sign(checkpoint.text(), self.log, *witnesses, at=cosigned_at)
        return note.InclusionProof(index, tuple(path), signed)

    def answer(self, members, **changes):
        """The answer document of a gateway for these files."""
        proof = note.parse_proof(members["proof.tlog-proof"].decode())
        receipt = jws.parse_json(_payload(members["receipt.jws"]))
        evidence = {
            "request": members["request.jws"].decode(),
            "receipt": members["receipt.jws"].decode(),
            "log": {
                "index": proof.index,
                "entry": members["entry.json"].decode(),
                "salt": json.loads(members["opening.json"])["salt"],
                "proof": [b64(value) for value in proof.hashes],
                "checkpoint": proof.checkpoint_note,
            },
        }
        if receipt["outcome"] == "released":
            document = {
                "id": receipt["jti"],
                "outcome": "released",
                "record": members["record.sd-jwt"].decode(),
                "sealed_by": receipt["sealed_by"],
                "obligations": receipt["obligations"],
                "withheld": [{**group, "policy": None} for group in receipt["withheld"]],
                **evidence,
                "timing_ms": {"auth": 3.1, "policy": 1.5},
            }
        else:
            document = {
                "type": f"{GATEWAY}/problems/denied",
                "title": "Denied",
                "status": 403,
                "detail": "The holder's policy does not grant this.",
                "trace_id": receipt["jti"],
                "exchange": receipt["jti"],
                "outcome": receipt["outcome"],
                **({"stage": receipt["stage"]} if "stage" in receipt else {}),
                "withheld": [{**group, "policy": None} for group in receipt["withheld"]],
                **evidence,
            }
        return changed(document, changes)


def _payload(token):
    from ipx.encoding import b64url_bytes  # noqa: PLC0415 - only here

    return b64url_bytes(token.decode().split(".")[1])


def _subtree(hashes, level, at):
    row = hashes[at << level : (at + 1) << level]
    while len(row) > 1:
        row = [merkle.node_hash(row[place], row[place + 1]) for place in range(0, len(row), 2)]
    return row[0]
