"""A folder of Cedar files as the source: linted, tested, put in force once, then changed with a review."""

import json
import shutil

import pytest

from policies.bundle_files import BUNDLES
from tests.governance.people import BEN

MARK = "holder/ipo-xa/customs-trademark-border.cedar"


@pytest.fixture
def folder(tmp_path):
    for part in ("guardrails", "holder", "tests"):
        shutil.copytree(BUNDLES / part, tmp_path / "policies" / part)
    return tmp_path / "policies"


def test_a_folder_is_linted_and_tested_without_a_gateway(operator, folder):
    assert "nothing to find" in operator("policy", "lint", folder)
    assert "True" in operator("policy", "test", folder)

    mark = folder / MARK
    mark.write_text(mark.read_text().replace('"border_enforcement"', '"border_enforcment"'))
    (folder / "tests" / "holder" / "ipo-xb.json").unlink()

    assert "not_valid" in operator("policy", "lint", folder, fails=True)
    mark.unlink()
    assert "no test that trademark stays closed" in operator("policy", "test", folder, fails=True)


def test_a_folder_is_put_in_force_once_and_then_proposed(operator, folder, monkeypatch):
    operator("policy", "import", folder)
    assert "--without-review" in operator("policy", "import", folder, fails=True)
    mark = folder / MARK
    mark.write_text(mark.read_text().replace('    IPX::Action::"trademark.owner",\n', ""))

    assert "less permissive" in operator("policy", "diff", folder)
    proposed = operator("policy", "propose", folder, "--title", "No owner", "--json")
    change = json.loads(proposed)
    assert (change["state"], change["policies"]) == ("checked", ["customs-trademark-border"])
    number = change["id"]
    assert "wrote a part" in operator("policy", "approve", number, fails=True)
    monkeypatch.setattr("gateway.commands.policy_folders.actor", lambda: "operator:second")
    assert "reviewed" in operator("policy", "approve", number)
    assert "active" in operator("policy", "activate", number)
    assert 'trademark.owner"' not in operator("policy", "show", "holder/ipo-xa/customs-trademark-border")
    history = [json.loads(line) for line in operator("policy", "history", "holder/ipo-xa", "--json").splitlines()]
    assert [one["kind"] for one in history] == ["change", "import"]
    monkeypatch.setattr("gateway.commands.policy_changes.operator", lambda: BEN)
    assert "in force again" in operator("policy", "rollback", "holder/ipo-xa", history[1]["id"], "--reason", "x")
    exported = folder.parent / "out"
    operator("policy", "export", exported)
    assert 'trademark.owner"' in (exported / MARK).read_text()


def test_a_change_is_taken_over_to_what_came_into_force_meanwhile(operator, folder):
    operator("policy", "import", folder)
    mark = folder / MARK
    before = mark.read_text()
    mark.write_text(before.replace('    IPX::Action::"trademark.owner",\n', ""))
    number = json.loads(operator("policy", "propose", folder, "--title", "No owner", "--json"))["id"]
    mark.write_text(before + "// said by somebody else\n")
    operator("policy", "put", mark, "--owner", "ipo-xa", "--without-review", "urgent")

    assert "customs-trademark-border" in operator("policy", "rebase", number, fails=True)
    assert "draft" in operator("policy", "rebase", number, "--keep", "ours")
    assert "- // said by somebody else" in operator("policy", "change", number)
    told = operator("policy", "evidence", number)
    assert f"change {number}: done" in told
    assert "checked" in told
