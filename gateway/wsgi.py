"""What gunicorn imports: the application, built from the environment."""

from flask import Flask

from gateway.app import create_app
from gateway.settings import read_settings
from gateway.wiring import build


def application() -> Flask:
    """Build the server's application.

    Raises:
        SettingsError: a setting is missing; the message names each.
    """
    return create_app(build(read_settings()))
