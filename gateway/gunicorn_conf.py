"""How gunicorn runs the gateway: threads in a few processes, no request line with a query in any log."""

import gc
import math
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gateway import cores, heap
from gateway.sharing import ConnectionCounts

bind = os.environ.get("IPX_BIND", "127.0.0.1:8080")
workers = int(os.environ.get("IPX_WORKERS", "2"))
threads = int(os.environ.get("IPX_THREADS", "16"))
worker_class = "gateway.gunicorn_worker.GatewayWorker"
wsgi_app = "gateway.wsgi:application()"
control_socket_disable = True  # it would open a socket in the home folder
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
keepalive = 15
# As long as an exchange that has just begun may take when the node is told to end; whole seconds only.
graceful_timeout = 5 + math.ceil(
    float(os.environ.get("IPX_EXCHANGE_SECONDS", "30")) + float(os.environ.get("IPX_DRAIN_SECONDS", "0"))
)
timeout = 60
accesslog = None
errorlog = "-"
loglevel = os.environ.get("IPX_LOG_LEVEL", "warning")

certfile = os.environ.get("IPX_TLS_CERTIFICATE")
keyfile = os.environ.get("IPX_TLS_KEY")
ca_certs = os.environ.get("IPX_TLS_CLIENT_CA")
# Asked for and not demanded: most clients sign assertions; who presents a certificate must have a good one.
cert_reqs = ssl.CERT_OPTIONAL if ca_certs else ssl.CERT_NONE
ciphers = (
    "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2 (FAPI 2.0 Security Profile, section 5.2); those of 1.3 are all good
)

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
if os.environ.get("IPX_METRICS_TOKEN") and METRICS_FOLDER not in os.environ:
    # Before anything that counts is imported; of mode 0700, and new with each start of the node.
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="ipx-metrics-")

heap.keep_small()  # workers have it from the master

IS_PINNED = cores.is_pinned(os.environ.get("IPX_PIN_WORKERS", "auto"), workers)

CONNECTION_COUNTS = ConnectionCounts(places=16 + 4 * workers)

COLLECT_AFTER = 20_000
"""How many objects more than were let go make the collector look for cycles."""
SWITCH_SECONDS = 0.02
"""How long a thread may run before another one that waits is let in, where it does not wait for anything itself.

An exchange waits for disks and databases several times within its three milliseconds and gives way then; being pushed
aside in between, every 5 ms by Python's default, costs more than it spares anybody.
"""

_contexts: dict[tuple[float, ...], ssl.SSLContext] = {}


def ssl_context(_config: Any, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Give the context of a connection: the same one until a file is renewed, so that sessions can be resumed."""
    try:
        files = tuple(Path(name).stat().st_mtime for name in (certfile, keyfile, ca_certs) if name)
        if files not in _contexts:
            context = make()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            _contexts.clear()
            _contexts[files] = context
        return _contexts[files]
    except OSError:  # a certificate whose key is not there yet: they are renewed one after the other
        if not _contexts:
            raise
        return next(iter(_contexts.values()))


def on_starting(server: Any) -> None:
    """Before the first worker: close what a crash of this node left open, and load what all workers run.

    Workers share the master's modules as long as nobody writes to their pages; the collector would, marking objects.
    """
    from gateway.worker import recover  # noqa: PLC0415  (metrics need their folder first)

    recover(server.log)
    import_module("gateway.wsgi")
    gc.collect()
    gc.freeze()


def pre_fork(server: Any, worker: Any) -> None:
    """In gunicorn's own process, before each worker: give it its share, and the core that fewest others are kept to."""
    worker.share = CONNECTION_COUNTS.share()
    if IS_PINNED:
        worker.core = cores.least_used(getattr(other, "core", None) for other in server.WORKERS.values())


def post_fork(_server: Any, worker: Any) -> None:
    """In a new worker, before it has any other thread."""
    if IS_PINNED:
        cores.keep_to(worker.core)


def post_worker_init(_worker: Any) -> None:
    """After a worker has built its application: what was built stays for good, so the collector need not look at it.

    An exchange makes some thousands of objects that reference counts let go at its end; with Python's own threshold of
    700 the collector looks for cycles among them several times in each exchange.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)


def child_exit(_server: Any, worker: Any) -> None:
    """After a worker has ended: what it counted stays, what it held open counts no longer."""
    if worker.share is not None:
        worker.share.leave()
    if METRICS_FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  (only where metrics are on)

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """The counts end with the node."""
    if METRICS_FOLDER in os.environ:
        shutil.rmtree(os.environ[METRICS_FOLDER], ignore_errors=True)
