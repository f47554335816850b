"""As a new auditor would: every access to a right by customs last month in three steps, opened, taken out, verified."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from ipx.client import Client
from ipx.keyfile import read_key
from ipx.request import Ask
from tests import programs
from tests.browser.test_accessible import LOOKS

WRONG = "/audit/exchanges?since=yesterday"


@pytest.fixture(scope="module")
def exchange(site):
    key = read_key(site.demo.world.keys["customs-xa.intake"])
    with Client(site.origin, "customs-xa.intake", key) as client:
        record = site.demo.urn("ipo-xa", "trademark", "202400017", site.services.holder_keys)
        answer = client.request(Ask(record, "border_enforcement", "XA Customs Cooperation Agreement 2025, art. 4"))
    site.services.auditing.indexer.catch_up()
    return answer.evidence.exchange


def test_from_the_front_page_to_evidence_that_is_verified_offline(site, browser_page, exchange, tmp_path):
    page = browser_page("carol")
    now = datetime.now(UTC)
    page.goto("/audit/")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Right").fill("XA|trademark|202400017")
    page.get_by_label("Asked by").select_option("customs-xa")
    page.get_by_label("From").fill(f"{now - timedelta(days=31):%Y-%m-%d}")
    page.get_by_label("To").fill(f"{now:%Y-%m-%d}")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=exchange[:13]).first.click()
    assert page.get_by_text("proved from its tiles just now").is_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Evidence (zip)").click()
    download.value.save_as(tmp_path / f"{exchange}.zip")
    commands = page.get_by_label("Commands").inner_text().splitlines()

    assert commands[0].startswith("ipx trust fetch ")
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=os.environ | {"PATH": programs.path()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_an_exchange_nor_on_a_filter_at_fault(browser_page, axe, exchange, language):
    page = browser_page("carol", language=language)
    for path in (WRONG, f"/audit/exchanges/{exchange}"):
        page.goto(path)
        for theme, (width, height), seen_only in LOOKS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)
