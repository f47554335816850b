"""One gateway with the demo world for all that is looked at here."""

from tests.exchange.conftest import demo, gateway, one_gateway, postgres_world, settings  # noqa: F401
