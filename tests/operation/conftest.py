from tests.exchange.conftest import demo, postgres_world, settings  # noqa: F401  (fixtures, found by their names)
