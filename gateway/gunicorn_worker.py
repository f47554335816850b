"""gunicorn's threaded worker, which takes its share of connections and leaves no call unanswered when it ends.

SIGTERM: not ready at once, ends after `IPX_DRAIN_SECONDS`; until then it accepts calls and asks to close connections.
Then whoever connected and was not accepted yet is served as well before the socket closes: else the kernel resets
these connections, and a call that was sent over one is lost.
"""

import os
import socket
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from gateway import draining
from gateway.sharing import Share


class GatewayWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    _is_quitting = False
    _open_connections = 0
    share: Share | None = None
    """What it takes of the connections that come to its node; None: whatever it can get."""

    @property
    def nr_conns(self) -> int:
        """How many connections are open; gunicorn counts them here."""
        return self._open_connections

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self._open_connections = count
        if self.share is not None:
            self.share.say(count)

    def run(self) -> None:
        """Serve until the worker ends."""
        if self.share is not None:
            self.share.say(self.nr_conns)
        super().run()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, unless it is for another worker to do so."""
        if self.share is not None:
            self.share.give_way(listener)
        super().accept(listener)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to end; a second signal changes nothing."""
        if draining.has_begun():
            return
        draining.begin()
        if self.share is not None:
            self.share.leave()
        self.cfg.set("keepalive", 0)  # answers say `Connection: close` from now on
        seconds = float(os.environ.get("IPX_DRAIN_SECONDS", "0"))
        if seconds == 0:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(seconds, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once; a second signal changes nothing.

        Ctrl-C reaches the worker and its master, and the master tells the worker too. gunicorn's own method would then
        run within itself and wait for ever for a lock that it holds.
        """
        if self._is_quitting:
            return
        self._is_quitting = True
        super().handle_quit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  (gunicorn's own signature)
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._accept_the_last()

    def _accept_the_last(self) -> None:
        for listener in self.sockets:
            accepted = -1
            while accepted != self.nr_conns:
                accepted = self.nr_conns
                self.accept(listener)
            listener.close()
