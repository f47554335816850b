"""One reading of a queue of an AMQP 0-9-1 broker: a message is acknowledged only after it was filed."""

import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore
import pika
from pika import exceptions

from connectors.deadline import Deadline
from connectors.kinds.http_wire import ForbiddenAddressError, ending_by, vetted
from connectors.kinds.refreshing import PeerError
from connectors.kinds.rest_reach import tls_of
from connectors.protocol import FailReason
from connectors.references import Resolver

CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 10
BATCH_MESSAGES = 100
BATCH_BYTES = 8_000_000

# It logs every refusal as an error with a trace; what matters of it is logged by this room, once.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_REFUSED = (
    exceptions.ProbableAuthenticationError,
    exceptions.ProbableAccessDeniedError,
    exceptions.AuthenticationError,
    exceptions.ChannelClosedByBroker,
    exceptions.IncompatibleProtocolError,
)


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    messages: int = 10_000
    """Most that one reading takes."""
    seconds: float = 20.0


class Broker:
    """Connects anew for each reading; nothing is held between two of them."""

    def __init__(self, reach: Mapping[str, Any], resolver: Resolver, limits: BrokerLimits) -> None:
        """Take who and where.

        Raises:
            SourceFileError: a reference without value, a certificate that cannot be read.
        """
        self._host = resolver.resolve(reach["host"], "/reach/host")
        is_plain: bool = reach.get("plain", False)
        self._port: int = reach.get("port", 5672 if is_plain else 5671)
        self._private: bool = reach.get("private", False)
        self._virtual_host: str = reach.get("virtual_host", "/")
        self._queue: str = reach["queue"]
        self._user = resolver.resolve(reach["user"], "/reach/user")
        self._password = resolver.resolve(reach["password"], "/reach/password")
        self._tls: ssl.SSLContext | None = None if is_plain else tls_of(reach.get("tls", {}), resolver)
        self._limits = limits
        self._resolver = resolver

    def read(self, take: Callable[[Sequence[bytes]], None], *, acknowledge: bool = True) -> int:
        """Hand over messages in batches until the queue is empty or a limit is reached.

        Args:
            take: files a batch; when it returns, the messages are acknowledged. If it raises, they stay in the queue.
            acknowledge: False leaves all of them in the queue, marked as delivered once.

        Returns:
            how many messages still wait there.

        Raises:
            PeerError: it cannot be had, or breaks off; what was taken before is taken.
        """
        try:
            connection = pika.BlockingConnection(self._parameters())
        except _REFUSED as error:
            raise PeerError(FailReason.MISCONFIGURED, f"the broker refuses: {type(error).__name__}") from error
        except (exceptions.AMQPError, OSError) as error:
            raise self._unreachable(error) from error
        try:
            return self._read(connection.channel(), take, acknowledge=acknowledge)
        except exceptions.ChannelClosedByBroker as error:
            said = self._resolver.blot_out(f"the broker closed the channel: {error.reply_code} {error.reply_text}")
            raise PeerError(FailReason.MISCONFIGURED, said) from error
        except exceptions.AMQPError as error:
            raise self._unreachable(error) from error
        finally:
            if connection.is_open:
                connection.close()

    def _read(self, channel: Any, take: Callable[[Sequence[bytes]], None], *, acknowledge: bool) -> int:
        ends_at = time.monotonic() + self._limits.seconds
        taken = 0
        batch: list[bytes] = []
        while True:
            method, _, body = channel.basic_get(self._queue, auto_ack=False)
            if method is not None:
                batch.append(body)
                taken += 1
            is_last = method is None or taken >= self._limits.messages or time.monotonic() >= ends_at
            if batch and (is_last or len(batch) >= BATCH_MESSAGES or sum(map(len, batch)) >= BATCH_BYTES):
                take(batch)
                if acknowledge:
                    channel.basic_ack(0, multiple=True)  # all that were handed out on this channel
                batch = []
            if is_last:
                return 0 if method is None else int(method.message_count)

    def _parameters(self) -> pika.ConnectionParameters:
        """Give an address that was looked up once and judged.

        Raises:
            PeerError: it must not be called, or cannot be looked up.
        """
        try:
            with ending_by(Deadline.within(CONNECT_SECONDS)):
                address = vetted(self._host, self._port, private=self._private)[0]
        except ForbiddenAddressError as error:
            raise PeerError(FailReason.MISCONFIGURED, str(error)) from error
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise PeerError(FailReason.UNREACHABLE, str(error)) from error
        return pika.ConnectionParameters(
            host=str(address),
            port=self._port,
            virtual_host=self._virtual_host,
            credentials=pika.PlainCredentials(self._user, self._password, erase_on_connect=True),
            ssl_options=pika.SSLOptions(self._tls, self._host) if self._tls else None,
            connection_attempts=1,
            socket_timeout=CONNECT_SECONDS,
            stack_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            blocked_connection_timeout=HEARTBEAT_SECONDS,
        )

    def _unreachable(self, error: Exception) -> PeerError:
        return PeerError(FailReason.UNREACHABLE, self._resolver.blot_out(f"the broker: {type(error).__name__}"))
