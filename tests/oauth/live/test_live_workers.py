"""Two real worker processes of gunicorn over TLS: races between processes, and certificates from its own sockets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from gateway.oauth.certificates import read_pem

pytestmark = pytest.mark.both_databases

COPIES = 16


def test_one_assertion_at_two_processes_at_once_gives_exactly_one_token(live_workers):
    system = live_workers.system("customs-xa.racing")
    url = f"{live_workers.origin}/oauth/token"
    assertion = system.assertion(claims={"aud": live_workers.origin})
    sent = [(system.form(client_assertion=assertion), {"DPoP": system.proof(url=url)}) for _ in range(COPIES)]

    def post(request):
        form, headers = request
        with requests.Session() as session:
            return session.post(url, data=form, headers=headers, verify=live_workers.authority, timeout=30)

    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(post, sent))

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_client"}
    assert [row.subject for row in live_workers.audit("token.issued")].count(system.client_id) == 1


def test_the_certificate_comes_from_the_servers_own_socket(live_workers, authority):
    system = live_workers.system("customs-xa.certified")
    pair, other = authority.issue("intake"), authority.issue("other")
    live_workers.client_certificates.add(
        system.client_id, read_pem(Path(pair[0]).read_text()), by_names=False, actor="operator"
    )
    form = {"grant_type": "client_credentials", "client_id": system.client_id, "scope": "exchange:request"}

    def ask(cert):
        with requests.Session() as session:
            return session.post(
                f"{live_workers.origin}/oauth/token", data=form, cert=cert, verify=live_workers.authority, timeout=30
            )

    def call(token, cert):
        with requests.Session() as session:
            headers = {"Authorization": f"Bearer {token}"}
            return session.get(
                f"{live_workers.origin}/v1/whoami",
                headers=headers,
                cert=cert,
                verify=live_workers.authority,
                timeout=30,
            )

    token = ask(pair).json()["access_token"]
    assert call(token, pair).json()["client"] == "customs-xa.certified"
    assert ask(other).json()["error"] == "invalid_client"
    assert ask(None).json()["error"] == "invalid_client"
    assert call(token, other).status_code == 401
    assert call(token, None).status_code == 401
