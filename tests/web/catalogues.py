"""Which texts pages can show, taken from the sources, and the catalogues that translate them.

`python -m tests.web.catalogues web admin` adds what is missing to the catalogues of these slices, untranslated, and
drops what is gone.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

GATEWAY = Path(__file__).parents[2] / "gateway"
LANGUAGE = "zh_Hans_CN"
KEYWORDS = DEFAULT_KEYWORDS | {"_": None, "lazy_gettext": None, "_n": (1, 2)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"silent": "false", "trimmed": "false"}}


def catalogue_files():
    return sorted(GATEWAY.glob(f"**/translations/{LANGUAGE}/LC_MESSAGES/messages.po"))


def slice_of(path: Path, folders) -> Path:
    """Give the folder whose catalogue translates a source file: its own or the nearest above; of loose files, web's."""
    above = [folder for folder in folders if path.is_relative_to(folder)]
    own = GATEWAY / path.relative_to(GATEWAY).parts[0] if path.parent != GATEWAY else GATEWAY / "web"
    return max(above, key=lambda folder: len(folder.parts), default=own)


def texts():
    """Give file, line, text (a pair where it has a plural) and context of everything that can be translated."""
    for name, line, text, _, context in extract_from_dir(
        GATEWAY, METHODS, OPTIONS, KEYWORDS, comment_tags=(), strip_comment_tags=True
    ):
        yield GATEWAY / name, line, text, context


def catalogues():
    for path in catalogue_files():
        with path.open("rb") as file:
            yield path, read_po(file, locale=LANGUAGE)


def update(*slices: str) -> None:
    folders = [path.parents[3] for path in catalogue_files()]
    known = dict(catalogues())
    wanted: dict[Path, Catalog] = {}
    for path, line, text, context in texts():
        folder = slice_of(path, folders)
        template = wanted.setdefault(folder, Catalog(locale=LANGUAGE))
        template.add(text, locations=[(str(path.relative_to(GATEWAY.parent)), line)], context=context)
    for path, catalogue in known.items():
        if str(path.parents[3].relative_to(GATEWAY)) not in slices:
            continue
        template = wanted.get(path.parents[3], Catalog(locale=LANGUAGE))
        old = {(message.id, message.context): message for message in catalogue if message.id}
        made = Catalog(locale=LANGUAGE, project="ipx-gateway", fuzzy=False, header_comment="# Simplified Chinese.")
        for message in template:
            key = (message.id, message.context)
            if message.id:
                made.add(message.id, old[key].string if key in old else "", context=message.context)
        buffer = io.BytesIO()
        write_po(buffer, made, no_location=True, sort_output=True, omit_header=False, width=0)
        lines = [one for one in buffer.getvalue().decode().splitlines() if not one.startswith(('"POT-Cre', '"PO-Rev'))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    update(*sys.argv[1:])
