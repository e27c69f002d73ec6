"""The launcher enables encryption in the apps, with a key that it generates."""

from pathlib import Path

import pytest

from launcher.system.stack import Stack


@pytest.fixture(autouse=True)
def _no_encryption_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENCRYPTION_KEY_ID", "ENCRYPTION_KEYS_FILE", "ENCRYPTION_SECRET_STORE"):
        monkeypatch.delenv(name, raising=False)


def test_first_start_generates_a_key_and_later_starts_keep_it(tmp_path: Path) -> None:
    first = Stack(state_dir=tmp_path)._encryption()
    assert first == {"ENCRYPTION_KEY_ID": "current", "ENCRYPTION_KEYS_FILE": str(tmp_path / "keys.json")}
    key = (tmp_path / "keys.json").read_bytes()
    assert Stack(state_dir=tmp_path)._encryption() == first
    assert (tmp_path / "keys.json").read_bytes() == key


def test_encryption_key_id_selects_another_key_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "mine")
    chosen = {"ENCRYPTION_KEY_ID": "mine", "ENCRYPTION_KEYS_FILE": str(tmp_path / "keys.json")}
    assert Stack(state_dir=tmp_path)._encryption() == chosen
    # A generated key would have another id.
    assert not (tmp_path / "keys.json").exists()


def test_data_stays_readable_after_encryption_is_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "")
    assert Stack(state_dir=tmp_path)._encryption() == {}
    monkeypatch.delenv("ENCRYPTION_KEY_ID")
    sealed = Stack(state_dir=tmp_path)._encryption()
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "")
    assert Stack(state_dir=tmp_path)._encryption() == sealed | {"ENCRYPTION_KEY_ID": ""}


def test_keys_may_come_from_another_file_or_a_secret_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "safe" / "keys.json"
    monkeypatch.setenv("ENCRYPTION_KEYS_FILE", str(elsewhere))
    given = Stack(state_dir=tmp_path)._encryption()
    assert given == {"ENCRYPTION_KEY_ID": "current", "ENCRYPTION_KEYS_FILE": str(elsewhere)}
    assert elsewhere.exists()
    monkeypatch.delenv("ENCRYPTION_KEYS_FILE")
    monkeypatch.setenv("ENCRYPTION_SECRET_STORE", "vault")
    assert Stack(state_dir=tmp_path)._encryption() == {"ENCRYPTION_KEY_ID": "current"}


def test_system_can_start_without_encryption(tmp_path: Path) -> None:
    assert Stack(state_dir=tmp_path, encrypted=False)._encryption() == {}
