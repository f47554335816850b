"""A client's key set (RFC 7517, section 5) as published: which of its keys can be taken, and why others cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.agencies.client_keys import CLIENT_ALGORITHMS, LIVE_KEYS_MAX, PRIVATE_MEMBERS
from gateway.errors import Fault, InvalidInputError
from ipx.errors import EvidenceError, FormatError
from ipx.jws import parse_object
from ipx.keys import PublicKey, public_key

URI_LENGTH: Final = 2048
KID_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key that can be taken.

    Args:
        listed_as: the name under which the set lists it, where that is not its thumbprint.
    """

    public: PublicKey
    listed_as: str | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """Nothing of what came can be taken; the words are our own and hold nothing of it."""

    words: str


def read_key_set(body: bytes) -> list[ListedKey] | Unusable:
    """Read a key set.

    Keys for encryption and of types that are not taken here are passed over: a set may serve others too. What must not
    be there at all (a private key, a name twice) makes the whole set unusable, and so do more keys than a client may
    have: none is picked silently.
    """
    try:
        keys = parse_object(body).get("keys")
    except EvidenceError:
        return Unusable("the answer is not a JSON object in UTF-8")
    objects = [jwk for jwk in keys if isinstance(jwk, dict)] if isinstance(keys, list) else []
    if not isinstance(keys, list) or len(objects) != len(keys):
        return Unusable("the answer holds no list `keys` of JSON objects")
    listed: dict[str, ListedKey] = {}
    for jwk in objects:
        if PRIVATE_MEMBERS & jwk.keys():
            return Unusable("the set holds a private or symmetric key: replace that key at once")
        key = _taken(jwk)
        if key is not None:
            listed[key.public.kid] = key
    names = [key.listed_as for key in listed.values() if key.listed_as is not None]
    if len(set(names)) != len(names):
        return Unusable("two keys of the set have the same kid")
    if len(listed) > LIVE_KEYS_MAX:
        return Unusable(f"the set holds more than {LIVE_KEYS_MAX} keys for signing")
    return list(listed.values())


# Members that say nothing of the key itself (RFC 7517, section 4); key sets of other software carry them.
_ASIDE: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u", "exp", "iat", "nbf"})


def _taken(jwk: Mapping[str, Any]) -> ListedKey | None:
    try:
        bare = {name: value for name, value in jwk.items() if name not in _ASIDE}
        public = public_key(bare, algorithms=CLIENT_ALGORITHMS)
    except FormatError:
        return None
    name = jwk.get("kid")
    if name is None or name == public.kid:
        return ListedKey(public, None)
    if not isinstance(name, str) or not name.isascii() or not name.isprintable() or len(name) > KID_LENGTH:
        return None
    return ListedKey(public, name)


def require_key_set_uri(text: str) -> str:
    """Pass an address of a key set on; where it leads is judged when it is fetched.

    Raises:
        InvalidInputError: it is not an https address of a host, or names an account or a fragment.
    """
    try:
        parts = urlsplit(text)
        is_sound = (
            parts.scheme == "https"
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in parts.netloc
            and "#" not in text
            and text.isascii()
            and text.isprintable()
            and " " not in text
            and len(text) <= URI_LENGTH
        )
    except ValueError:
        is_sound = False
    if not is_sound:
        raise InvalidInputError(
            [
                Fault(
                    "/jwks_uri",
                    "bad_address",
                    "an https address without account and fragment, such as https://a.example/jwks",
                )
            ]
        )
    return text
