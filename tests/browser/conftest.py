"""Debian's Chromium, a real server, and axe."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.browser.site import running

FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
SEEN = {
    "type": "rule",
    "values": ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"],
}
WIDE, NARROW = (1280, 900), (390, 800)
WAIT_MS = 20_000
"""What a page may take on a slow machine; a test that holds does not wait for it."""
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The server; tests share it, so each leaves what others look at as it was."""
    with running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def chromium():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on the path: apt-get install chromium")
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium, site):
    """`browser_page("alice", language="zh_Hans_CN", theme="dark", size=NARROW, javascript=False)` gives a page.

    Without a name nobody is signed in. Paths are enough for `goto`. What a page logs as an error fails the test, unless
    it is said not to be `quiet`: because the test breaks its connection, say.
    """
    contexts, complaints = [], []

    def open_page(
        username=None, *, language="en", theme="light", size=WIDE, javascript=True, fresh=True, quiet=True, **options
    ):
        context = chromium.new_context(
            base_url=site.origin,
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=javascript,
            color_scheme=theme,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if username is not None:
            context.add_cookies(site.cookies(username, fresh=fresh))
        context.add_cookies([{"name": "lang", "value": language, "url": site.origin}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if quiet and said.type == "error" and "Failed to load resource" not in said.text
                else None
            ),
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe():
    """`axe(page)` fails with what breaks WCAG 2.2 A and AA; `seen_only`: by the rules that colours and width touch."""
    script = Axe().axe_script

    def look(page, *, seen_only=False):
        rules = {**RULES, "runOnly": SEEN} if seen_only else RULES
        if not page.evaluate("'axe' in window"):
            page.evaluate(script)
        found = page.evaluate("rules => axe.run(document, rules).then(said => said.violations)", rules)
        told = [
            f"{one['id']}: {one['help']}\n  " + "\n  ".join(node["html"][:200] for node in one["nodes"][:4])
            for one in found
        ]
        assert not told, f"{page.url}\n" + "\n".join(told)

    return look
