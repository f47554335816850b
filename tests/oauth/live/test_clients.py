"""Client libraries that share no code with this project run the whole flow against a live server, unchanged."""

import json
import subprocess
import threading

import pytest
import requests
from jwskate import Jwk
from requests_oauth2client import ApiClient, OAuth2Client, PrivateKeyJwt
from werkzeug.serving import make_server

from gateway.clock import utc_now


@pytest.fixture
def live(world, database):
    """The world over HTTP on a loopback port, by the real clock."""
    server = make_server("127.0.0.1", 0, lambda *call: app(*call), threaded=True)  # noqa: PLW0108  (made below)
    origin = f"http://127.0.0.1:{server.server_port}"
    live = type(world)(database, utc_now, origin=origin)
    app = live.app
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield live
    server.shutdown()
    thread.join()
    server.server_close()


def private_jwk(live, key, alg):
    jwk = live.jwk_of(key)
    private = Jwk.from_cryptography_key(key).to_dict()
    return {**private, "kid": live.thumbprint(jwk), "alg": alg}


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
def test_requests_oauth2client(live, alg):
    system = live.system("customs-xa.live", "Ed25519" if alg == "EdDSA" else alg)
    metadata = requests.get(f"{live.origin}/.well-known/oauth-authorization-server", timeout=5).json()
    auth = PrivateKeyJwt(system.client_id, private_jwk(live, system.key, alg), alg=alg, aud=metadata["issuer"])
    client = OAuth2Client(
        token_endpoint=metadata["token_endpoint"],
        introspection_endpoint=metadata["introspection_endpoint"],
        revocation_endpoint=metadata["revocation_endpoint"],
        auth=auth,
        dpop_bound_access_tokens=True,
        testing=True,  # loopback without TLS
    )

    token = client.client_credentials(scope="exchange:request", resource=f"{live.origin}/v1")

    api = ApiClient(f"{live.origin}/v1/", auth=token)
    assert api.get("whoami").json()["client"] == "customs-xa.live"
    assert client.introspect_token(token)["active"] is True
    assert client.revoke_access_token(token)
    assert client.introspect_token(token)["active"] is False


@pytest.mark.parametrize("library", ["openid-client", "oauth4webapi"])
@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_libraries_of_node(live, node_folder, library, alg):
    system = live.system("customs-xa.live", alg)
    asked = {
        "library": library,
        "issuer": live.origin,
        "clientId": system.client_id,
        "jwk": private_jwk(live, system.key, alg),
        "resource": f"{live.origin}/v1",
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
    assert said["caller"]["client"] == "customs-xa.live"
    assert (said["before"], said["after"]) == (True, False)
    assert said.get("judged", "customs-xa.live") == "customs-xa.live"
