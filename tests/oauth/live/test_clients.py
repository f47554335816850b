"""Client libraries that share no code with this project run the whole flow against the demo's server, unchanged."""

import json
import subprocess

import pytest
import requests
from jwskate import Jwk
from requests_oauth2client import ApiClient, OAuth2Client, PrivateKeyJwt

from gateway.demo.run import Demo, free_port

CLIENTS = {"ES256": "customs-xa.intake", "Ed25519": "court-xa.registry", "PS256": "ipo-xb.batch"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of its own, because it is served in its own place."""
    demo = Demo(tmp_path_factory.mktemp("served"), free_port())
    demo.prepare()
    return demo


@pytest.fixture(scope="module")
def issuer(demo):
    """The demo as `ipx-gateway demo` runs it, two processes."""
    with demo.serving():
        yield demo.origin


@pytest.fixture
def private_jwk(demo):
    """What a client of the demo holds, from its credentials file."""
    clients = {client["client_id"]: client for client in demo.credentials()["clients"]}

    def of(alg, name=None):
        jwk = clients[CLIENTS[alg]]["private_jwk"]
        return {**jwk, "alg": name or alg, "kid": Jwk(jwk).thumbprint()}

    return of


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_requests_oauth2client(issuer, private_jwk, alg):
    named = "EdDSA" if alg == "Ed25519" else alg
    metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=30).json()
    client = OAuth2Client(
        token_endpoint=metadata["token_endpoint"],
        introspection_endpoint=metadata["introspection_endpoint"],
        revocation_endpoint=metadata["revocation_endpoint"],
        auth=PrivateKeyJwt(CLIENTS[alg], private_jwk(alg, named), alg=named, aud=metadata["issuer"]),
        dpop_bound_access_tokens=True,
        testing=True,  # loopback without TLS
    )

    token = client.client_credentials(scope="exchange:request", resource=f"{issuer}/v1")

    assert ApiClient(f"{issuer}/v1/", auth=token).get("whoami").json()["client_id"] == CLIENTS[alg]
    assert client.introspect_token(token)["active"] is True
    assert client.revoke_access_token(token)
    assert client.introspect_token(token)["active"] is False


@pytest.mark.parametrize("library", ["openid-client", "oauth4webapi"])
@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_libraries_of_node(issuer, private_jwk, node_folder, library, alg):
    asked = {
        "library": library,
        "issuer": issuer,
        "clientId": CLIENTS[alg],
        "jwk": private_jwk(alg),
        "resource": f"{issuer}/v1",
    }

    done = subprocess.run(
        ["node", "flow.mjs", json.dumps(asked)],
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["type"].lower() == "dpop"
    assert said["caller"]["client_id"] == CLIENTS[alg]
    assert (said["before"], said["after"]) == (True, False)
    assert said.get("judged", CLIENTS[alg]) == CLIENTS[alg]
