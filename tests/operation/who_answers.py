"""A server under the gateway's gunicorn settings that answers which of its workers it was; settings and application."""

import os

from tests.bench.bare_conf import *  # noqa: F403

wsgi_app = "tests.operation.who_answers:application"


def application(_environ, start_response):
    body = str(os.getpid()).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
