"""Recalls for tests: statements and acknowledgements signed and sent, by whoever may."""

from sqlalchemy import text

from gateway.clock import utc_now
from ipx import jws
from ipx.channel import Call
from ipx.ids import uuid7
from ipx.tokens import Grant
from tests.exchange.world import CUSTOMS, OFFICE

SCOPES = ["exchange:request", "records:recall"]


def statement(gateway, client_id=OFFICE, *, typ="ipx-recall+jwt", key=None, **changes):
    now = int(utc_now().timestamp())
    members = {
        "iss": client_id,
        "aud": gateway.settings.origin,
        "jti": uuid7(),
        "iat": now,
        "exp": now + 60,
        "record": gateway.urn(),
        "kind": "recalled",
        "reason": "entered for another mark",
    } | changes
    kept = {name: value for name, value in members.items() if value is not None}
    return jws.sign(kept, key or gateway.key(client_id), typ=typ).encode()


def acknowledgement(gateway, recall_id, client_id=CUSTOMS, action="deleted", **changes):
    said = {"recall": recall_id, "action": action, "record": None, "kind": None, "reason": None} | changes
    return statement(gateway, client_id, typ="ipx-acknowledgement+jwt", **said)


def call(gateway, method, path="", body=b"", client_id=CUSTOMS, scope="exchange:request", media="application/jose"):
    return gateway.client(client_id)._call(
        Call(method, f"{gateway.settings.origin}/v1/recalls{path}", {"Content-Type": media}, body),
        Grant(scope, gateway.settings.resource),
    )


def allow(gateway, client_id):
    agencies = gateway.services.agencies
    agencies.grant(client_id.partition(".")[0], SCOPES, actor="operator:test")
    agencies.set_client_scopes(client_id, SCOPES, actor="operator:test")


def make(gateway, client_id=OFFICE, body=None, **changes):
    return call(
        gateway, "POST", "", body or statement(gateway, client_id, **changes), client_id, scope="records:recall"
    )


def acknowledge(gateway, recall_id, client_id=CUSTOMS, **said):
    body = acknowledgement(gateway, recall_id, client_id, **said)
    return call(gateway, "POST", f"/{recall_id}/acknowledgements", body, client_id)


def acts(gateway, recall_id):
    query = text("SELECT act, actor, log_index FROM audit_entry WHERE subject = :subject ORDER BY id")
    with gateway.services.database.read() as session:
        return [tuple(row) for row in session.execute(query, {"subject": f"recall:{recall_id}"})]
