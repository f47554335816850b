"""A server starts with all it needs or not at all, and says everything that is missing at once."""

import base64

import pytest

from gateway.errors import SettingsError
from gateway.settings import read_settings

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in (
        "ORIGIN",
        "KEY_ENCRYPTION_KEY",
        "RECEIPT_KEY",
        "LOG_KEY",
        "TRUST_KEY",
        "DATABASE_URL",
        "VAR",
        "SOURCES",
    ):
        monkeypatch.delenv(f"IPX_{name}", raising=False)
    for name in ("receipt", "log"):
        (tmp_path / name).write_text("")

    def put(**settings):
        whole = {
            "ORIGIN": "https://gw.example",
            "KEY_ENCRYPTION_KEY": KEY,
            "RECEIPT_KEY": str(tmp_path / "receipt"),
            "LOG_KEY": str(tmp_path / "log"),
        } | settings
        for name, value in whole.items():
            if value is not None:
                monkeypatch.setenv(f"IPX_{name}", value)

    return put


def test_with_the_required_settings_the_rest_has_defaults(environment):
    environment()

    settings = read_settings()

    assert settings.database_url == "sqlite:///var/gateway.db"
    assert settings.checkpoint_database_url != settings.database_url
    assert settings.log_origin == "gw.example/log"
    assert settings.trust_key is None


def test_all_missing_settings_are_named_with_how_to_make_them(environment):
    environment(ORIGIN=None, KEY_ENCRYPTION_KEY=None, RECEIPT_KEY=None, LOG_KEY=None)

    with pytest.raises(SettingsError) as refused:
        read_settings()

    for name in ("IPX_ORIGIN", "IPX_KEY_ENCRYPTION_KEY", "IPX_RECEIPT_KEY", "IPX_LOG_KEY"):
        assert name in str(refused.value)
    assert "ipx-gateway keys init" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORIGIN", "https://gw.example/path"),
        ("ORIGIN", "https://GW.example"),
        ("ORIGIN", "http://gw.example"),
        ("ORIGIN", "gw.example"),
        ("KEY_ENCRYPTION_KEY", "short"),
        ("KEY_ENCRYPTION_KEY", base64.b64encode(bytes(16)).decode()),
        ("RECEIPT_KEY", "no-such-file.pem"),
        ("WORKERS", "many"),
    ],
)
def test_a_malformed_setting_is_named(environment, name, value):
    environment(**{name: value})

    with pytest.raises(SettingsError, match=f"IPX_{name}"):
        read_settings()


def test_the_message_never_holds_a_secret(environment):
    environment(KEY_ENCRYPTION_KEY="c2VjcmV0IG9mIHRoZSBob3VzZQ==")

    with pytest.raises(SettingsError) as refused:
        read_settings()

    assert "c2VjcmV0" not in str(refused.value)


def test_one_factor_is_for_loopback_only(environment):
    environment(SECOND_FACTOR="false")
    with pytest.raises(SettingsError, match="loopback"):
        read_settings()

    environment(SECOND_FACTOR="false", ORIGIN="http://127.0.0.1:8080")

    assert read_settings().people.is_second_factor_required is False
    assert read_settings().console_origin == "http://localhost:8080"


def test_an_upstream_provider_is_named_whole_and_by_tls(environment):
    environment(UPSTREAM_ISSUER="https://id.example", UPSTREAM_CLIENT_ID="gw")
    with pytest.raises(SettingsError, match="go together"):
        read_settings()
    environment(UPSTREAM_ISSUER="http://id.example", UPSTREAM_CLIENT_ID="gw", UPSTREAM_CLIENT_SECRET="s")
    with pytest.raises(SettingsError, match="IPX_UPSTREAM_ISSUER"):
        read_settings()
    environment(UPSTREAM_ISSUER="https://id.example", UPSTREAM_CLIENT_ID="gw", UPSTREAM_CLIENT_SECRET="s")

    assert read_settings().people.upstream_issuer == "https://id.example"
