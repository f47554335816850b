"""The load: one process with one selector loop, requests made ready beforehand, answers kept and looked at afterwards.

It is the same for every server, does nothing but send and receive while the clock runs, and says what it cost.
"""

import gc
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

READ_BYTES = 262_144
STALLED_SECONDS = 30.0
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_END_OF_HEAD = b"\r\n\r\n"


class LoadError(Exception):
    """The load could not be carried out: a connection broke, or nothing came for too long."""


@dataclass(frozen=True, slots=True)
class Volley:
    """What came of one volley, in the order of its requests."""

    answers: list[bytes]
    spent_ms: list[float]
    """From sending to the last byte; in a paced volley from the moment at which sending was due."""
    seconds: float
    """From the first byte sent to the last one received."""
    own_share: float
    """How much of one core this process took meanwhile."""

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.seconds


class _Line:
    """One connection with at most one request on its way."""

    __slots__ = ("buffer", "expected", "number", "sent_at", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        # Blocking from here on: the selector says when there is something to read, and a request fits the send buffer.
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, number: int, request: bytes, at: float) -> None:
        self.number, self.sent_at = number, at
        self.buffer, self.expected = bytearray(), None
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what is there; True once the answer is whole."""
        chunk = self.socket.recv(READ_BYTES)
        if not chunk:
            raise LoadError(f"the server closed the connection before it had answered request {self.number}")
        self.buffer += chunk
        if self.expected is None:
            end = self.buffer.find(_END_OF_HEAD)
            if end < 0:
                return False
            length = _LENGTH.search(self.buffer, 0, end + 2)
            if length is None:
                raise LoadError(f"the answer to request {self.number} does not say how long it is")
            self.expected = end + len(_END_OF_HEAD) + int(length[1])
        return len(self.buffer) >= self.expected


def fire(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    connections: int,
    per_second: float | None = None,
    give_up_seconds: float = 120.0,
) -> Volley:
    """Send all requests over kept connections, each as soon as a connection is free, or at a set pace.

    Raises:
        LoadError: an answer did not come, or it took longer than `give_up_seconds` altogether.
    """
    lines = [_Line(address) for _ in range(min(connections, len(requests)))]
    gc.collect()
    gc.disable()
    try:
        with selectors.DefaultSelector() as selector:
            for line in lines:
                selector.register(line.socket, selectors.EVENT_READ, line)
            return _fire(selector, lines, requests, 1 / per_second if per_second else 0.0, give_up_seconds)
    finally:
        gc.enable()
        for line in lines:
            line.socket.close()


def _fire(
    selector: selectors.BaseSelector, lines: list[_Line], requests: Sequence[bytes], pace: float, give_up_seconds: float
) -> Volley:
    count = len(requests)
    answers: list[bytes] = [b""] * count
    spent: list[float] = [0.0] * count
    idle = deque(lines)
    following = done = 0
    cpu = time.process_time()
    started = now = time.perf_counter()
    while done < count:
        while idle and following < count and (due := started + following * pace) <= now:
            idle.popleft().send(following, requests[following], due if pace else now)
            following += 1
        wait = max(0.0, due - now) if idle and following < count else STALLED_SECONDS
        ready = selector.select(wait)
        now = time.perf_counter()
        if now - started > give_up_seconds or (not ready and wait == STALLED_SECONDS):
            raise LoadError(f"{done} of {count} answers came in {now - started:.0f} s")
        for key, _ in ready:
            line: _Line = key.data
            if line.receive():
                answers[line.number] = bytes(line.buffer)
                spent[line.number] = (time.perf_counter() - line.sent_at) * 1000
                done += 1
                idle.append(line)
        now = time.perf_counter()
    return Volley(answers, spent, now - started, (time.process_time() - cpu) / (now - started))
