"""What a gateway issues to clients, made with the real formats from keys of its own: records, receipts, a log."""

import base64
import hashlib
import json
import secrets

from ipx import bundle, jws, merkle, note, sdjwt
from ipx.ids import uuid7
from ipx.keys import generate_signer
from ipx.notekey import NoteSigner


def unpack(token):
    """Split a JWS of the client and verify it with the key it must be made by, as far as the stub knows one."""
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    return json.loads(parts[0]), json.loads(parts[1]), parts[2]


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Keys of a gateway and of a holder's seal, a log, and answers made from them in the real formats."""

    def __init__(self, origin):
        self.origin = origin
        self.receipt_key = generate_signer()
        self.seal_key = generate_signer()
        self.trust_key = generate_signer()
        self.log_key = NoteSigner(self.log_origin, generate_signer())
        self.leaves = []
        self.version = 1
        self.requesters = {}

    @property
    def log_origin(self):
        return f"{self.origin.partition('://')[2]}/log"

    def trust(self):
        """The trust list's payload."""
        keys = [
            self.listed("gateway", self.origin, self.receipt_key.public),
            self.listed("seal", "ipo-xa", self.seal_key.public),
            *(self.listed("requester", owner, key) for key, owner in self.requesters.items()),
        ]
        return {
            "iss": self.origin,
            "version": self.version,
            "iat": 1_790_000_000,
            "prev": None,
            "keys": keys,
            "log": {"origin": self.log_origin, "vkeys": [self.log_key.key.vkey]},
        }

    def listed(self, role, owner, key):
        times = {"valid_from": 1_700_000_000, "valid_until": None}
        return {"role": role, "kid": key.kid, "iss": owner, "alg": key.alg, "jwk": dict(key.jwk), **times}

    def signed_trust(self, key=None):
        return jws.sign(self.trust(), key or self.trust_key, typ="ipx-trust+jwt")

    def released(self, request, **spoil):
        """Answer a signed request with a record of which the owner's contact is withheld."""
        asked = unpack(request)[1]
        fields = {
            "application_number": "202400017",
            "verbal_element": "星砂 XINGSHA",
            "owners": [{"party_no": 1, "name": "Velmora Instruments Ltd"}],
            "owner_contacts": [{"party_no": 1, "email": "marks@velmora.example"}],
        }
        claims = {"iss": asked["holder"], "sub": asked["record"], "iat": asked["iat"], "sealed_by": "gateway", **fields}
        record = sdjwt.issue(claims, [(name,) for name in fields], self.seal_key, typ="ipx-record+sd-jwt", decoys=3)
        presentation = sdjwt.redact(record, [(name,) for name in fields if name != "owner_contacts"])
        withheld = [{"group": "trademark.owner.contact", "reason": "not_granted"}]
        shown = [{**withheld[0], "policy": None}]
        digests = sorted(sdjwt.digest(part) for part in presentation.split("~")[1:-1])
        receipt = self.receipt(asked, request, record.jwt, "released", disclosed=digests, withheld=withheld)
        document = {
            "id": unpack(receipt)[1]["jti"],
            "outcome": "released",
            "record": presentation,
            "sealed_by": "gateway",
            "obligations": {"retain_days": 90},
            "withheld": shown,
            "timing_ms": {"holder": 3.0},
            **self.logged(request, record.jwt, receipt),
        }
        return {**document, **spoil}

    def problem(self, request, slug, status, outcome, *, stage=None, withheld=()):
        """Answer a signed request with an outcome that releases nothing."""
        asked = unpack(request)[1]
        receipt = self.receipt(asked, request, "", outcome, disclosed=[], stage=stage, withheld=list(withheld))
        document = {
            "type": f"{self.origin}/problems/{slug}",
            "title": slug,
            "status": status,
            "detail": "What to do next.",
            "exchange": unpack(receipt)[1]["jti"],
            "outcome": outcome,
            "reason": "no_information" if slug == "no-information" else "because",
            **self.logged(request, "", receipt),
        }
        if stage:
            document["stage"] = stage
        if withheld:
            document["withheld"] = [{**row, "policy": None} for row in withheld]
        return document

    def receipt(self, asked, request, issuer_jwt, outcome, *, disclosed, stage=None, withheld=()):
        payload = {
            "iss": self.origin,
            "jti": uuid7(),
            "iat": asked["iat"],
            "req_hash": b64u(hashlib.sha256(request.encode()).digest()),
            "rec_hash": b64u(hashlib.sha256(issuer_jwt.encode()).digest()),
            "disclosed": disclosed,
            "holder": asked["holder"],
            "outcome": outcome,
            "withheld": list(withheld),
            "log": self.log_origin,
        }
        if outcome == "released":
            payload |= {"sealed_by": "gateway", "obligations": {"retain_days": 90}}
        if stage:
            payload["stage"] = stage
        return jws.sign(payload, self.receipt_key, typ="ipx-receipt+jwt")

    def logged(self, request, issuer_jwt, receipt):
        salt = secrets.token_bytes(32)
        claims = unpack(receipt)[1]
        committed = bundle.commitment(salt, request, issuer_jwt, receipt)
        entry = bundle.entry(committed, claims["outcome"], claims["iat"])
        self.leaves.append(merkle.leaf_hash(entry))
        tree = {(0, index): leaf for index, leaf in enumerate(self.leaves)}
        size = len(self.leaves)
        width, level = size, 0
        while width > 1:
            for index in range(width // 2):
                pair = tree[level, 2 * index] + tree[level, 2 * index + 1]
                tree[level + 1, index] = hashlib.sha256(b"\x01" + pair).digest()
            width, level = width // 2, level + 1
        node = lambda level, index: tree[level, index]  # noqa: E731  (merkle's Node)
        head = note.Checkpoint(self.log_origin, size, merkle.root(node, size))
        log = {
            "index": size - 1,
            "entry": entry.decode(),
            "salt": b64u(salt),
            "proof": [base64.b64encode(one).decode() for one in merkle.inclusion_proof(node, size - 1, size)],
            "checkpoint": note.sign(head.text(), self.log_key),
        }
        return {"request": request, "receipt": receipt, "log": log}
