"""The launcher has the apps seal what they keep, with a key that it makes."""

from pathlib import Path

import pytest

from launcher.system.stack import Stack


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENCRYPTION_KEY_ID", "ENCRYPTION_KEYS_FILE", "ENCRYPTION_SECRET_STORE"):
        monkeypatch.delenv(name, raising=False)


def test_the_first_start_makes_a_key_and_later_ones_keep_it(tmp_path: Path) -> None:
    first = Stack(state_dir=tmp_path)._encryption()
    assert first == {"ENCRYPTION_KEY_ID": "current", "ENCRYPTION_KEYS_FILE": str(tmp_path / "keys.json")}
    made = (tmp_path / "keys.json").read_bytes()
    assert Stack(state_dir=tmp_path)._encryption() == first
    assert (tmp_path / "keys.json").read_bytes() == made


def test_whoever_starts_it_may_choose_another_key_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "mine")
    chosen = {"ENCRYPTION_KEY_ID": "mine", "ENCRYPTION_KEYS_FILE": str(tmp_path / "keys.json")}
    assert Stack(state_dir=tmp_path)._encryption() == chosen
    # One that is made would have another id.
    assert not (tmp_path / "keys.json").exists()


def test_whoever_starts_it_without_still_reads_what_was_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "")
    assert Stack(state_dir=tmp_path)._encryption() == {}
    monkeypatch.delenv("ENCRYPTION_KEY_ID")
    sealed = Stack(state_dir=tmp_path)._encryption()
    monkeypatch.setenv("ENCRYPTION_KEY_ID", "")
    assert Stack(state_dir=tmp_path)._encryption() == sealed | {"ENCRYPTION_KEY_ID": ""}


def test_whoever_starts_it_may_have_the_keys_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "safe" / "keys.json"
    monkeypatch.setenv("ENCRYPTION_KEYS_FILE", str(elsewhere))
    given = Stack(state_dir=tmp_path)._encryption()
    assert given == {"ENCRYPTION_KEY_ID": "current", "ENCRYPTION_KEYS_FILE": str(elsewhere)}
    assert elsewhere.exists()
    monkeypatch.delenv("ENCRYPTION_KEYS_FILE")
    monkeypatch.setenv("ENCRYPTION_SECRET_STORE", "vault")
    assert Stack(state_dir=tmp_path)._encryption() == {"ENCRYPTION_KEY_ID": "current"}


def test_a_system_may_be_started_without(tmp_path: Path) -> None:
    assert Stack(state_dir=tmp_path, encrypted=False)._encryption() == {}
