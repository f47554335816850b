"""What only the web server knows of a call: from where it came, and the path of the request line, undecoded."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from flask import Request

from gateway.oauth.dpop import Call


class TrustedProxies:
    """The proxies in front of this gateway, whose headers are believed; from anybody else they count for nothing."""

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        """Take their addresses or networks."""
        self._networks = tuple(ip_network(proxy) for proxy in proxies)

    def sent(self, request: Request) -> bool:
        """Whether the connection of a call comes from one of them."""
        return self._holds(request.environ.get("REMOTE_ADDR"))

    def address_of(self, request: Request) -> str:
        """Give the address of who called: of the connection, or what the last of our proxies was told by its peer."""
        address = request.environ.get("REMOTE_ADDR") or ""
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        while hops and self._holds(address) and _is_address(hops[-1]):
            address = hops.pop()
        return address

    def _holds(self, address: str | None) -> bool:
        try:
            return any(ip_address(address or "") in network for network in self._networks)
        except ValueError:
            return False


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def call_of(request: Request, *, token_hash: str | None = None) -> Call:
    """Describe a call for the judge of proofs."""
    return Call(
        proof=request.headers.get("DPoP"),
        method=request.method,
        path=raw_path(request),
        token_hash=token_hash,
    )


def raw_path(request: Request) -> str:
    """Give the path as the client sent it. `PATH_INFO` is decoded: two addresses would look like one."""
    target = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if not isinstance(target, str):
        return quote(request.path)
    if not target.startswith("/"):  # absolute form (RFC 9112, section 3.2.2); its authority counts for nothing here
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0].partition("#")[0]
