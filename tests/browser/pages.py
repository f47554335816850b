"""Every page that can be opened without further ado: its path, and who opens it."""

from tests.web.admin.test_every_page import OPEN_TO, routes

ABOUT = ("/about/licences", "/about/accessibility", "/sign-in")


def console_pages(site):
    """Give the pages of the administrator's own console, as `alice` sees them."""
    kid = site.services.client_keys.keys("customs-xa.intake")[0].kid
    for endpoint, path in routes(site.app, "GET"):
        if "alice" in OPEN_TO.get(endpoint, ()) and not path.endswith(".json"):
            yield path.replace("none-such", kid)
