"""gunicorn's threaded worker, which leaves no call unanswered when it is told to end.

SIGTERM: not ready at once, ends after `IPX_DRAIN_SECONDS`; until then it accepts calls and asks to close connections.
Then whoever connected and was not accepted yet is served as well before the socket closes: else the kernel resets
these connections, and a call that was sent over one is lost.
"""

import os
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from gateway import draining


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    _is_quitting = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to end; a second signal changes nothing."""
        if draining.has_begun():
            return
        draining.begin()
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
