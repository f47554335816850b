"""The story of the demo, played over HTTP with the client that agencies install; every turn is checked as it comes.

counts = play("http://127.0.0.1:8080", world, Path("trust.json"), print, record_urn=names.urn)
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo import turns
from gateway.demo.forgery import forgeries
from gateway.demo.telling import Echo, Teller
from gateway.demo.turns import RecordUrn, Turn
from gateway.demo.world import World
from ipx import evidence, keyfile, trustfile
from ipx.answers import Answer, Denied, Failed, Released
from ipx.channel import Channel
from ipx.client import Client
from ipx.errors import EvidenceError
from ipx.keys import KeySigner
from ipx.waiting import Patience, Time


class TurnError(Exception):
    """The story took another turn than it must; the gateway is not well."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened, in numbers; replays are not counted again."""

    released: int
    denied: int
    failed: int
    verified: int
    tampered_refused: int

    @property
    def exchanges(self) -> int:
        return self.released + self.denied + self.failed

    def line(self) -> str:
        return (
            f"demo: {self.exchanges} exchanges: {self.released} released, {self.denied} denied, {self.failed} failed; "
            f"{self.verified} verified offline, {self.tampered_refused} tampered refused"
        )


def play(base_url: str, world: World, trust_file: Path, echo: Echo, *, record_urn: RecordUrn) -> Counts:
    """Play all acts against a running gateway with which the world is registered.

    Args:
        base_url: the gateway's origin, which is also its issuer.
        world: as `world.build` gave it.
        trust_file: where the trust list is pinned; written if it does not exist. Answers are kept beside it, in a
            folder `answers` that is emptied first.
        echo: prints one line.
        record_urn: names a record of the world.

    Returns:
        The counts; the last line printed is `Counts.line`.

    Raises:
        TurnError: an outcome, a withheld group or a verification is not what it must be.
        ClientError: the gateway cannot be talked to.
    """
    with ExitStack() as open_clients:
        return _Story(
            base_url, world, trust_file, Teller(echo), record_urn=record_urn, open_clients=open_clients
        ).play()


class _Story:
    def __init__(
        self,
        base_url: str,
        world: World,
        trust_file: Path,
        teller: Teller,
        *,
        record_urn: RecordUrn,
        open_clients: ExitStack,
    ) -> None:
        self._base_url = base_url
        self._world = world
        self._trust_file = trust_file
        self._tell = teller
        self._record_urn = record_urn
        self._open_clients = open_clients
        self._kept = trust_file.parent / "answers"
        self._clients: dict[str, Client] = {}
        self._answers: dict[str, Answer] = {}

    def play(self) -> Counts:
        self._kept.mkdir(parents=True, exist_ok=True)
        for old in self._kept.glob("*.json"):
            old.unlink()
        self._pin_trust()
        self._mark_at_the_border()
        self._recordal()
        self._detention_for_the_owner()
        self._denied_before_the_call()
        self._office_is_down()
        self._detention_for_the_court()
        self._sealed_case()
        verified = self._verify_offline()
        tampered = self._tamper()
        kinds = [type(answer) for answer in self._answers.values()]
        counts = Counts(kinds.count(Released), kinds.count(Denied), kinds.count(Failed), verified, tampered)
        self._tell.finish(counts.line())
        return counts

    def _pin_trust(self) -> None:
        self._tell.act(
            "An auditor pins the gateway's trust list",
            "It says who signs what with which key. It is fetched once, and the fingerprint of its own key is compared "
            "by telephone. All that follows is checked against this file, never against the gateway's word.",
        )
        if not self._trust_file.exists():
            channel = Channel(self._base_url, patience=Patience(), time=Time())
            try:
                trustfile.write(self._trust_file, trustfile.fetch(channel))
            finally:
                channel.close()
        pinned = trustfile.read(self._trust_file)
        self._tell.rows([("pinned", f"{pinned.fingerprint}"), ("kept in", str(self._trust_file))])

    def _mark_at_the_border(self) -> None:
        self._tell.act(
            "Customs asks the IP office for a trademark",
            "Headphones marked VELMORA lie in Port Avel. The office's policy lets customs have the register entry for "
            "border enforcement, but not how to reach the owner. What is withheld is listed, never silently dropped.",
        )
        mark = self._released(turns.MARK_AT_THE_BORDER)
        withheld = {row.group for row in mark.withheld}
        _require("owners" in mark.fields, "customs gets the owner's name")
        _require("owner_contacts" not in mark.fields, "customs does not get the owner's contact")
        _require("trademark.owner.contact" in withheld, "the withheld contact is listed with its reason")

        self._tell.say(
            "The answer is lost on the way and customs sends the same bytes again. A signed request is answered once: "
            "the office is not asked again, the log does not grow. The office may read the same exchange: it sees who "
            "took what, and why."
        )
        again = self._client("customs-xa.intake").send(mark.evidence.request)
        _require(again.evidence.exchange == mark.evidence.exchange, "the repeat is the same exchange")
        _require(again.evidence.receipt == mark.evidence.receipt, "the repeat has the same receipt")
        _require(again.evidence.is_replayed, "the repeat says that it is one")
        seen = self._client("ipo-xa.exchange").exchange(mark.evidence.exchange)
        _require(seen.evidence.receipt == mark.evidence.receipt, "both sides see one receipt")
        self._tell.rows(
            [("repeated", f"the same answer, entry {again.evidence.log_index}"), ("holder", "the same receipt")]
        )

    def _recordal(self) -> None:
        self._tell.act(
            "The IP office asks customs for the recordal of that mark",
            "An IP office of the same jurisdiction gets licensees and contact persons as well, under the obligations "
            "below. Bonds and prices stay with customs.",
        )
        recordal = self._released(turns.RECORDAL)
        _require("contact_legal" in recordal.fields, "the office gets the contact person")
        _require("price_range" not in recordal.fields, "prices are withheld")

    def _detention_for_the_owner(self) -> None:
        self._tell.act(
            "The IP office asks about two detentions, to notify the owners",
            "Before seizure five facts may go: date and port of importation, description, quantity and origin of the "
            "goods. After seizure maker, sender and importer join them. The record says which it is, not the request.",
        )
        before = self._released(turns.OWNER_BEFORE_SEIZURE)
        _require("goods" in before.fields and "importer" not in before.fields, "before seizure no importer")
        after = self._released(turns.OWNER_AFTER_SEIZURE)
        _require({"goods", "importer", "exporter", "manufacturer"} <= after.fields.keys(), "after seizure the traders")

    def _denied_before_the_call(self) -> None:
        self._tell.act(
            "The arbitration commission asks the foreign office for an owner's contact",
            "No policy of that office gives this group to anybody, whatever the record says. The gateway knows that "
            "beforehand and does not call the office. (It is down, as the next act shows: a call would have failed.)",
        )
        _require(isinstance(self._ask(turns.CONTACT_ABROAD), Denied), "the request is denied")

    def _office_is_down(self) -> None:
        self._tell.act(
            "The IP office asks the foreign office for a mark, and its server is down",
            "Here the policy would release. That no answer came is an outcome of its own with a receipt; it never "
            "looks like «no such record».",
        )
        answer = self._ask(turns.MARK_ABROAD)
        _require(isinstance(answer, Failed) and answer.stage == "holder", "the exchange failed at the holder")

    def _detention_for_the_court(self) -> None:
        self._tell.act(
            "The court asks customs for a detention: without a case, then for its own",
            f"Customs opens the file of a detention to a court for a case that cites it. {turns.ACTIVE_CASE} is on the "
            "court's own docket, active, and the detention names it; the gateway looks that up and believes no claim.",
        )
        _require(isinstance(self._ask(turns.DETENTION_WITHOUT_CASE), Denied), "without a case it is denied")
        detention = self._released(turns.DETENTION_FOR_CASE)
        _require({"goods", "importer"} <= detention.fields.keys(), "for the case goods and importer are released")
        _require("exporter" not in detention.fields, "the exporter is withheld")

    def _sealed_case(self) -> None:
        self._tell.act(
            "The regulator asks for three court cases: a public one, a sealed one, one that does not exist",
            "A court order closed the second file. Not even that it exists may be told: the last two answers read the "
            "same.",
        )
        self._released(turns.OPEN_CASE)
        for turn in (turns.SEALED_CASE, turns.NO_SUCH_CASE):
            answer = self._ask(turn)
            _require(isinstance(answer, Denied) and answer.slug == "no-information", "neither tells whether it exists")

    def _verify_offline(self) -> int:
        self._tell.act(
            "The auditor verifies every answer offline",
            "Signatures of request, record and receipt; that exactly the stated fields were disclosed; the commitment "
            "in the log, the proof and the checkpoint: all from the answer and the pinned file, without the gateway.",
        )
        kept = sorted(self._kept.glob("[0-9]*.json"))
        for path in kept:
            self._verify(path.read_bytes())
        self._tell.rows(
            [
                ("verified", f"{len(kept)} of {len(kept)} answers hold, refusals and failures among them"),
                ("kept in", str(self._kept)),
            ]
        )
        return len(kept)

    def _tamper(self) -> int:
        self._tell.act(
            "Somebody changes an answer afterwards",
            "One place at a time, each time well-formed. The verifier names what does not hold.",
        )
        answer = next(answer for answer in self._answers.values() if isinstance(answer, Released))
        refused: list[tuple[str, str]] = []
        for changed, raw in forgeries(answer.evidence.raw):
            forged = self._kept / f"tampered-{len(refused) + 1}.json"
            forged.write_bytes(raw)
            try:
                self._verify(raw)
            except EvidenceError as error:
                refused.append((changed, str(error)))
            else:
                raise TurnError(f"an answer with another {changed} passed the verifier")
        self._tell.rows(refused)
        return len(refused)

    def _verify(self, raw: bytes) -> None:
        evidence.verify(raw, trustfile.read(self._trust_file).trust, now=datetime.now(UTC))

    def _released(self, turn: Turn) -> Released:
        answer = self._ask(turn)
        if not isinstance(answer, Released):
            why = f"{answer.title} ({answer.reason})" if isinstance(answer, Denied | Failed) else "it is pending"
            raise TurnError(f"{turn.client} should get {turn.record_type} {turn.key}: {why}")
        return answer

    def _ask(self, turn: Turn) -> Answer:
        ask = turn.ask(self._record_urn)
        self._tell.asks(turn)
        answer = self._client(turn.client).request(ask)
        self._answers[answer.evidence.exchange] = answer
        kind = type(answer).__name__.lower()
        name = f"{len(self._answers):02}-{turn.record_type}-{kind}.json"
        (self._kept / name).write_bytes(answer.evidence.raw)
        self._tell.outcome(answer, turn.record_type)
        return answer

    def _client(self, client_id: str) -> Client:
        client = self._clients.get(client_id)
        if client is None:
            key = keyfile.read_key(self._world.keys[client_id])
            if not isinstance(key, KeySigner):
                raise TurnError(f"{client_id} has a key that signs no requests")
            trust = trustfile.read(self._trust_file).trust
            client = self._open_clients.enter_context(Client(self._base_url, client_id, key, trust=trust))
            self._clients[client_id] = client
        return client


def _require(holds: bool, claim: str) -> None:  # noqa: FBT001  (a claim and whether it holds)
    if not holds:
        raise TurnError(f"the story says: {claim}. It did not happen.")
