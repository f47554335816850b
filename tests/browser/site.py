"""A real gateway server on loopback with the demo world and its people, and what signs a browser in as one of them."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.app import create_app
from gateway.demo.run import Demo, free_port
from gateway.wiring import build
from tests.exchange.servers import serving
from tests.web.people import add_people, browser, sign_in


class Site:
    """The server's address, its services in this process, and cookies of whoever is to be signed in."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.settings = demo.settings
        self.origin = demo.settings.origin
        self.services = build(demo.settings)
        self.app = create_app(self.services)

    def cookies(self, username: str, *, fresh: bool = True) -> list[dict[str, str]]:
        """Give the cookies of somebody who signed in a moment ago, or half an hour ago."""
        client = browser(self)
        sign_in(self.services, client, username, fresh=fresh)
        cookie = client.get_cookie(self.app.config["SESSION_COOKIE_NAME"], domain=urlsplit(self.origin).hostname)
        return [{"name": cookie.key, "value": cookie.value, "url": self.origin}]

    def close(self) -> None:
        self.services.close()


@contextlib.contextmanager
def running(folder) -> Iterator[Site]:
    """Prepare the demo world in a folder and serve it while the block runs."""
    port = free_port()
    demo = Demo(folder, port)
    demo.prepare()
    site = Site(demo)
    try:
        add_people(site.services)
        with serving(demo, demo.settings, port=port):
            yield site
    finally:
        site.close()
