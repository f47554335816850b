"""Records to issue, and presentations of any payload and disclosures, signed as they are damaged."""

import json
import secrets

from hypothesis import strategies as st

from ipx import sdjwt
from ipx.encoding import b64url
from ipx.keys import KeyRing, TrustedKey, generate_signer
from tests.ipx.world import NOW

TYP = "ipx-record+sd-jwt"
HOLDER = generate_signer()
STRANGER = generate_signer()
HARDWARE = generate_signer("ES256")
KEYS = KeyRing([TrustedKey("holder", signer.kid, "ipo-xa", signer.public) for signer in (HOLDER, HARDWARE)])
ROLES = frozenset({"holder", "seal"})
ENVELOPE = {
    "iss": "ipo-xa",
    "sub": "urn:ipx:ipo-xa:trademark:2019-0042",
    "iat": int(NOW.timestamp()),
    "record_type": "trademark",
    "schema_version": 1,
    "source": "register",
    "revision": 7,
    "as_of": "2026-11-25T08:00:00Z",
    "recorded_at": "2026-11-25T08:00:00Z",
    "status": "active",
    "sealed_by": "holder",
    "language": "en",
}
FIELDS = {"verbal_element": "SUNRISE", "owners": [{"party_no": 1, "name": "Sunrise Ltd"}], "owner_contacts": ["secret"]}


def issued(fields=FIELDS, *, hidden=None, signer=HOLDER, **changes):
    hidden = [(name,) for name in fields] if hidden is None else hidden
    return sdjwt.issue({**ENVELOPE, **changes, **fields}, hidden, signer, typ=TYP, decoys=3, salt=sdjwt.fresh_salt)


def verify(token, *, at=NOW):
    return sdjwt.verify(token, KEYS, roles=ROLES, typ=TYP, at=at)


def hidden_as(*content):
    """A disclosure and its digest, of any content."""
    disclosure = b64url(json.dumps([secrets.token_hex(8), *content]).encode())
    return disclosure, sdjwt.digest(disclosure)


def signed(payload, *disclosures, header=None, signer=HOLDER):
    """A presentation of any payload and disclosures, properly signed: damaged, but signed as damaged."""
    header = header or {"alg": "Ed25519", "kid": signer.kid, "typ": TYP}
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(map(b64url, parts))
    jwt = f"{signing_input}.{b64url(signer.sign(signing_input.encode()))}"
    return "~".join([jwt, *disclosures, ""])


def record(**members):
    return {**ENVELOPE, "_sd_alg": "sha-256", **members}


NAMED, NAMED_DIGEST = hidden_as("verbal_element", "SUNRISE")
SECOND, SECOND_DIGEST = hidden_as("verbal_element", "SUNSET")
ELEMENT, ELEMENT_DIGEST = hidden_as("filed")
SD, SD_DIGEST = hidden_as("_sd", ["x"])
DOTS, DOTS_DIGEST = hidden_as("...", "x")
SD_ALG, SD_ALG_DIGEST = hidden_as("_sd_alg", "sha-256")
CHILD, CHILD_DIGEST = hidden_as("street", "C")
PARENT, PARENT_DIGEST = hidden_as("address", {"_sd": [CHILD_DIGEST]})
UNKNOWN = sdjwt.digest("decoy")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
