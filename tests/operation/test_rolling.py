"""Two nodes behind the nginx that the project ships: restarted one by one under load, and reached by certificate."""

import shutil

import httpx
import pytest

from gateway.wiring import build
from tests.operation import front
from tests.operation.rolling import redis_server, roll, two_nodes

pytestmark = pytest.mark.skipif(not front.is_present(), reason="no nginx on this machine")


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_nodes_are_restarted_one_by_one_under_load_and_no_call_fails(demo, settings, tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine")
    with (
        redis_server(tmp_path) as redis,
        two_nodes(demo, settings, tmp_path, IPX_REDIS_URL=redis, IPX_DRAIN_SECONDS="4") as (nodes, nginx),
    ):
        assert "syntax is ok" in nginx.check()
        _a_certificate_counts_only_over_its_own_connection(settings, nginx)

        report = roll(demo, settings, nodes, nginx)

    assert report.failures == []
    assert report.restarts == 2
    assert report.said == [{"ready": False, "failing": "draining"}] * 2
    assert report.calls["answers"] >= 50
    assert "?" not in nginx.log


def _a_certificate_counts_only_over_its_own_connection(settings, nginx):
    mine, another = nginx.clients.issue("intake"), nginx.clients.issue("other")
    services = build(settings)
    try:
        certificates = services.sign_in.server.client_certificates
        certificates.add("customs-xa.intake", front.certificate(mine), by_names=False, actor="operator")
    finally:
        services.close()
    escaped = front.escaped(mine)
    asked = {"grant_type": "client_credentials", "client_id": "customs-xa.intake", "scope": "exchange:request"}

    def client(identity=None, **headers):
        return httpx.Client(transport=nginx.transport(identity), base_url=settings.origin, headers=headers, timeout=30)

    with client(mine) as mutual, client() as plain, client(another, **{"Client-Cert": escaped}) as forger:
        token = mutual.post("/oauth/token", data=asked)
        assert token.status_code == 200, token.text
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        assert mutual.get("/v1/whoami", headers=bearer).status_code == 200
        assert plain.get("/v1/whoami", headers=bearer | {"Client-Cert": escaped}).status_code == 401
        assert forger.get("/v1/whoami", headers=bearer).status_code == 401
        assert not forger.post("/oauth/token", data=asked).is_success
        assert plain.get("/health").status_code == 200  # from loopback, which may see it
    assert httpx.get(nginx.plain + "/v1", headers={"Host": "gw.example"}).headers["Location"] == "https://gw.example/v1"
