"""How long it may take to reach a database, and how many connections one source holds."""

CONNECT_SECONDS = 5
POOL_SIZE = 5
