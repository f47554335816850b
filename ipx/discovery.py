"""What a gateway says about itself (RFC 8414), believed only where it agrees with the address it was asked at."""

from dataclasses import dataclass

from ipx.channel import Channel
from ipx.jws import Json
from ipx.problems import DiscoveryError, NotFoundError
from ipx.waiting import Deadline

WELL_KNOWN = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members this client uses."""

    issuer: str
    token_endpoint: str
    assertion_algs: frozenset[str]
    """Algorithms taken for client assertions; empty where the gateway does not say."""
    proof_algs: frozenset[str]
    """Algorithms taken for DPoP proofs; empty where the gateway does not say."""


def discover(channel: Channel, deadline: Deadline) -> Metadata:
    """Fetch and check the metadata of the gateway at the channel's origin.

    Raises:
        DiscoveryError: the issuer is not the origin character by character (RFC 8414, section 3.3), the token endpoint
            lies elsewhere, or private_key_jwt is not offered.
    """
    url = channel.origin + WELL_KNOWN
    try:
        document = channel.get_json(url, deadline)
    except NotFoundError as error:
        raise DiscoveryError(f"there is no gateway at {channel.origin}: {WELL_KNOWN} does not exist") from error
    issuer = document.get("issuer")
    if issuer != channel.origin:
        raise DiscoveryError(f"{channel.origin} calls itself {issuer!r}: another server's metadata, or a wrong address")
    endpoint = document.get("token_endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith(channel.origin + "/"):
        raise DiscoveryError(f"the token endpoint {endpoint!r} is not at {channel.origin}")
    methods = _names(document, "token_endpoint_auth_methods_supported")
    if "private_key_jwt" not in methods:
        raise DiscoveryError(f"{channel.origin} does not let clients sign in with a key (private_key_jwt)")
    return Metadata(
        issuer=channel.origin,
        token_endpoint=endpoint,
        assertion_algs=_names(document, "token_endpoint_auth_signing_alg_values_supported"),
        proof_algs=_names(document, "dpop_signing_alg_values_supported"),
    )


def _names(document: dict[str, Json], member: str) -> frozenset[str]:
    value = document.get(member)
    return frozenset(name for name in value if isinstance(name, str)) if isinstance(value, list) else frozenset()
