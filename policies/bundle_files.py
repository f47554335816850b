"""Policies shipped as text files: one policy a file, its place in the folder is its tier and owner.

    guardrails/<id>.cedar    holder/<agency>/<id>.cedar    egress/<agency>/<id>.cedar    egress/default.cedar

`egress/default.cedar` is no policy but the text from which each agency's first egress policy is made.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from policies.reference import CODE, GATEWAY_AUTHORITY, PolicyRef, PolicyText, Tier, revision_of

BUNDLES = Path(__file__).parent / "bundles"
"""The folder shipped with this package."""

EGRESS_DEFAULT = "egress-default"

_PURPOSE = re.compile(r"[a-z][a-z0-9_]*")


def load(directory: Path = BUNDLES) -> list[PolicyText]:
    """Read all policies of a folder, sorted by tier, owner and id; the default egress text is not one of them.

    Raises:
        OSError: a file cannot be read.
        UnicodeDecodeError: a file is not UTF-8.
    """
    found = [_read("guardrail", GATEWAY_AUTHORITY, path) for path in directory.glob("guardrails/*.cedar")]
    found += (_read("holder", path.parent.name, path) for path in directory.glob("holder/*/*.cedar"))
    found += (_read("egress", path.parent.name, path) for path in directory.glob("egress/*/*.cedar"))
    return sorted(found, key=lambda text: text.ref)


def default_egress(agency: str, purposes: Iterable[str], directory: Path = BUNDLES) -> PolicyText:
    """Write the egress policy an agency begins with: any purpose it is registered for.

    Raises:
        ValueError: the agency's code or a purpose is malformed, or there is no purpose.
    """
    names = sorted(purposes)
    if CODE.fullmatch(agency) is None or not names or not all(map(_PURPOSE.fullmatch, names)):
        raise ValueError(f"no egress policy can be written for agency {agency!r} and purposes {names!r}")
    text = Template((directory / "egress" / "default.cedar").read_text("utf-8"))
    listed = ",\n    ".join(f'IPX::Purpose::"{name}"' for name in names)
    cedar = text.substitute(agency=agency, purposes=listed)
    return PolicyText(PolicyRef("egress", agency, EGRESS_DEFAULT, revision_of(cedar)), cedar)


def _read(tier: Tier, owner: str, path: Path) -> PolicyText:
    cedar = path.read_bytes().decode("utf-8")
    return PolicyText(PolicyRef(tier, owner, path.stem, revision_of(cedar)), cedar)
