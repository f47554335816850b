"""Styles and scripts of the consoles: checked against their list at start, served under names that hold their hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, current_app

from gateway.errors import SettingsError

VENDOR: Final = Path(__file__).parent / "static" / "vendor"
OWN: Final = Path(__file__).parent / "static" / "own"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Package:
    """Somebody else's work that is in the built files."""

    name: str
    version: str
    licence: str
    text: str


@dataclass(frozen=True, slots=True)
class Assets:
    """What the pages need, by plain file name."""

    files: Mapping[str, bytes]
    packages: tuple[Package, ...]

    def digest(self, name: str) -> str:
        """Give the part of an address that changes with the file."""
        return hashlib.sha256(self.files[name]).hexdigest()[:DIGEST_CHARACTERS]

    def address(self, name: str) -> str:
        return f"/static/{self.digest(name)}/{name}"


def read_assets(vendor: Path = VENDOR) -> Assets:
    """Read all files into memory (about half a megabyte).

    Raises:
        SettingsError: they were not built, or one is not what was built.
    """
    listing = vendor / "VENDOR.json"
    try:
        vendored = json.loads(listing.read_text(encoding="utf-8"))
        files = {name: (vendor / name).read_bytes() for name in vendored["files"]}
    except FileNotFoundError as error:
        raise SettingsError(
            f"{error.filename} is missing: run `make assets`, or set IPX_CONSOLES=off to serve the API alone"
        ) from error
    for name, digest in vendored["files"].items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise SettingsError(f"{vendor / name} is not what was built: run `make assets`")
    files |= {path.name: path.read_bytes() for path in sorted(OWN.iterdir())}
    return Assets(files, tuple(Package(**package) for package in vendored["packages"]))


def blueprint() -> Blueprint:
    """Serve the files; an address whose hash is not the file's is nobody's."""
    pages = Blueprint("assets", __name__)

    @pages.get("/static/<digest>/<name>")
    def asset(digest: str, name: str) -> Response:
        assets: Assets = current_app.extensions["assets"]
        if name not in assets.files or assets.digest(name) != digest:
            abort(404)
        response = Response(assets.files[name], content_type=TYPES[Path(name).suffix])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @pages.get("/favicon.ico")
    def favicon() -> Response:
        return Response(current_app.extensions["assets"].files["icon.svg"], content_type=TYPES[".svg"])

    return pages
