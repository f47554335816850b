"""The guide's drill: a backup is restored, the gateway refuses it as older than what it published, and why."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.evidence.errors import LogForkedError
from tests.exchange.world import Gateway

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs" / "operators.md"
BLOCK = re.compile(r"<!-- tested: (?P<name>[^>]+) -->\n```sh\n(?P<script>.*?)```", re.DOTALL)


def run(name, folder):
    scripts = {match["name"]: match["script"] for match in BLOCK.finditer(GUIDE.read_text("utf-8"))}
    script = ["bash", "-euo", "pipefail", "-c", scripts[name]]
    ran = subprocess.run(script, cwd=folder, env=os.environ, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_backup_taken_while_serving_is_whole_and_one_that_is_behind_does_not_start(demo, settings, tmp_path):
    var = tmp_path / "var"
    (var / "checkpoints").mkdir(parents=True)
    for old, new in (("gateway.db", "gateway.db"), ("checkpoints.db", "checkpoints/checkpoints.db")):
        (tmp_path / old).rename(var / new)
    settings = replace(
        settings,
        database_url=f"sqlite:///{var / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{var / 'checkpoints' / 'checkpoints.db'}",
    )
    gateway = Gateway(demo, settings)
    gateway.ask()
    run("back up", tmp_path)
    gateway.close()

    run("restore", tmp_path)
    restored = Gateway(demo, settings)
    restored.services.log.audit()
    assert restored.count("exchange") == 1
    restored.ask()  # published after the backup was taken
    restored.close()

    run("restore", tmp_path)
    with pytest.raises(LogForkedError, match="a backup was restored"):
        Gateway(demo, settings)
