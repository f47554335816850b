"""A real server whose answers name the process that gave them. Used by test_live_activations.py."""

import os

from gateway import wsgi

WORKER = "X-Worker"


def application():
    app = wsgi.application()

    @app.after_request
    def name(response):
        response.headers[WORKER] = str(os.getpid())
        return response

    return app
