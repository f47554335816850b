"""What gunicorn imports: the application, built from the environment."""

import logging
import os

from flask import Flask

from gateway.app import create_app
from gateway.logs import configure
from gateway.settings import read_settings
from gateway.wiring import build
from gateway.worker import Worker


def application() -> Flask:
    """Build the server's application.

    Raises:
        SettingsError: a setting is missing; the message names each.
    """
    configure(logging.getLevelNamesMapping()[os.environ.get("IPX_LOG_LEVEL", "warning").upper()])
    services = build(read_settings())
    Worker(services).start()
    return create_app(services)
