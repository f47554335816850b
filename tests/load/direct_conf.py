"""How gunicorn runs it: as the gateway is run."""

from tests.bench import bare_conf
from tests.bench.bare_conf import *  # noqa: F403  (a settings file of gunicorn is its names)

__all__ = bare_conf.__all__
wsgi_app = "tests.load.direct:application"
