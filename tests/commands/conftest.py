"""What an operator types, as on an empty machine."""

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.db.engine import Database
from gateway.evidence.root_key import make_root
from gateway.settings import read_settings


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database_url(request, migrated, tmp_path):
    """The address of a database whose tables are there and empty."""
    with migrated(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def operator(monkeypatch, tmp_path, migrated_database_url):
    """Runs `ipx-gateway` as on a new machine: keys made, tables upgraded; gives what was printed."""
    runner = CliRunner()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPX_DATABASE_URL", migrated_database_url)
    monkeypatch.setenv("IPX_CHECKPOINT_DATABASE_URL", f"sqlite:///{tmp_path / 'checkpoints.db'}")
    monkeypatch.setenv("IPX_ORIGIN", "https://gw.example")

    def run(*arguments, fails=False):
        result = runner.invoke(main, [str(argument) for argument in arguments])
        assert (result.exit_code != 0) == fails, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    for line in run("keys", "init", "--dir", tmp_path / "keys").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    database = Database(migrated_database_url)
    make_root(database, read_settings().key_encryption_key)  # as `db upgrade` does with the tables
    database.dispose()
    return run
