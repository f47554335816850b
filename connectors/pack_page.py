"""Writes the page of the mapping packs: `python -m connectors.pack_page > connectors/packs/README.md`."""

import sys
from collections.abc import Iterator

from connectors.mapping_packs import Pack, read_pack, shipped, shipped_names

HEAD = """\
# Mapping packs

A pack is the part of a source file that is the same for every holder of one format: `read`, `key`, `revised`, `map`,
`on_error`. A source file takes it by `pack: name`, says the rest (`source`, `licence`, `freshness`, `reach`), and may
replace single entries of `map`, `on_error` and `read`. The language is told in
[docs/mapping.md](../../docs/mapping.md); what each pack makes of real files stands in
[docs/coverage.md](../../docs/coverage.md).

Written from the packs' own headers by `python -m connectors.pack_page > connectors/packs/README.md`; a test compares
the two.

| pack | record type | format | what it reads, and what to watch for |
|---|---|---|---|
"""

TAIL = """
**A new pack** is a new file here, with a header that says what it reads and what it leaves; a made-up file
`tests/connectors/fixtures/<pack>.<xml|json|csv>` that fills every field, and beside it, in `expected/`, what becomes of
it. Files of real offices are never copied into this repository. `tests/connectors/test_pack_fixtures.py` runs all of
them; `make coverage-table` runs the real files where they are present. A pack says by `expect` which files are its own:
`ipx-gateway source coverage` tries all packs on every file.
"""


def page() -> str:
    """Give the page: a row for each pack."""
    return HEAD + "".join(f"{row}\n" for row in _rows()) + TAIL


def _rows() -> Iterator[str]:
    for name in shipped_names():
        pack = read_pack(name, shipped)
        yield f"| `{name}` | {pack.record_type} | {pack.parts['read']['format']} | {_header(pack)} |"


def _header(pack: Pack) -> str:
    text = shipped(pack.name) or ""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
