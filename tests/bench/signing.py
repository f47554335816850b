"""The cryptography of one exchange beside the least that any such exchange needs, and the parts it is made of."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from statistics import median
from time import perf_counter

from gateway.clock import utc_now
from gateway.evidence.edge import Edge
from gateway.evidence.receipts import Ending, Receipts
from ipx import bundle, jws, merkle, sdjwt
from ipx.ids import uuid7
from ipx.keys import KeyRing, KeySigner, TrustedKey, generate_signer
from tests.bench import figures
from tests.bench.figures import say
from tests.ipx.world import NOW, World

REQUEST_TYP, RECORD_TYP = "ipx-request+jwt", "ipx-record+sd-jwt"
DOCUMENT = os.urandom(4096)
FIELDS, SHOWN = 30, 10


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    seconds: float
    """Of each measurement in a round."""
    tree_sizes: tuple[int, ...]


class Parts:
    """One requester, one holder, one gateway with keys of one algorithm, a request and a record of 30 fields."""

    def __init__(self, alg: str) -> None:
        client, holder, receipt = (generate_signer(alg) for _ in range(3))
        self._client = client
        self._keys = KeyRing([_trusted("requester", "customs-xa.intake", client), _trusted("holder", "ipo-xa", holder)])
        self._holder = holder
        self._receipts = Receipts(receipt, "https://gw.example", "gw.example/log", utc_now)
        now = int(datetime.now(UTC).timestamp())
        asked = {
            "iss": "customs-xa.intake",
            "aud": "https://gw.example",
            "jti": uuid7(),
            "iat": now,
            "exp": now + 60,
            "holder": "ipo-xa",
            "record": "urn:ipx:ipo-xa:trademark:202400017",
            "purpose": "border_enforcement",
            "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4",
        }
        self.request = jws.sign(asked, client, typ=REQUEST_TYP)
        self._claims = {"iss": "ipo-xa", "sub": asked["record"], "iat": now, "sealed_by": "holder"} | {
            f"field_{number}": f"value {number} of a record, of an ordinary length" for number in range(FIELDS)
        }
        self._hidden = [(f"field_{number}",) for number in range(FIELDS)]
        self.record = self.issue()
        self.shown = sdjwt.redact(self.record, self._hidden[:SHOWN])
        self._signature = client.sign(DOCUMENT)
        self._edge = Edge(0, {})

    def limit(self) -> None:
        """The least that any exchange needs: one signature checked, one made, one document of 4 KB hashed."""
        self._client.public.verify(self._signature, DOCUMENT)
        self._client.sign(DOCUMENT)
        sha256(DOCUMENT).digest()

    def issue(self) -> sdjwt.Issued:
        return sdjwt.issue(self._claims, self._hidden, self._holder, typ=RECORD_TYP)

    def redact(self) -> str:
        return sdjwt.redact(self.record, self._hidden[:SHOWN])

    def verify(self, token: str) -> None:
        sdjwt.verify(token, self._keys, roles=frozenset({"holder"}), typ=RECORD_TYP, at=datetime.now(UTC))

    def known(self) -> None:
        """Request checked, record redacted, receipt signed, leaf added: the record was verified before."""
        jws.verify(self.request, self._keys, roles=frozenset({"requester"}), typ=REQUEST_TYP)
        receipt = self._receipts.make(
            Ending(uuid7(), self.request, "ipo-xa", "released", sealed_by="holder", presentation=self.redact())
        )
        self._edge.append(merkle.leaf_hash(receipt.entry))

    def fresh(self) -> None:
        """The same, and the record is verified each time."""
        self.verify(self.record.token)
        self.known()


def measure(size: Size) -> None:
    figures.heading(
        "on one core: check + sign + SHA-256 of 4 KB; an exchange's evidence, record known and record fresh"
    )
    for alg in ("Ed25519", "ES256"):
        parts = Parts(alg)
        rates = _in_turns({"limit": parts.limit, "evidence": parts.known, "evidence-fresh": parts.fresh}, size)
        say(f"evidence with {alg} done")
        for kind, values in rates.items():
            figures.rate(f"{kind}-{alg}", median(values))
        for kind in ("evidence", "evidence-fresh"):
            figures.ratio(f"{kind}-{alg}/limit", figures.paired(rates[kind], rates["limit"]))
    _sdjwt(size)
    _bundle(size)
    for leaves in size.tree_sizes:
        _tree(leaves, size)


def _sdjwt(size: Size) -> None:
    parts = Parts("Ed25519")
    figures.heading(f"SD-JWT of {FIELDS} fields, {SHOWN} of them shown")
    acts = {
        f"sdjwt-issue-{FIELDS}": parts.issue,
        f"sdjwt-redact-{FIELDS}-to-{SHOWN}": parts.redact,
        f"sdjwt-verify-{FIELDS}": lambda: parts.verify(parts.record.token),
        f"sdjwt-verify-{SHOWN}": lambda: parts.verify(parts.shown),
    }
    for name, values in _in_turns(acts, size).items():
        figures.microseconds(name, 1e6 / median(values))


def _bundle(size: Size) -> None:
    """A bundle verified offline; no verifier can do with less than its signatures, and one hash over all its bytes."""
    world = World()
    trust, packed, witnessed = world.trust(), bundle.write(world.members()), world.witnessed(quorum=3)
    cosigned = bundle.write(world.members(witnesses=world.witnesses))
    message = os.urandom(1024)
    request, others = (generate_signer(alg) for alg in ("ES256", "Ed25519"))  # as the world's parties sign
    signed = {signer.public: signer.sign(message) for signer in (request, others)}

    def limit(data: bytes, signatures: int) -> None:
        request.public.verify(signed[request.public], message)
        for _ in range(signatures - 1):
            others.public.verify(signed[others.public], message)
        sha256(data).digest()

    acts = {
        "bundle-verify": lambda: bundle.verify(packed, trust, now=NOW),
        "limit-bundle": lambda: limit(packed, 4),
        "bundle-verify-cosigned-3": lambda: bundle.verify(cosigned, witnessed, now=NOW),
        "limit-bundle-cosigned-3": lambda: limit(cosigned, 7),
    }
    rates = _in_turns(acts, size)
    figures.heading(f"a bundle of {len(packed)} bytes verified, beside its 4 signatures; with 3 cosignatures, beside 7")
    for name in ("bundle-verify", "bundle-verify-cosigned-3"):
        beside = name.replace("bundle-verify", "limit-bundle")
        figures.milliseconds(name, 1000 / median(rates[name]))
        figures.milliseconds(beside, 1000 / median(rates[beside]))
        figures.ratio(f"{name}/limit", figures.paired(rates[name], rates[beside]))


def _tree(leaves: int, size: Size) -> None:
    """Grow a tree in memory, prove and check; a check needs one node hash for each step of its proof."""
    hashes = [merkle.leaf_hash(b"%d" % number) for number in range(leaves)]
    edge = Edge(0, {})
    started = perf_counter()
    for digest in hashes:
        edge.append(digest)
    grown = leaves / (perf_counter() - started)
    started = perf_counter()
    for digest in hashes:
        merkle.node_hash(digest, digest)
    hashed = leaves / (perf_counter() - started)
    index = leaves // 3
    root, proof = edge.root(), merkle.inclusion_proof(edge.node, index, leaves)
    acts = {
        "proof": lambda: merkle.inclusion_proof(edge.node, index, leaves),
        "proof-check": lambda: merkle.verify_inclusion(index, leaves, hashes[index], proof, root),
        "node-hash": lambda: merkle.node_hash(root, root),
    }
    rates = _in_turns(acts, size)
    figures.heading(f"tree of {leaves} leaves in memory, proofs of {len(proof)} hashes")
    figures.rate(f"tree-append-{leaves}", grown)
    figures.ratio(f"tree-append-{leaves}/hashes", grown / hashed)
    figures.rate(f"proof-{leaves}", median(rates["proof"]))
    figures.rate(f"proof-check-{leaves}", median(rates["proof-check"]))
    limits = [per_second / len(proof) for per_second in rates["node-hash"]]
    figures.ratio(f"proof-check-{leaves}/hashes", figures.paired(rates["proof-check"], limits))


def _in_turns(acts: dict[str, Callable[[], object]], size: Size) -> dict[str, list[float]]:
    """Give each act's rate a second in each round, on this one thread."""
    rates: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(size.rounds):
        for name, act in acts.items():
            count, started = 0, perf_counter()
            while (now := perf_counter()) - started < size.seconds:
                act()
                count += 1
            rates[name].append(count / (now - started))
    return rates


def _trusted(role: str, owner: str, signer: KeySigner) -> TrustedKey:
    return TrustedKey(role, signer.kid, owner, signer.public, valid_from=datetime(2020, 1, 1, tzinfo=UTC))
