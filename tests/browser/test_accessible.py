"""Every page of the console: nothing for axe to find, in both languages and colours, wide and narrow."""

import pytest

from tests.browser.conftest import NARROW, WIDE
from tests.browser.pages import console_pages

LOOKS = {
    "en": (("light", WIDE, False), ("dark", NARROW, True)),
    "zh_Hans_CN": (("dark", WIDE, False), ("light", NARROW, True)),
}
"""Colours, width, and whether only the rules are asked that these can change: the words and roles were looked at.

What a colour is does not depend on the language: each colour is looked at in each width in one of the two.
"""


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_any_page(site, browser_page, axe, language):
    page = browser_page("alice", language=language)
    for path in (*console_pages(site), "/about/licences", "/about/accessibility", "/admin/none-such"):
        page.goto(path)
        for theme, (width, height), seen_only in LOOKS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)
