"""The front end: exact pins, no registry host, checked at start, served under names that change with the file."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import hatch_build
from gateway.app import create_app
from gateway.errors import SettingsError
from gateway.web.assets import VENDOR, read_assets

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"


def test_pins_are_exact():
    package = json.loads((FRONTEND / "package.json").read_text())

    pins = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", pin) for pin in pins.values())
    assert pins["codemirror"] == "6.0.2"  # the newest number on the registry is a mis-numbered CodeMirror 5


def test_the_lock_names_no_registry_and_a_hash_for_each_package():
    text = (FRONTEND / "package-lock.json").read_text()

    assert '"resolved"' not in text
    assert "http" not in re.sub(r'"(?:funding|url)": [^\n]*', "", text)
    packages = json.loads(text)["packages"]
    assert all(about["integrity"].startswith("sha512-") for name, about in packages.items() if name)


def test_the_kits_macros_and_styles_are_of_one_version():
    pin = json.loads((FRONTEND / "package.json").read_text())["dependencies"]["govuk-frontend"]

    assert pin == "6.3.0"
    assert '"govuk-frontend-jinja==4.1.0"' in (ROOT / "pyproject.toml").read_text()


def test_what_was_built_is_of_the_sources_that_are_here():
    assert hatch_build.is_built(ROOT)


def test_an_altered_file_is_not_served(tmp_path):
    shutil.copytree(VENDOR, tmp_path / "vendor")
    with (tmp_path / "vendor" / "htmx.js").open("a") as file:
        file.write("// more")

    with pytest.raises(SettingsError, match="make assets"):
        read_assets(tmp_path / "vendor")


def test_a_missing_file_is_said_with_the_cure(tmp_path):
    with pytest.raises(SettingsError, match=r"make assets.*IPX_CONSOLES=off"):
        read_assets(tmp_path)


def test_every_package_brings_its_licence():
    packages = read_assets().packages

    assert {"govuk-frontend", "htmx.org", "codemirror", "d3-sankey"} <= {package.name for package in packages}
    assert all(package.licence and len(package.text) > 300 for package in packages)


def test_files_are_served_under_names_that_hold_their_hash(client):
    page = client.get("/about/licences").text
    (style,) = re.findall(r'href="(/static/[^"]*console\.css)"', page)

    answer = client.get(style)

    assert answer.mimetype == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/static/0123456789abcdef/console.css").status_code == 404
    assert client.get("/static/0123456789abcdef/VENDOR.json").status_code == 404


def test_styles_carry_no_crest_font_or_address_of_others():
    styles = read_assets().files["console.css"].decode()

    assert "GDS Transport" not in styles
    assert "@font-face" not in styles
    assert not re.search(r"url\(['\"]?(?:https?:|data:)", styles)


def test_consoles_can_be_left_out(gateway):
    app = create_app(replace(gateway.services, settings=replace(gateway.settings, has_consoles=False)))
    client = app.test_client()

    assert client.get("/livez").status_code == 200
    assert client.get("/admin/").status_code == 404
    assert client.get("/admin/").mimetype == "application/problem+json"
    assert client.get("/sign-in").status_code == 404


def test_the_api_tells_problems_as_documents_and_consoles_as_pages(client):
    for path, accept in (("/v1/none", "text/html"), ("/oauth/none", "text/html"), ("/none", "*/*")):
        assert client.get(path, headers={"Accept": accept}).mimetype == "application/problem+json", path
    for path, accept in (("/about/none", "*/*"), ("/none", "text/html,*/*")):
        answer = client.get(path, headers={"Accept": accept})

        assert answer.status_code == 404
        assert answer.mimetype == "text/html", path


def test_wheel_and_source_hold_what_was_built(tmp_path):
    for kind in ("wheel", "sdist"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", tmp_path],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(source) as archive:
        in_source = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {f"gateway/web/static/vendor/{path.name}" for path in VENDOR.iterdir()}
    wanted |= {"gateway/web/translations/zh_Hans_CN/LC_MESSAGES/messages.mo", "gateway/web/static/own/icon.svg"}
    assert wanted <= in_wheel
    assert wanted | {"frontend/package-lock.json", "hatch_build.py"} <= in_source
    assert not any("node_modules" in name for name in in_wheel | in_source)
