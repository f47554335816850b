"""The pictures of the administrators' guide are taken of the pages as they are: `make pictures` writes them."""

import os
import re
from pathlib import Path

import pytest

from tests.browser.conftest import NARROW

DOCS = Path(__file__).parents[2] / "docs"
SIZE = (1040, 640)
PICTURES = {
    "start": ("alice", "/admin/", {}),
    "agency": ("alice", "/admin/agencies/customs-xa", {}),
    "keys": ("alice", "/admin/keys", {}),
    "source": ("olga", "/admin/sources/ipo-xa-trademarks/test", {}),
    "phone": ("alice", "/admin/clients/customs-xa.intake", {"language": "zh_Hans_CN", "theme": "dark", "size": NARROW}),
}
"""File name → who opens which page how."""
BYTES_MAX = 120_000


@pytest.mark.parametrize("name", PICTURES)
def test_the_guide_shows_the_page_as_it_is(browser_page, tmp_path, name):
    username, path, options = PICTURES[name]
    page = browser_page(username, **({"size": SIZE} | options))
    page.goto(path)
    if path.endswith("/test"):
        page.get_by_role("button", name="Try five records").click()
        page.get_by_role("heading", name="records can be served").wait_for()
    folder = Path(os.environ.get("IPX_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    page.screenshot(path=folder / f"{name}.png")

    assert 5_000 < (folder / f"{name}.png").stat().st_size < BYTES_MAX
    assert (DOCS / "pictures" / f"{name}.png").is_file(), "run `make pictures`"


def test_every_picture_stands_in_the_guide_with_words_for_who_cannot_see_it():
    shown = dict(re.findall(r"!\[([^\]]+)\]\(pictures/([a-z-]+)\.png\)", (DOCS / "administrators.md").read_text()))

    assert set(PICTURES) <= set(shown.values())
    assert all(len(words) > 20 for words in shown)
