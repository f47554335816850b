"""How a worker process ends when it is told to at once."""

import signal
from types import SimpleNamespace

import pytest

from gateway.gunicorn_worker import GatewayWorker


def test_a_second_signal_while_the_first_is_handled_does_not_keep_a_worker_from_ending():
    """Ctrl-C reaches worker and master, and the master tells the worker: workers waited for ever for their own lock."""
    worker = object.__new__(GatewayWorker)
    shutdowns = []

    def shutdown(*, wait):
        shutdowns.append(wait)
        worker.handle_quit(signal.SIGQUIT, None)  # here the executor's lock is held, which cannot be taken twice

    worker.tpool = SimpleNamespace(shutdown=shutdown)
    worker.cfg = SimpleNamespace(worker_int=lambda _: None)

    with pytest.raises(SystemExit):
        worker.handle_quit(signal.SIGINT, None)
    assert shutdowns == [False]
