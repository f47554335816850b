"""Mutual TLS: a client proves itself by its certificate, and a token bound to one counts over its connection only."""

import base64
import hashlib
from datetime import timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import InvalidInputError, UnknownError
from gateway.oauth.certificates import Certificate, read_pem

PROXY = "192.0.2.10"


@pytest.fixture
def issue(world):
    """Make a certificate for a subject; each is issued by the same authority."""
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "XA departments")])
    signer = ec.generate_private_key(ec.SECP256R1())

    def make(subject="intake", by=authority):
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(by)
            .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(world.clock())
            .not_valid_after(world.clock() + timedelta(days=90))
            .sign(signer, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )

    return make


@pytest.fixture
def over(world, intake):
    """Ask for a token over a connection with a certificate, as a trusted proxy tells it."""

    def ask(der, address=PROXY, header=None, **form):
        asked = {"grant_type": "client_credentials", "client_id": intake.client_id, "scope": "exchange:request", **form}
        return world.http.post(
            "/oauth/token",
            data={k: v for k, v in asked.items() if v is not ...},
            headers={"Client-Cert": header or f":{base64.b64encode(der).decode()}:"},
            environ_overrides={"REMOTE_ADDR": address},
        )

    return ask


@pytest.fixture
def call(world):
    def whoami(token, der=None, address=PROXY, scheme="Bearer"):
        headers = {"Authorization": f"{scheme} {token}"}
        if der is not None:
            headers["Client-Cert"] = f":{base64.b64encode(der).decode()}:"
        return world.http.get("/v1/whoami", headers=headers, environ_overrides={"REMOTE_ADDR": address})

    return whoami


@pytest.fixture
def registered(world, intake, issue):
    der = issue()
    world.client_certificates.add(intake.client_id, Certificate(der), by_names=False, actor="operator")
    return der


@pytest.mark.both_databases
def test_a_client_proves_itself_and_its_calls_by_its_certificate(world, intake, registered, over, call):
    answer = over(registered)

    assert answer.status_code == 200, answer.text
    assert answer.json["token_type"] == "Bearer"
    token = answer.json["access_token"]
    assert call(token, registered).json["client"] == "customs-xa.intake"
    claims = intake.post("/oauth/introspect", token=token).json
    assert claims["client_amr"] == "tls_client_auth"
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(registered).digest()).rstrip(b"=").decode()
    assert claims["cnf"] == {"x5t#S256": thumbprint}


def test_a_proxy_may_send_percent_encoded_pem(registered, over):
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(registered).decode() + "-----END CERTIFICATE-----\n"

    assert over(registered, header=quote(pem)).status_code == 200


def test_an_assertion_with_a_certificate_and_no_proof_binds_to_the_certificate(intake, issue, over, call):
    der = issue()

    answer = over(der, **intake.form())

    assert answer.json["token_type"] == "Bearer"
    assert call(answer.json["access_token"], der).status_code == 200


@pytest.mark.parametrize("address", ["198.51.100.1", "127.0.0.1", "192.0.3.1"])
def test_a_certificate_in_a_header_from_elsewhere_is_nothing(registered, over, call, refused, shut_out, address):
    token = over(registered).json["access_token"]

    refused(over(registered, address=address), "invalid_client", "GW-100")
    shut_out(call(token, registered, address=address), "invalid_token", "GW-406")


@pytest.mark.parametrize(
    "header", ["", "::", ":!!:", "garbage", "-----BEGIN CERTIFICATE-----", ":AA", ":AAAA:, :AAAA:"]
)
def test_a_header_that_holds_no_certificate_is_nothing(over, registered, refused, header):
    refused(over(registered, header=header or "-"), "invalid_client", "GW-100")


def test_another_certificate_of_the_same_name_is_refused_where_one_is_registered(issue, over, registered, refused):
    refused(over(issue()), "invalid_client", "GW-100")


@pytest.mark.both_databases
def test_a_certificate_registered_by_names_may_be_renewed(world, intake, issue, over, refused):
    world.client_certificates.add(intake.client_id, Certificate(issue()), by_names=True, actor="operator")

    assert over(issue()).status_code == 200
    refused(over(issue("somebody else")), "invalid_client", "GW-100")
    stranger = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Another authority")])
    refused(over(issue(by=stranger)), "invalid_client", "GW-100")


def test_garbage_in_place_of_a_certificate_is_refused(over, world, intake, issue, refused):
    world.client_certificates.add(intake.client_id, Certificate(issue()), by_names=True, actor="operator")

    refused(over(b"no certificate"), "invalid_client", "GW-100")


@pytest.mark.both_databases
@pytest.mark.parametrize("client_id", ["court-xa.registry", "nobody-xa.system", "a\x00b", "x" * 300])
def test_a_certificate_serves_its_own_client_only(over, registry, registered, client_id):
    answer = over(registered, client_id=client_id)

    assert answer.status_code == 400
    assert answer.json["error"] in {"invalid_client", "invalid_request"}


def test_a_stolen_token_is_refused_without_its_certificate(registered, over, call, issue, shut_out):
    token = over(registered).json["access_token"]

    shut_out(call(token), "invalid_token", "GW-406")
    shut_out(call(token, issue()), "invalid_token", "GW-406")
    shut_out(call(token, registered, scheme="DPoP"), "invalid_token", "GW-406")


def test_a_token_bound_to_a_key_is_no_bearer_token_with_a_certificate(intake, registered, call, shut_out):
    shut_out(call(intake.token(), registered), "invalid_token", "GW-405")


def test_two_ways_of_authentication_are_refused(registered, over, refused):
    refused(over(registered, client_secret="s"), "invalid_client", "GW-100")


@pytest.mark.both_databases
def test_revoked_certificates_end_at_once_with_their_tokens(world, registered, over, call, refused, shut_out):
    token = over(registered).json["access_token"]
    world.clock.advance(1)

    assert world.client_certificates.revoke("customs-xa.intake", actor="operator") == 1

    refused(over(registered), "invalid_client", "GW-100")
    shut_out(call(token, registered), "invalid_token", "GW-404")
    assert [row.act for row in world.audit() if "certificate" in row.act] == [
        "client_certificate.added",
        "client_certificate.revoked",
    ]


@pytest.mark.both_databases
def test_only_certificates_of_clients_are_registered(world, intake, issue):
    with pytest.raises(InvalidInputError):
        world.client_certificates.add(intake.client_id, Certificate(b"x"), by_names=False, actor="operator")
    with pytest.raises(UnknownError):
        world.client_certificates.add("nobody-xa.x", Certificate(issue()), by_names=False, actor="operator")
    with pytest.raises(InvalidInputError):
        read_pem("garbage")


def test_the_web_servers_own_socket_comes_before_any_header(world, intake, issue, registered):
    class Socket:
        """What gunicorn gives as `gunicorn.socket` on a TLS connection."""

        def __init__(self, der):
            self.der = der

        def getpeercert(self, binary_form):
            assert binary_form
            return self.der

    form = {"grant_type": "client_credentials", "client_id": intake.client_id, "scope": "exchange:request"}
    header = {"Client-Cert": f":{base64.b64encode(registered).decode()}:"}
    for der, status in ((registered, 200), (issue(), 400), (None, 400)):
        environ = {"gunicorn.socket": Socket(der), "REMOTE_ADDR": PROXY}
        answer = world.http.post("/oauth/token", data=form, headers=header, environ_overrides=environ)
        assert answer.status_code == status
