"""Fixtures of the consoles: a gateway of the demo world with its people, and what signs them in."""

from tests.exchange.conftest import demo as demo  # noqa: PLC0414  (fixtures, found by their names)
from tests.web.conftest import client as client  # noqa: PLC0414
from tests.web.conftest import gateway as gateway  # noqa: PLC0414
from tests.web.conftest import peopled as peopled  # noqa: PLC0414
from tests.web.conftest import signed_in as signed_in  # noqa: PLC0414
