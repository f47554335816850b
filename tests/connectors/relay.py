"""A relay between a connector and its real peer, on loopback, that cuts or holds the line as a test tells it."""

import socket
import threading
from contextlib import contextmanager, suppress


class Relay:
    """`cut_after` bytes from the peer all its connections are closed; while `is_held` nothing passes."""

    def __init__(self, peer: int | str) -> None:
        """Take the peer's port, or the path of its socket."""
        self._peer = peer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cut_after: int | None = None
        self.is_held = threading.Event()
        self.connections = 0
        self._closed = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                near, _ = self._listening.accept()
                far = self._connected()
            except OSError:
                continue
            self.connections += 1
            self._open += [near, far]
            threading.Thread(target=self._pump, args=(near, far), kwargs={"is_answer": False}, daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near), kwargs={"is_answer": True}, daemon=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._peer, int):
            far = socket.create_connection(("127.0.0.1", self._peer), 5)
            far.settimeout(None)
            return far
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._peer)
        return far

    def _pump(self, source: socket.socket, target: socket.socket, *, is_answer: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(4096):
                while self.is_held.is_set() and not self._closed.wait(0.02):
                    pass
                passed += len(data)
                if is_answer and self.cut_after is not None and passed > self.cut_after:
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def relaying(peer: int | str):
    relay = Relay(peer)
    yield relay
    relay.close()
