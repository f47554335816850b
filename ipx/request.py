"""What a client asks for, and the signed bytes that ask for it (`ipx-request+jwt`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ipx import jws
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from ipx.ids import uuid7
from ipx.jws import Json
from ipx.keys import Signer
from ipx.problems import AskError, KeyFileError
from ipx.query import Query

TYP = "ipx-request+jwt"
LIFETIME = timedelta(seconds=60)
"""The longest the gateway takes. Freshness is judged once, when the request is filed."""

URN = re.compile(
    r"urn:ipx:(?P<holder>[A-Za-z0-9][A-Za-z0-9-]{1,62}):(?P<record_type>[a-z][a-z0-9_]{1,62}):(?P<local>[A-Za-z0-9._~()/-]{1,200})"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One record wanted, and why. The purpose, the basis and the case are signed and kept as evidence."""

    record: str
    """`urn:ipx:<holder>:<record type>:<local part>`."""
    purpose: str
    legal_basis: str
    groups: tuple[str, ...] = ()
    """Field groups wanted; none means all that the policy grants."""
    case_ref: str | None = None
    person: str | None = None
    """Who of your agency asks, as your own system names them; kept as evidence, for auditors."""

    def __post_init__(self) -> None:
        """Refuse what no gateway would take, before anything is signed.

        Raises:
            AskError: a malformed record name, an empty purpose or basis.
        """
        if URN.fullmatch(self.record) is None:
            raise AskError(f"{self.record!r} is no record name; one looks like urn:ipx:<holder>:<record type>:<number>")
        _require_reasons(self.purpose, self.legal_basis)

    @property
    def holder(self) -> str:
        return self.record.split(":")[2]

    @property
    def record_type(self) -> str:
        return self.record.split(":")[3]


@dataclass(frozen=True, slots=True)
class AskSeveral:
    """Several records wanted, chosen by what their fields hold (`ipx.query`), and why."""

    holder: str
    query: Mapping[str, Json]
    """`{"record_type": …, "where": {…}, "limit": …}`."""
    purpose: str
    legal_basis: str
    groups: tuple[str, ...] = ()
    case_ref: str | None = None
    person: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no gateway would take, before anything is signed.

        Raises:
            AskError: a malformed query, an empty purpose or basis.
        """
        try:
            Query.read(dict(self.query))
        except FormatError as error:
            raise AskError(str(error)) from error
        _require_reasons(self.purpose, self.legal_basis)

    @property
    def record_type(self) -> str:
        return str(self.query["record_type"])

    def following(self, after: str) -> "AskSeveral":
        """Ask for the page behind a record."""
        return replace(self, query={**self.query, "after": after})


def sign_request(ask: Ask | AskSeveral, *, client_id: str, gateway: str, key: Signer, now: datetime) -> str:
    """Sign a request, with a `jti` of its own. These bytes may be sent any number of times and are answered once.

    Raises:
        KeyFileError: the key is RSA, which serves to sign in but not to sign evidence.
    """
    members: dict[str, Json] = {
        "holder": ask.holder,
        **({"record": ask.record} if isinstance(ask, Ask) else {"query": dict(ask.query)}),
        "purpose": ask.purpose,
        "legal_basis": ask.legal_basis,
    }
    if ask.groups:
        members["groups"] = list(ask.groups)
    if ask.case_ref is not None:
        members["case_ref"] = ask.case_ref
    if ask.person is not None:
        members["person"] = ask.person
    return sign_statement(members, typ=TYP, client_id=client_id, gateway=gateway, key=key, now=now)


def sign_statement(
    members: Mapping[str, Json], *, typ: str, client_id: str, gateway: str, key: Signer, now: datetime
) -> str:
    """Sign what a client says to its gateway: who, to whom, when, under a `jti` of its own, and these members.

    Raises:
        KeyFileError: the key is RSA, which serves to sign in but not to sign evidence.
    """
    if key.alg not in {"Ed25519", "ES256"}:
        raise KeyFileError(
            f"a {key.alg} key signs a client in, but requests are evidence and need Ed25519 or ES256",
            next_step="Register a second key made with `ipx keygen --alg Ed25519` and sign requests with that.",
        )
    payload: dict[str, Json] = {
        "iss": client_id,
        "aud": gateway,
        "jti": uuid7(),
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + int(LIFETIME.total_seconds()),
        **members,
    }
    return jws.sign(payload, key, typ=typ)


def _require_reasons(purpose: str, legal_basis: str) -> None:
    for word, value in (("purpose", purpose), ("legal basis", legal_basis)):
        if not value.strip():
            raise AskError(f"the {word} is empty; the holder decides by it, and the evidence keeps it")


def asked_by(request: str) -> str:
    """Read from a signed request which client made it.

    Raises:
        AskError: the bytes are no signed request.
    """
    try:
        return jws.text(jws.parse_object(b64url_bytes(request.split(".")[1])), "iss")
    except (FormatError, IndexError) as error:
        raise AskError("this is no signed request") from error


def purpose_and_basis(request: str) -> tuple[str, str]:
    """Read from a request that was signed here what its access token has to be bound to.

    Raises:
        AskError: the bytes are no signed request.
    """
    try:
        payload = jws.parse_object(b64url_bytes(request.split(".")[1]))
        return jws.text(payload, "purpose"), jws.text(payload, "legal_basis")
    except (FormatError, IndexError) as error:
        raise AskError("what should be sent is no signed request") from error
