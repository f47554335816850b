"""How gunicorn runs the bare route: the gateway's own settings, and nothing of the gateway."""

from gateway.gunicorn_conf import (
    accesslog,
    bind,
    child_exit,
    control_socket_disable,
    errorlog,
    graceful_timeout,
    keepalive,
    limit_request_field_size,
    limit_request_fields,
    limit_request_line,
    loglevel,
    post_fork,
    post_worker_init,
    pre_fork,
    threads,
    timeout,
    worker_class,
    workers,
)

wsgi_app = "tests.bench.bare:application"

__all__ = [
    "accesslog",
    "bind",
    "child_exit",
    "control_socket_disable",
    "errorlog",
    "graceful_timeout",
    "keepalive",
    "limit_request_field_size",
    "limit_request_fields",
    "limit_request_line",
    "loglevel",
    "post_fork",
    "post_worker_init",
    "pre_fork",
    "threads",
    "timeout",
    "worker_class",
    "workers",
    "wsgi_app",
]
