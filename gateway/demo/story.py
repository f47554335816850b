"""The story of the demo, played over HTTP with the client that agencies install; every turn is checked as it comes.

    counts = play("http://127.0.0.1:8080", world, Path("trust.json"), print, record_urn=names.urn)
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.telling import Echo, Teller
from gateway.demo.world import World
from ipx import keyfile, trustfile
from ipx.answers import Answer, Denied, Failed, Released
from ipx.bundle import verify_members
from ipx.channel import Channel
from ipx.client import Client
from ipx.errors import EvidenceError
from ipx.evidence import members_of_answer
from ipx.jws import parse_object
from ipx.keys import KeySigner
from ipx.request import Ask
from ipx.trust import Trust
from ipx.waiting import Patience, Time

RecordUrn = Callable[[str, str, str], str]
"""Holder, record type and the holder's own key of a record → its name. Asked of the gateway's operator once: names of
unpublished records are opaque, and a requester learns them from documents it was given (a notice, a court file)."""

ACTIVE_CASE = "IPC 118/2026"
SEALED_CASE = "IPC 24/2026"
CITED_DETENTION = "D2026-0007"
MARK = "202400017"


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
        trust_file: where the trust list is pinned; written if it does not exist.
        echo: prints one line.
        record_urn: names a record of the world.

    Raises:
        TurnError: an outcome, a withheld group or a verification is not what it must be.
    """
    with ExitStack() as open_clients:
        return _Story(base_url, world, trust_file, Teller(echo), record_urn, open_clients).play()


class _Story:
    def __init__(
        self,
        base_url: str,
        world: World,
        trust_file: Path,
        teller: Teller,
        record_urn: RecordUrn,
        open_clients: ExitStack,
    ) -> None:
        self._base_url = base_url
        self._world = world
        self._trust_file = trust_file
        self._tell = teller
        self._urn = record_urn
        self._open_clients = open_clients
        self._clients: dict[str, Client] = {}
        self._answers: dict[str, Answer] = {}

    def play(self) -> Counts:
        self._pin_trust()
        mark = self._customs_asks_for_a_mark()
        self._holder_looks_at_its_side(mark)
        self._replay(mark)
        self._recordal_is_public_in_part()
        self._denied_before_the_holder_is_called()
        self._office_is_down()
        self._detention_without_case()
        self._detention_with_case()
        self._sealed_case_looks_like_none()
        verified = self._verify_offline()
        tampered = self._tamper()
        kinds = [type(answer) for answer in self._answers.values()]
        counts = Counts(kinds.count(Released), kinds.count(Denied), kinds.count(Failed), verified, tampered)
        self._tell.finish(counts.line())
        return counts

    def _pin_trust(self) -> None:
        self._tell.act(
            "An auditor pins the gateway's trust list",
            "It says who signs what with which key. It is fetched once; the fingerprint of the key that signs it is "
            "compared by telephone. All that follows is checked against this file, never against the gateway's word.",
        )
        if not self._trust_file.exists():
            channel = Channel(self._base_url, patience=Patience(), time=Time())
            try:
                trustfile.write(self._trust_file, trustfile.fetch(channel))
            finally:
                channel.close()
        pinned = trustfile.read(self._trust_file)
        self._tell.rows([("pinned key", pinned.fingerprint or "none"), ("kept in", str(self._trust_file))])

    def _customs_asks_for_a_mark(self) -> Released:
        self._tell.act(
            "Customs asks the IP office for a trademark",
            "Headphones marked VELMORA lie in Port Avel. The officer needs the register entry. The office's policy "
            "gives customs everything for border enforcement except how to reach the owner, and says so.",
        )
        ask = Ask(
            self._urn("ipo-xa", "trademark", MARK),
            purpose="border_enforcement",
            legal_basis="XA Customs Cooperation Agreement 2025, art. 4",
            case_ref="CX-118",
        )
        answer = self._ask("customs-xa.intake", ask)
        _require(isinstance(answer, Released), "the mark is released")
        assert isinstance(answer, Released)  # noqa: S101  (narrows for mypy)
        _require("owners" in answer.fields, "the owner's name is released")
        _require("owner_contacts" not in answer.fields, "the owner's contact is withheld")
        withheld = {row.group for row in answer.withheld}
        _require("trademark.owner.contact" in withheld, "the withheld contact is listed with its reason")
        return answer

    def _holder_looks_at_its_side(self, mark: Released) -> None:
        self._tell.act(
            "The IP office looks at the same exchange",
            "Both sides may read it: the office sees who took which groups, for what purpose, under which receipt.",
        )
        seen = self._client("ipo-xa.exchange").exchange(mark.evidence.exchange)
        _require(seen.evidence.receipt == mark.evidence.receipt, "both sides see one receipt")
        self._tell.rows([("receipt", "the same, byte for byte")])

    def _replay(self, mark: Released) -> None:
        self._tell.act(
            "The network drops the answer, and customs sends the same bytes again",
            "A signed request is answered once. The repeat gets the stored answer; the office is not asked again and "
            "the log does not grow.",
        )
        again = self._client("customs-xa.intake").send(mark.evidence.request)
        _require(again.evidence.exchange == mark.evidence.exchange, "the repeat is the same exchange")
        _require(again.evidence.receipt == mark.evidence.receipt, "the repeat has the same receipt")
        _require(again.evidence.is_replayed, "the repeat says that it is one")
        self._tell.rows([("repeated", f"exchange {again.evidence.exchange}, entry {again.evidence.log_index}: the same")])

    def _recordal_is_public_in_part(self) -> None:
        self._tell.act(
            "The IP office asks customs for the recordal of that mark",
            "Customs publishes owner, title, number and goods of each recordal. Contact persons, licensees and prices "
            "stay with customs.",
        )
        ask = Ask(
            self._urn("customs-xa", "customs_recordal", "R2025-0031"),
            purpose="public_information",
            legal_basis="XA Border Measures Rules, r. 6",
        )
        answer = self._ask("ipo-xa.exchange", ask)
        _require(isinstance(answer, Released), "the recordal is released")

    def _denied_before_the_holder_is_called(self) -> None:
        self._tell.act(
            "The arbitration commission asks the foreign office, without any policy for it",
            "No policy of that office can release anything to an arbitration commission, whatever the record says. The "
            "gateway knows that beforehand and never calls the office. (Its server is down, as the next act shows: had "
            "it been called, the exchange would have failed.)",
        )
        ask = Ask(
            self._urn("ipo-xb", "trademark", "2023889012"),
            purpose="arbitration",
            legal_basis="XA Arbitration Act, s. 31",
        )
        _require(isinstance(self._ask("arbitration-xa.office", ask), Denied), "the request is denied")

    def _office_is_down(self) -> None:
        self._tell.act(
            "The IP office asks the foreign office, whose server is down",
            "Here the policy would release. That no answer came is an outcome of its own, with a receipt; it never "
            "looks like «no such record».",
        )
        ask = Ask(
            self._urn("ipo-xb", "trademark", "2023889012"),
            purpose="examination",
            legal_basis="XA-XB Arrangement on priority documents, art. 2",
        )
        answer = self._ask("ipo-xa.exchange", ask)
        _require(isinstance(answer, Failed) and answer.stage == "holder", "the exchange failed at the holder")

    def _detention_without_case(self) -> None:
        self._tell.act(
            "The court asks customs for a detention, and cites no case",
            "The file of a detention names the importer. Customs opens it to a court for a case, not for curiosity.",
        )
        answer = self._ask("court-xa.registry", self._detention(None))
        _require(isinstance(answer, Denied), "without a case the detention is refused")

    def _detention_with_case(self) -> None:
        self._tell.act(
            f"The same court cites its active case {ACTIVE_CASE}",
            "The case is on the court's own docket, active, and the detention names it. Now the goods and the importer "
            "are released; manufacturer, exporter and values stay withheld.",
        )
        answer = self._ask("court-xa.registry", self._detention(ACTIVE_CASE))
        _require(isinstance(answer, Released), "for the cited case the detention is released")
        assert isinstance(answer, Released)  # noqa: S101  (narrows for mypy)
        _require({"goods", "importer"} <= answer.fields.keys(), "goods and importer are released")
        _require("exporter" not in answer.fields, "the exporter is withheld")

    def _sealed_case_looks_like_none(self) -> None:
        self._tell.act(
            "The regulator asks for a sealed court case, then for one that does not exist",
            "A court order closed the file. The answer must not even tell that there is one: both refusals read the same.",
        )
        answers = [self._ask("regulator-xa.cases", self._court_case(number)) for number in (SEALED_CASE, "IPC 9999/2026")]
        for answer in answers:
            _require(isinstance(answer, Denied) and answer.slug == "no-information", "neither says whether it exists")

    def _verify_offline(self) -> int:
        self._tell.act(
            "The auditor verifies every answer offline",
            "Request, record and receipt signatures, what was disclosed, the commitment in the log, the log's proof "
            "and checkpoint: all from the answer itself and the pinned trust list. No call to the gateway.",
        )
        trust = trustfile.read(self._trust_file).trust
        for answer in self._answers.values():
            _verify(answer.evidence.raw, trust)
        self._tell.rows([("verified", f"{len(self._answers)} of {len(self._answers)} answers hold")])
        return len(self._answers)

    def _tamper(self) -> int:
        self._tell.act(
            "Somebody changes the answers afterwards",
            "One changed value, one changed letter in a receipt, one flipped bit in a proof. Each is caught.",
        )
        trust = trustfile.read(self._trust_file).trust
        released = next(answer for answer in self._answers.values() if isinstance(answer, Released))
        refused = 0
        for what, raw in forgeries(released.evidence.raw):
            try:
                _verify(raw, trust)
            except EvidenceError as error:
                refused += 1
                self._tell.rows([("refused", f"{what}: {error}")])
            else:
                raise TurnError(f"an answer with {what} passed the verifier")
        return refused

    def _detention(self, case_ref: str | None) -> Ask:
        return Ask(
            self._urn("customs-xa", "detention", CITED_DETENTION),
            purpose="court_proceeding",
            legal_basis="XA Judicial Assistance Act, s. 12",
            case_ref=case_ref,
        )

    def _court_case(self, number: str) -> Ask:
        return Ask(
            self._urn("court-xa", "court_case", number),
            purpose="market_surveillance",
            legal_basis="XA Market Order Act, s. 40",
        )

    def _ask(self, client_id: str, ask: Ask) -> Answer:
        answer = self._client(client_id).request(ask)
        self._answers[answer.evidence.exchange] = answer
        self._tell.asks(client_id, ask)
        self._tell.outcome(answer, ask.record_type)
        return answer

    def _client(self, client_id: str) -> Client:
        client = self._clients.get(client_id)
        if client is None:
            key = keyfile.read_key(self._world.keys[client_id])
            assert isinstance(key, KeySigner)  # noqa: S101  (the story's clients have no RSA keys)
            trust = trustfile.read(self._trust_file).trust
            client = self._open_clients.enter_context(Client(self._base_url, client_id, key, trust=trust))
            self._clients[client_id] = client
        return client


def forgeries(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Change a released answer in four places, one at a time; each time it stays well-formed JSON."""
    document = parse_object(raw)
    record, receipt, log = document["record"], document["receipt"], document["log"]
    assert isinstance(record, str)  # noqa: S101  (the client has read these members)
    assert isinstance(receipt, str)  # noqa: S101
    assert isinstance(log, dict)  # noqa: S101
    parts = record.split("~")
    yield "a changed value in the record", _with(document, record="~".join([parts[0], _flip(parts[1]), *parts[2:]]))
    yield "a value taken out of the record", _with(document, record="~".join([parts[0], *parts[2:]]))
    header, payload, signature = receipt.split(".")
    yield "a changed receipt", _with(document, receipt=f"{header}.{_flip(payload)}.{signature}")
    salt = log["salt"]
    assert isinstance(salt, str)  # noqa: S101
    yield "another salt, to stand for another log entry", _with(document, log={**log, "salt": _flip(salt)})


def _flip(text: str) -> str:
    """Flip the lowest bit of one byte in the middle of a base64url text."""
    data = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    data[len(data) // 2] ^= 1
    return base64.urlsafe_b64encode(bytes(data)).rstrip(b"=").decode("ascii")


def _with(document: dict[str, object], **members: object) -> bytes:
    return json.dumps({**document, **members}).encode()


def _verify(raw: bytes, trust: Trust) -> None:
    verify_members(members_of_answer(parse_object(raw)), trust, now=datetime.now(UTC))


def _require(holds: bool, claim: str) -> None:  # noqa: FBT001  (a claim and whether it holds)
    if not holds:
        raise TurnError(f"the story says: {claim}. It did not happen.")
