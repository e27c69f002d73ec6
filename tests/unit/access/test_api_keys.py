"""The API key file, and the command that writes it."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.common.auth.api_keys import ApiKeysError, KeyFile, add_key, read_keys, remove_key
from services.common.identity import Role
from services.oms.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys.json"


def test_a_key_is_shown_once_and_only_its_digest_is_stored(path: Path) -> None:
    key, kept = add_key(path, "Chris", Role.APPROVER)
    assert len(key) > 40
    assert key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == [kept]
    assert list(path.parent.iterdir()) == [path]


def test_every_key_is_unique(path: Path) -> None:
    keys = {add_key(path, "Chris", Role.APPROVER)[0] for _ in range(20)}
    assert len(keys) == len(read_keys(path)) == 20


def test_keys_that_are_created_concurrently_are_all_stored(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: add_key(path, f"p{number}", Role.COURIER)[1].id, range(40)))
    assert {one.id for one in read_keys(path)} == set(made)


def test_a_key_is_found_only_by_its_exact_text(path: Path) -> None:
    key, kept = add_key(path, "Zoë", Role.CUSTOMER)
    keys = KeyFile(path)
    assert keys.find(key) == keys.get(kept.id) == kept
    for wrong in ("", "oms_", key[:-1], key + "x", kept.sha256, "\udcff"):
        assert keys.find(wrong) is None


def test_a_key_file_that_becomes_invalid_changes_nothing(path: Path) -> None:
    key, _ = add_key(path, "Chris", Role.APPROVER)
    keys = KeyFile(path)
    good = path.read_text()
    for spoilt in ("", "{", '{"keys": [{"id": "1"}]}', "[]"):
        path.write_text(spoilt)
        assert keys.find(key)
    path.unlink()
    assert keys.find(key)
    path.write_text(good.replace("approver", "courier"))
    found = keys.find(key)
    assert found is not None
    assert found.role is Role.COURIER


@pytest.mark.parametrize("text", ["", "[]", '{"keys": 1}', '{"keys": [{"role": "king"}]}', '{"keys": [], "more": 1}'])
def test_a_service_does_not_start_with_an_invalid_key_file(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ApiKeysError, match=r"keys\.json is not a valid API key file"):
        KeyFile(path)


def test_a_service_does_not_start_without_its_key_file(path: Path) -> None:
    with pytest.raises(ApiKeysError, match="cannot be read: No such file"):
        KeyFile(path)


def test_errors_in_the_key_file_are_reported_without_its_content(path: Path) -> None:
    add_key(path, "Chris", Role.APPROVER)
    spoilt = json.loads(path.read_text())
    spoilt["keys"][0]["role"] = "secret-word"
    path.write_text(json.dumps(spoilt))
    with pytest.raises(ApiKeysError, match=r"keys\.0\.role") as error:
        read_keys(path)
    assert "secret-word" not in str(error.value)


def test_the_command_adds_lists_and_removes_keys(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS_FILE", str(path))
    assert main(["access", "add", "--role", "courier", "--name", "Kim"]) == 0
    shown = capsys.readouterr()
    found = KeyFile(path).find(shown.out.strip())
    assert found is not None
    assert found.person.name == "Kim"
    assert main(["access", "list"]) == 0
    listed = capsys.readouterr().out
    assert found.id in listed
    assert shown.out.strip() not in listed
    assert main(["access", "remove", found.id]) == 0
    assert read_keys(path) == []
    assert main(["access", "remove", found.id]) == 1
    assert "there is no key" in capsys.readouterr().err


def test_the_command_names_a_missing_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEYS_FILE", raising=False)
    assert main(["access", "list"]) == 1
    assert "API_KEYS_FILE" in capsys.readouterr().err
    assert main(["access", "add", "--role", "customer", "--name", " ", "--file", str(tmp_path / "keys.json")]) == 1
    assert "must not be blank" in capsys.readouterr().err


def test_removing_an_unknown_key_is_an_error(path: Path) -> None:
    add_key(path, "Chris", Role.APPROVER)
    with pytest.raises(ApiKeysError, match="there is no key 00000000"):
        remove_key(path, "00000000")
