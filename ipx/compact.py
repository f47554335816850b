"""A signed JSON object as three base64url parts (RFC 7515, section 7.1): the two tokens that OAuth asks of a client.

`ipx.jws` signs evidence and allows one header only; a DPoP proof carries its key in the header, and a client may prove
itself with RSA, which evidence does not take. Hence this door beside it, which only signs and never verifies.
"""

from collections.abc import Mapping

from ipx.encoding import b64url
from ipx.jws import Json, dump_json
from ipx.keyfile import SignInKey


def serialize(header: Mapping[str, Json], payload: Mapping[str, Json], key: SignInKey) -> str:
    """Sign header and payload as they are written here; `alg` in the header is the caller's to set."""
    signing_input = f"{b64url(dump_json(dict(header)))}.{b64url(dump_json(dict(payload)))}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode('ascii')))}"
