"""How gunicorn runs the gateway: threads in a few processes, no request line with a query in any log."""

import os
from typing import Any

bind = os.environ.get("IPX_BIND", "127.0.0.1:8080")
workers = int(os.environ.get("IPX_WORKERS", "2"))
threads = int(os.environ.get("IPX_THREADS", "16"))
worker_class = "gthread"
wsgi_app = "gateway.wsgi:application()"
control_socket_disable = True  # it would open a socket in the home folder
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
keepalive = 15
graceful_timeout = 30
timeout = 60
accesslog = None
errorlog = "-"
loglevel = os.environ.get("IPX_LOG_LEVEL", "warning")


def on_starting(server: Any) -> None:
    """Before the first worker: close what a crash of this node left open."""
    from gateway.worker import recover  # noqa: PLC0415  (the master must not import the application before forking)

    recover(server.log)
