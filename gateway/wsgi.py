"""What gunicorn imports: the application, built from the environment."""

from flask import Flask

from gateway.app import create_app
from gateway.logs import configure_by_environment
from gateway.settings import read_settings
from gateway.wiring import build
from gateway.worker import Worker


def application() -> Flask:
    """Build the server's application.

    Raises:
        SettingsError: a setting is missing; the message names each.
    """
    configure_by_environment()
    services = build(read_settings())
    Worker(services).start()
    return create_app(services)
