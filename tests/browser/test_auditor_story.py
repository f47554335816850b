"""As a new auditor would: every access to a right by customs last month in three steps, opened, taken out, verified."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from ipx.client import Client
from ipx.keyfile import read_key
from ipx.request import Ask
from tests import programs
from tests.browser.test_accessible import LOOKS

TOOLS = ("bash", "curl", "openssl", "jq", "unzip", "xxd", "basenc")
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
    expect(page.get_by_text("proved from its tiles just now")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Evidence (zip)").click()
    download.value.save_as(tmp_path / f"{exchange}.zip")
    commands = page.get_by_label("Commands", exact=True).inner_text().splitlines()
    openssl = page.get_by_label("OpenSSL commands").text_content()

    assert commands[0].startswith("ipx trust fetch ")
    for command in commands:
        done = bash(command, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"verified with ipx; OpenSSL's commands need {', '.join(missing)}")
    whole = (tmp_path / f"{exchange}.zip").read_bytes()
    taken = bash(openssl, tmp_path)
    (tmp_path / f"{exchange}.zip").write_bytes(flipped(whole))
    refused = bash(openssl, tmp_path)

    assert taken.returncode == 0, taken.stderr
    assert "by customs-xa.intake, as requester" in taken.stdout
    assert refused.returncode != 0
    assert bash(commands[1], tmp_path).returncode == 1


def bash(script, folder):
    environment = os.environ | {"PATH": programs.path()}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def flipped(bundle: bytes) -> bytes:
    """Change one byte of the receipt's signature."""
    name = bundle.index(b"receipt.jws")
    place = bundle.index(b".", bundle.index(b".", name + len(b"receipt.jws")) + 1) + 5
    return bundle[:place] + (b"A" if bundle[place : place + 1] != b"A" else b"B") + bundle[place + 1 :]


@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_axe_finds_nothing_on_an_exchange_nor_on_a_filter_at_fault(browser_page, axe, exchange, language):
    page = browser_page("carol", language=language)
    for path in (WRONG, f"/audit/exchanges/{exchange}"):
        page.goto(path)
        for theme, (width, height), seen_only in LOOKS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": height})
            axe(page, seen_only=seen_only)
