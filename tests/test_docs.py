"""The documentation names what exists, and all of it."""

import re
from pathlib import Path

from gateway import settings as settings_module
from gateway.reference import reference

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_every_setting_is_documented_and_every_documented_setting_exists():
    source = Path(settings_module.__file__).read_text("utf-8")
    exist = {f"IPX_{name}" for name in re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)} | {"IPX_VAR", "IPX_LOG_LEVEL"}
    documented = set(re.findall(r"^\| `(IPX_[A-Z_]+)`", (DOCS / "settings.md").read_text("utf-8"), re.MULTILINE))

    assert documented == exist


def test_the_reference_of_commands_is_the_one_the_programs_make():
    assert (DOCS / "commands.md").read_text("utf-8") == reference(), (
        "run: python -m gateway.reference > docs/commands.md"
    )


def test_links_between_documents_lead_somewhere():
    for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
