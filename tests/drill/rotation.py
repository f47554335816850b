"""Real traffic against real processes while the key that signs tokens is rotated by command, through all its states."""

import base64
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
from click.testing import CliRunner

from gateway.cli import main
from gateway.clock import utc_now
from gateway.demo.run import Demo
from gateway.oauth.keys import KeyState
from gateway.settings import Settings
from gateway.wiring import build
from ipx import keyfile
from ipx.compact import serialize
from ipx.dpop import prove
from ipx.ids import uuid7
from ipx.keys import public_key
from tests.drill.application import TIMES
from tests.exchange.servers import environment, serving

WORKERS = 2
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Pace:
    """How long everything lasts, in seconds; the real gateway takes 300, 360 and 360."""

    tokens_last: int
    published_before_use: float
    verifies_after_use: float

    def __str__(self):
        return f"{self.tokens_last} {self.published_before_use} {self.verifies_after_use}"


@dataclass
class Report:
    """What happened: token requests, calls of the API, introspections, and looks at the signature of a token."""

    calls: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    kids: set[str] = field(default_factory=set)
    rotations: int = 0
    seconds: float = 0

    def __str__(self):
        made = ", ".join(f"{count} {name}" for name, count in sorted(self.calls.items()))
        return (
            f"{self.seconds:.0f} s, {WORKERS} processes, {self.rotations} full rotations, "
            f"{len(self.kids)} keys signed: {made}; {len(self.failures)} failed"
        )


class Traffic:
    """Clients that call without pause, and one verifier that knows the gateway by its published keys alone."""

    def __init__(self, demo: Demo, issuer: str, address: str, pace: Pace, report: Report) -> None:
        self._issuer, self._address, self._pace, self._report = issuer, address, pace, report
        self._ending = threading.Event()
        self._seen: dict[str, str] = {}
        clients = [
            (client_id, keyfile.read_key(path))
            for client_id, path in demo.world.keys.items()
            if client_id in {"customs-xa.intake", "court-xa.registry", "regulator-xa.cases"}
        ]
        self._threads = [threading.Thread(target=self._call, args=client) for client in clients]
        self._threads.append(threading.Thread(target=self._verify))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(30)

    def _call(self, client_id, key):
        with httpx.Client(base_url=self._address, timeout=30) as http:
            nonce, token, renew_at = None, None, 0.0
            for turn in range(1_000_000):
                if self._ending.is_set():
                    return
                if token is None or time.monotonic() >= renew_at:
                    token, nonce, lasts = self._token(http, client_id, key, nonce)
                    # Kept for as long as a client may and no longer; times in tokens are whole seconds.
                    renew_at = time.monotonic() + lasts - 1.7
                proof = prove(key, "GET", f"{self._issuer}/v1/whoami", now=utc_now(), nonce=nonce, token=token)
                answer = http.get("/v1/whoami", headers={"Authorization": f"DPoP {token}", "DPoP": proof})
                nonce = answer.headers.get("DPoP-Nonce", nonce)
                if answer.status_code == HTTPStatus.UNAUTHORIZED and utc_now().timestamp() >= _claims(token)["exp"]:
                    token = None  # this machine was too busy: the call came too late, as it was refused for
                    self._report.calls["late calls"] += 1
                    continue
                self._count("calls of the API", answer)
                if turn % 20 == 0:
                    form = {**self._signed(client_id, key), "token": token}
                    answer = http.post("/oauth/introspect", data=form)
                    self._count("introspections", answer, ok=answer.is_success and answer.json()["active"])
                self._ending.wait(0.02)

    def _token(self, http, client_id, key, nonce):
        for _ in range(2):
            form = {"grant_type": "client_credentials", "scope": "exchange:request", **self._signed(client_id, key)}
            proof = prove(key, "POST", f"{self._issuer}/oauth/token", now=utc_now(), nonce=nonce)
            answer = http.post("/oauth/token", data=form, headers={"DPoP": proof})
            nonce = answer.headers.get("DPoP-Nonce", nonce)
            if answer.is_success or answer.json()["error"] != "use_dpop_nonce":
                break
        self._count("tokens", answer)
        token = answer.json()["access_token"]
        self._seen[client_id] = token
        return token, nonce, answer.json()["expires_in"]

    def _signed(self, client_id, key):
        now = int(utc_now().timestamp())
        claims = {"iss": client_id, "sub": client_id, "aud": self._issuer, "iat": now, "exp": now + 60, "jti": uuid7()}
        assertion = serialize({"alg": key.alg, "kid": key.kid}, claims, key)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def _verify(self):
        """Check signatures as a resource elsewhere would, with a key set that is kept for as long as is allowed."""
        kept_seconds = self._pace.published_before_use - 1
        with httpx.Client(base_url=self._address, timeout=30) as http:
            keys, until = {}, 0.0
            while not self._ending.wait(0.05):
                if time.monotonic() >= until:
                    published = http.get("/oauth/jwks").json()["keys"]
                    keys, until = {jwk["kid"]: public_key(jwk) for jwk in published}, time.monotonic() + kept_seconds
                for token in list(self._seen.values()):
                    text, _, signature = token.rpartition(".")
                    kid = json.loads(_decoded(text.split(".")[0]))["kid"]
                    self._report.kids.add(kid)
                    self._report.calls["signatures"] += 1
                    if kid not in keys:
                        self._report.failures.append(f"{kid} is unknown to a verifier that keeps the key set")
                    else:
                        keys[kid].verify(_decoded(signature), text.encode())

    def _count(self, name, answer, *, ok=None):
        self._report.calls[name] += 1
        if not (answer.is_success if ok is None else ok):
            self._report.failures.append(f"{name}: {answer.status_code} {answer.text[:200]}")


def drill(demo: Demo, settings: Settings, pace: Pace, seconds: float) -> Report:
    """Run the traffic for a while and rotate as often as a rotation fits in."""
    report = Report()
    services = build(settings)
    begun = time.monotonic()
    try:
        with (
            serving(demo, settings, "tests.drill.application:application()", workers=WORKERS, **{TIMES: str(pace)}) as (
                address,
                _,
            ),
            Traffic(demo, settings.origin, address, pace, report),
        ):
            begun = time.monotonic()
            whole = pace.published_before_use + pace.verifies_after_use
            while time.monotonic() + whole < begun + seconds:
                old = services.sign_in.keys.signer().kid
                _rotate(demo, settings)
                _await_retired(services.sign_in.keys, old, whole + 10)
                report.rotations += 1
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            report.seconds = time.monotonic() - begun
    finally:
        services.close()
    return report


def _rotate(demo, settings):
    result = CliRunner().invoke(main, ["token-key", "rotate"], env=environment(demo, settings))
    if result.exit_code:
        raise AssertionError(result.output)


def _await_retired(keys, kid, seconds):
    deadline = time.monotonic() + seconds
    while {row.kid: row.state for row in keys.states()}[kid] != KeyState.RETIRED:
        if time.monotonic() > deadline:
            raise AssertionError(f"key {kid} was not retired within {seconds} s")
        time.sleep(0.1)


def _claims(token):
    return json.loads(_decoded(token.split(".")[1]))


def _decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
