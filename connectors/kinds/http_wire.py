"""The wire below every HTTP call: addresses are looked up here and pinned, and no byte is waited for past the deadline.

A name is resolved once for each connection, every address it has is judged, and the connection goes to one of those
very addresses: there is no second look-up that could answer differently. TLS still checks the name.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore

from connectors.deadline import Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_resolvers = ThreadPoolExecutor(16, thread_name_prefix="resolve")
_until: ContextVar[Deadline | None] = ContextVar("_until", default=None)

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddressError(httpcore.ConnectError):
    """The name leads to an address that this source may not call."""


@contextmanager
def ending_by(deadline: Deadline) -> Iterator[None]:
    """Bound all that this thread does on any wire until the block ends."""
    token = _until.set(deadline)
    try:
        yield
    finally:
        _until.reset(token)


class Wire(httpcore.NetworkBackend):
    """Connects to public addresses only, or to private ones too where a source file says so."""

    def __init__(self, *, private: bool, inner: httpcore.NetworkBackend | None = None) -> None:
        self._private = private
        self._inner = inner or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        for address in vetted(host, port, private=self._private):
            try:
                stream = self._inner.connect_tcp(str(address), port, _bounded(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
                continue
            return _BoundedStream(stream)
        raise failed or httpcore.ConnectError("the name has no address")


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _bounded(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._inner.start_tls(ssl_context, server_hostname, _bounded(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def vetted(host: str, port: int, *, private: bool) -> list[Address]:
    """Look a name up, once, and judge all of its addresses.

    Raises:
        ForbiddenAddressError: one of them must not be called.
        httpcore.ConnectError, httpcore.ConnectTimeout: it cannot be looked up.
    """
    found = _resolved(host, port)
    if any(is_forbidden(address, private=private) for address in found):
        raise ForbiddenAddressError("the name leads to an address of a private or reserved network")
    return found


def is_forbidden(address: Address, *, private: bool) -> bool:
    """Whether an address must not be called.

    Link-local addresses (cloud machines keep their credentials there), multicast and unspecified ones never are;
    addresses of private networks and of this machine only where `private` says so.
    """
    inner = _embedded(address)
    if inner is not None:
        return is_forbidden(inner, private=private)
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return True
    if private:
        return False
    return not address.is_global


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _resolved(host: str, port: int) -> list[Address]:
    try:
        return [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        pass
    deadline = _until.get()
    # On a thread, because the look-up itself takes no time-out.
    call = _resolvers.submit(_look_up, host, port)
    try:
        found = call.result(timeout=deadline.remaining_seconds if deadline else None)
    except FutureTimeoutError as error:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("the name cannot be resolved") from error
    return [ipaddress.ip_address(text) for text in found]


def _look_up(host: str, port: int) -> list[str]:
    """All addresses of a name as texts, without the zone of a link-local one."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


def _bounded(timeout: float | None) -> float | None:
    """The shorter of a call's own limit and what the deadline leaves.

    Raises:
        httpcore.ReadTimeout: nothing is left.
    """
    deadline = _until.get()
    if deadline is None:
        return timeout
    left = deadline.remaining_seconds
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if timeout is None else min(timeout, left)
