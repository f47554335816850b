"""Marks of the mix's sizes in the folder of the demo's IP office: their lists of goods are long."""

import re
from pathlib import Path
from typing import Final

from gateway.demo import turns
from gateway.demo.run import Demo
from tests.load.mix import MIX, VARIANTS

GOODS: Final = "Measuring instruments; optical lenses; headphones; watch straps; "
CLASS_BYTES: Final = 400_000
"""Of goods in one class: one text may have half a million characters."""
_LIMIT: Final = re.compile(r"file_bytes: \d+")


def number_of(size: int, variant: int) -> str:
    """The office's number of the mark that stands for a size and a variant."""
    return f"{910_000_000 + size * 1_000 + variant}"


def write(demo: Demo) -> Path:
    """Write the marks, and let the office's source take files of their size; gives their folder.

    Call it before the world is registered: a source keeps the limits that it is registered with.
    """
    [source] = [path for path in demo.world.sources if path.name == "ipo-xa-trademarks.yaml"]
    largest = 2 * max(kind.bytes for kind in MIX)
    source.write_text(_LIMIT.sub(f"file_bytes: {largest}", source.read_text("utf-8")), "utf-8")
    folder = demo.world.sources_root / "ipo-xa" / "trademarks"
    known = turns.MARK_AT_THE_BORDER.key
    text = (folder / f"{known}.xml").read_text("utf-8")
    for size, kind in enumerate(MIX):
        for variant in range(VARIANTS):
            number = number_of(size, variant)
            mark = text.replace(known, number).replace("</goods>", _classes(kind.bytes - len(text), number))
            (folder / f"{number}.xml").write_text(mark, "utf-8")
    return folder


def _classes(size: int, number: str) -> str:
    """More classes of goods, of about so many bytes together, and the end of the list."""
    texts = []
    for nice in range(15, 46):
        goods = GOODS * (min(size, CLASS_BYTES) // len(GOODS))
        size -= len(goods)
        texts.append(f'<class number="{nice}"><text lang="en">{goods}{number}</text></class>')
        if size < len(GOODS):
            break
    return "".join((*texts, "</goods>"))
