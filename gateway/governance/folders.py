"""Policies and their tests as a folder of files, so that a repository can be their source.

guardrails/<id>.cedar   holder/<agency>/<id>.cedar   egress/<agency>/<id>.cedar   tests/<tier>/<owner>.json
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.governance.changes import Changes
from gateway.governance.editors import Editor
from gateway.governance.proposals import Change, stored_test
from gateway.governance.service import Policies
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.policy_tests import PolicyTest, PolicyTestError, read_test
from policies.reference import GATEWAY_AUTHORITY, TIERS, Tier

FILES_MAX: Final = 5000
_CODE: Final = "[A-Za-z0-9][A-Za-z0-9-]{1,62}"
_POLICY: Final = re.compile(rf"(?:guardrails|(holder|egress)/({_CODE}))/({_CODE})\.cedar")
_TESTS: Final = re.compile(rf"tests/(guardrail|holder|egress)/({_CODE})\.json")
DEFAULT_EGRESS: Final = "egress/default.cedar"
"""Stands in shipped folders: the text each agency's first egress policy is made of, and no policy."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds."""

    texts: tuple[PolicyText, ...]
    tests: tuple[PolicyTest, ...]

    @property
    def places(self) -> list[tuple[str, str]]:
        """The tiers and owners it speaks of."""
        return sorted(
            {(one.ref.tier, one.ref.owner) for one in self.texts} | {(one.tier, one.owner) for one in self.tests}
        )


def read_folder(files: Mapping[str, str]) -> Folder:
    """Read files by their path in the folder.

    Raises:
        InvalidInputError: a path says no tier and owner, a test cannot be read; each file is named.
    """
    texts: list[PolicyText] = []
    tests: list[PolicyTest] = []
    faults: list[Fault] = []
    if len(files) > FILES_MAX:
        raise InvalidInputError([Fault("/files", "too_many", f"at most {FILES_MAX}")])
    for path, content in sorted(files.items()):
        pointer = f"/files/{path.replace('~', '~0').replace('/', '~1')}"
        if path == DEFAULT_EGRESS:
            continue
        if match := _POLICY.fullmatch(path):
            tier, owner = match[1] or "guardrail", match[2] or GATEWAY_AUTHORITY
            texts.append(PolicyText(PolicyRef(cast("Tier", tier), owner, match[3], revision_of(content)), content))
        elif match := _TESTS.fullmatch(path):
            try:
                tests += (read_test(one, cast("Tier", match[1]), match[2]) for one in json.loads(content))
            except (ValueError, TypeError, PolicyTestError) as error:
                faults.append(Fault(pointer, "test", str(error)))
        else:
            faults.append(Fault(pointer, "path", "no place of a policy or of tests"))
    if faults:
        raise InvalidInputError(faults)
    return Folder(tuple(texts), tuple(tests))


def write_folder(texts: Iterable[PolicyText], tests: Iterable[PolicyTest]) -> dict[str, str]:
    """Write policies and tests as files by path; reading them gives the same."""
    files = {}
    for text in texts:
        ref = text.ref
        folder = "guardrails" if ref.tier == "guardrail" else f"{ref.tier}/{ref.owner}"
        files[f"{folder}/{ref.policy_id}.cedar"] = text.cedar
    by_place: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for test in sorted(tests, key=lambda one: one.name):
        by_place.setdefault((test.tier, test.owner), []).append(test.document)
    for (tier, owner), documents in by_place.items():
        written = json.dumps(documents, indent=2, sort_keys=True, ensure_ascii=False)
        files[f"tests/{tier}/{owner}.json"] = written + "\n"
    return dict(sorted(files.items()))


class Folders:
    def __init__(self, database: Database, policies: Policies, changes: Changes) -> None:
        self._database = database
        self._policies = policies
        self._changes = changes

    def in_force(self, editor: Editor, *, tier: str | None = None, owner: str | None = None) -> Folder:
        """Give what is in force, as far as it is this editor's business; guardrails are everybody's to read."""
        sets = self._policies.sets()
        texts: list[PolicyText] = []
        tests: list[PolicyTest] = []
        with self._database.read() as session:
            for (place_tier, place_owner), one in sorted(sets.items()):
                is_seen = place_tier == "guardrail" or editor.covers(place_tier, place_owner)
                if not is_seen or tier not in (None, place_tier) or owner not in (None, place_owner):
                    continue
                texts += one.texts
                newest = self._policies.newest_of(session, place_tier, place_owner)
                known = next(known for known in TIERS if known == place_tier)
                rows = self._policies.tests_of(session, newest.tests if newest else ())
                tests += (stored_test(row.document, known, place_owner) for row in rows.values())
        return Folder(tuple(texts), tuple(tests))

    def propose(self, editor: Editor, folder: Folder, *, title: str, reason: str = "") -> Sequence[Change]:
        """Open a draft for each tier and owner where the folder says otherwise than what is in force.

        What the folder lacks of a tier and owner it speaks of is proposed to be taken out; others stay untouched.

        Raises:
            NotEntitledError, InvalidInputError: as `Changes.open` and `Changes.save` do.
        """
        self._policies.checked(folder.texts)
        made = []
        for tier, owner in folder.places:
            current = self.in_force(editor, tier=tier, owner=owner)
            proposed = (one for one in folder.texts if (one.ref.tier, one.ref.owner) == (tier, owner))
            policies = _edits(
                {one.ref.policy_id: one.cedar for one in current.texts},
                {one.ref.policy_id: one.cedar for one in proposed},
            )
            own = {one.name: one for one in folder.tests if (one.tier, one.owner) == (tier, owner)}
            texts = _edits(
                {one.name: one.text() for one in current.tests}, {name: one.text() for name, one in own.items()}
            )
            tests = {name: None if text is None else own[name].document for name, text in texts.items()}
            if not policies and not tests:
                continue
            opened = self._changes.open(editor, tier, owner, title=title, reason=reason)
            made.append(self._changes.save(editor, opened.id, version=opened.version, policies=policies, tests=tests))
        return made


def _edits(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str | None]:
    return {name: new.get(name) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}
