"""A whole gateway in this process, and the parties of the demo world that call it."""

import httpx
from sqlalchemy import text

from gateway.app import create_app
from gateway.clock import utc_now
from gateway.demo.run import Demo
from gateway.governance.collecting import at_once
from gateway.settings import Settings
from gateway.wiring import build
from ipx import jws, keyfile, trust
from ipx.channel import Call
from ipx.client import Client
from ipx.encoding import b64url_bytes
from ipx.ids import uuid7
from ipx.keys import public_key
from ipx.request import Ask
from ipx.tokens import purpose_grant
from ipx.waiting import Patience

CUSTOMS, COURT, OFFICE, REGULATOR = "customs-xa.intake", "court-xa.registry", "ipo-xa.exchange", "regulator-xa.cases"
ABROAD, ARBITRATION = "ipo-xb.exchange", "arbitration-xa.office"
MARK = "202400017"


_MADE = []


def demo_of_the_run(tmp_path_factory) -> Demo:
    """Prepare the demo world once for all folders of tests that ask for it."""
    if not _MADE:
        demo = Demo(tmp_path_factory.mktemp("demo"), 18080)
        demo.prepare()
        _MADE.append(demo)
    return _MADE[0]


class Gateway:
    """One gateway: its services, its application, its clients."""

    def __init__(self, demo: Demo, settings: Settings, **options) -> None:
        self.demo = demo
        self.settings = settings
        self.services = build(settings, **{"start": at_once, **options})
        self.app = create_app(self.services)
        self.http = httpx.Client(
            transport=httpx.WSGITransport(self.app, raise_app_exceptions=True), base_url=settings.origin
        )
        self._clients = {}

    @property
    def trust(self):
        payload = self.http.get("/log/trust.jws").content
        pinned = self.http.get("/log/trust.jwk").json()
        return trust.load(payload, pinned=public_key(pinned), at_least=0)

    def key(self, client_id):
        return keyfile.read_key(self.demo.world.keys[client_id])

    def client(self, client_id=CUSTOMS, *, verified=True) -> Client:
        if client_id not in self._clients:
            self._clients[client_id] = Client(
                self.settings.origin,
                client_id,
                self.key(client_id),
                trust=self.trust if verified else None,
                http=httpx.Client(transport=httpx.WSGITransport(self.app), base_url=self.settings.origin),
                patience=Patience(total_seconds=20, tries=1),
            )
        return self._clients[client_id]

    def urn(self, agency="ipo-xa", record_type="trademark", number=MARK) -> str:
        return self.demo.urn(agency, record_type, number, self.services.holder_keys)

    def payload(self, client_id=CUSTOMS, **changes):
        """A good request's members, with some changed; a member set to None is left out."""
        now = int(utc_now().timestamp())
        members = {
            "iss": client_id,
            "aud": self.settings.origin,
            "jti": uuid7(),
            "iat": now,
            "exp": now + 60,
            "holder": "ipo-xa",
            "record": self.urn(),
            "purpose": "border_enforcement",
            "legal_basis": "XA Customs Cooperation Agreement 2025, art. 4",
        } | changes
        return {name: value for name, value in members.items() if value is not None}

    def sign(self, client_id=CUSTOMS, *, typ="ipx-request+jwt", key=None, **changes) -> str:
        return jws.sign(self.payload(client_id, **changes), key or self.key(client_id), typ=typ)

    def ask(self, client_id=CUSTOMS, agency="ipo-xa", record_type="trademark", number=MARK, **changes):
        """Send a good request, or one changed as told; gives the client's answer or raises what the client raises."""
        record = self.urn(agency, record_type, number)
        request = self.sign(client_id, **({"holder": agency, "record": record} | changes))
        return self.client(client_id).send(request)

    def count(self, table) -> int:
        with self.services.database.read() as session:
            return session.scalar(text(f"SELECT count(*) FROM {table}"))

    def post(self, body, content_type="application/jose", client_id=CUSTOMS):
        """Send a body as it is, with a good token and proof; gives status, headers and document as they came."""
        call = Call("POST", f"{self.settings.origin}/v1/exchanges", {"Content-Type": content_type}, body)
        good = self.payload(client_id)
        grant = purpose_grant(
            "exchange:request", self.settings.resource, purpose=good["purpose"], legal_basis=good["legal_basis"]
        )
        return self.client(client_id)._call(call, grant)

    def receipt(self, answer):
        """The payload of an answer's receipt; that its signature holds, the client has checked."""
        return jws.parse_object(b64url_bytes(answer.evidence.receipt.split(".")[1]))

    def close(self) -> None:
        self.services.close()


def ask(record, purpose="border_enforcement", **options) -> Ask:
    return Ask(record, purpose, "XA Customs Cooperation Agreement 2025, art. 4", **options)
