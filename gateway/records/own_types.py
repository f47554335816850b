"""Where an operator's own declarations of record types stand: the folder `IPX_RECORD_TYPES`, if it is set.

The catalogue is read when the program starts, before any settings are: commands that need no settings know it too.
"""

import os
from pathlib import Path

VARIABLE = "IPX_RECORD_TYPES"


def own_folder() -> Path | None:
    """Give the folder: `<record type>.toml`, with `codes/<table>.toml` for code lists of its own."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None
