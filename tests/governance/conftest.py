"""A whole gateway on either database, and people who change its policies."""

from tests.exchange.conftest import demo, gateway, one_gateway, postgres_world, settings  # noqa: F401
