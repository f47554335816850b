"""Policies shipped as text files: one policy a file, its place in the folder is its tier and owner.

    guardrails/<id>.cedar    holder/<agency>/<id>.cedar    egress/<agency>/<id>.cedar    egress/default.cedar

Beside them stand their tests: tests/<tier>/<owner>.json, a list of documents (`policies.policy_tests`).

`egress/default.cedar` is no policy but the text from which each agency's first egress policy is made.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from policies.policy_tests import PolicyTest, read_test
from policies.reference import CODE, GATEWAY_AUTHORITY, TIERS, PolicyRef, PolicyText, Tier, revision_of

BUNDLES = Path(__file__).parent / "bundles"
"""The folder shipped with this package."""

EGRESS_DEFAULT = "egress-default"

_OTHER_PURPOSES = ("statistics", "public_information", "arbitration", "examination", "border_enforcement")
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


def load_tests(directory: Path = BUNDLES) -> list[PolicyTest]:
    """Read all policy tests of a folder.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no JSON.
        PolicyTestError: a test cannot be read.
    """
    return [
        read_test(document, tier, path.stem)
        for tier in TIERS
        for path in sorted(directory.glob(f"tests/{tier}/*.json"))
        for document in json.loads(path.read_text("utf-8"))
    ]


def default_egress_tests(
    agency: str, kind: str, jurisdictions: Iterable[str], purposes: Iterable[str]
) -> list[PolicyTest]:
    """Write the tests that stand beside an agency's first egress policy: one of its purposes goes, another does not."""
    named = sorted(purposes)
    asking = {"code": agency, "kind": kind, "jurisdictions": sorted(jurisdictions)}
    other = next(purpose for purpose in _OTHER_PURPOSES if purpose not in named or purpose == _OTHER_PURPOSES[-1])
    questions = [("a-registered-purpose-goes", named[0], "released")]
    if other not in named:
        questions.append(("another-purpose-does-not", other, "denied"))
    return [
        read_test(
            {
                "name": name,
                "question": {"asking": asking, "record_type": "trademark", "purpose": purpose},
                "expect": {"outcome": outcome},
            },
            "egress",
            agency,
        )
        for name, purpose, outcome in questions
    ]


def _read(tier: Tier, owner: str, path: Path) -> PolicyText:
    cedar = path.read_bytes().decode("utf-8")
    return PolicyText(PolicyRef(tier, owner, path.stem, revision_of(cedar)), cedar)
