"""The whole gateway as an operator starts it: TLS of its own, Redis as replay store, keys that a client publishes."""

import json
import os
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
import requests
from sqlalchemy import select

from gateway.agencies.models import ClientKey
from gateway.clock import utc_now
from gateway.oauth.certificates import read_pem
from gateway.wiring import build
from gateway.worker import publish_trust
from ipx import keyfile
from ipx.compact import serialize
from ipx.dpop import prove
from tests.exchange.servers import environment, serving
from tests.exchange.world import Gateway

CLIENT = "customs-xa.intake"
COPIES = 16


@pytest.fixture
def system(demo):
    """What the demo's customs system sends."""
    key = keyfile.read_key(demo.world.keys[CLIENT])

    class System:
        def assertion(self, issuer):
            now = int(utc_now().timestamp())
            claims = {
                "iss": CLIENT,
                "sub": CLIENT,
                "aud": issuer,
                "iat": now,
                "exp": now + 60,
                "jti": os.urandom(9).hex(),
            }
            return serialize({"alg": key.alg, "kid": key.kid}, claims, key)

        def proof(self, issuer, nonce=None):
            return prove(key, "POST", f"{issuer}/oauth/token", now=utc_now(), nonce=nonce)

        def form(self, assertion):
            return {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
                "scope": "exchange:request",
            }

    return System()


def test_one_assertion_at_two_processes_over_redis_gives_exactly_one_token(demo, settings, system, redis_server):
    issuer = settings.origin
    with serving(demo, settings, workers=2, IPX_REDIS_URL=redis_server.url) as (address, _):
        challenge = httpx.post(
            f"{address}/oauth/token", data=system.form(system.assertion(issuer)), headers={"DPoP": system.proof(issuer)}
        )
        nonce = challenge.headers["DPoP-Nonce"]
        form = system.form(system.assertion(issuer))
        proofs = [system.proof(issuer, nonce) for _ in range(COPIES)]

        def post(proof):
            return httpx.post(f"{address}/oauth/token", data=form, headers={"DPoP": proof}, timeout=30)

        with ThreadPoolExecutor(COPIES) as pool:
            answers = list(pool.map(post, proofs))

        assert [answer.status_code for answer in answers].count(200) == 1
        assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_client"}
        redis_server.kill()
        lost = post(system.proof(issuer, nonce))
        assert (lost.status_code, lost.json()["error"]) == (503, "temporarily_unavailable")
        redis_server.start()
        again = post(system.proof(issuer, nonce))
        assert again.json()["error_description"].startswith("GW-116: "), "the assertion is known after the restart"


def test_the_gateway_ends_tls_itself_and_knows_clients_by_their_certificates(
    demo, settings, authority, wait_until_open
):
    origin = settings.origin.replace("http:", "https:")  # the same port: the log has the name of host and port
    port = urlsplit(origin).port
    settings = replace(settings, origin=origin, bind=f"127.0.0.1:{port}", workers=1)
    certificate, key = authority.issue("server")
    pair = authority.issue("intake")
    services = build(settings)
    services.sign_in.server.client_certificates.add(
        CLIENT, read_pem(Path(pair[0]).read_text()), by_names=False, actor="operator"
    )
    services.close()
    ca = str(authority.folder / "ca.pem")
    tls = {"IPX_TLS_CERTIFICATE": certificate, "IPX_TLS_KEY": key, "IPX_TLS_CLIENT_CA": ca}
    command = [sys.executable, "-c", "from gateway.cli import main; main(['serve'])"]
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": "exchange:request"}

    with subprocess.Popen(command, env=environment(demo, settings) | tls) as server:
        try:
            wait_until_open(server, port)
            metadata = requests.get(f"{origin}/.well-known/oauth-authorization-server", verify=ca, timeout=30).json()
            token = requests.post(f"{origin}/oauth/token", data=form, cert=pair, verify=ca, timeout=30).json()
            bearer = {"Authorization": f"Bearer {token['access_token']}"}
            called = requests.get(f"{origin}/v1/whoami", headers=bearer, cert=pair, verify=ca, timeout=30)
            stolen = requests.get(f"{origin}/v1/whoami", headers=bearer, verify=ca, timeout=30)
            certificate_before = ssl.get_server_certificate(("127.0.0.1", port))
            authority.issue("server")
            certificate_after = ssl.get_server_certificate(("127.0.0.1", port))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "tls_client_auth"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert called.json()["client_id"] == CLIENT
    assert stolen.status_code == 401
    assert certificate_before != certificate_after, "a renewed certificate needs no restart"


@pytest.fixture
def published(authority, monkeypatch):
    """An https server of the regulator that publishes a key set."""
    certificate, key = authority.issue("keys")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.folder / "ca.pem"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"keys": self.server.keys}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.uri = f"https://127.0.0.1:{server.server_port}/jwks"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_signed_with_a_published_key_is_answered_and_its_evidence_verifies(demo, settings, published):
    gateway = Gateway(demo, replace(settings, is_key_set_private=True))
    services, key = gateway.services, gateway.key(CLIENT)
    published.keys = [keyfile.public_jwk(key)]
    try:
        with services.database.write() as session:
            session.delete(session.scalars(select(ClientKey).where(ClientKey.client_id == CLIENT)).one())
        services.key_sets.publish_at(CLIENT, published.uri, actor="operator")
        assert services.key_sets.refresh_due() == 1
        publish_trust(services)

        answer = gateway.ask(CLIENT)

        assert answer.evidence.receipt, "the client has verified it"
        assert gateway.trust.key(frozenset({"requester"}), key.kid).owner == CLIENT
        assert [row.is_fetched for row in services.client_keys.keys(CLIENT)] == [True]
    finally:
        gateway.close()
