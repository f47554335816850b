from tests.exchange.conftest import demo, one_gateway, postgres_world, settings  # noqa: F401  (fixtures, found by their names)
