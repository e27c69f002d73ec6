"""How a service gets its keys at the start."""

from pathlib import Path

import pytest

from services.common.auth import api_keys
from services.common.auth.api_keys import add_key, read_keys
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.encryption import key_file
from services.common.encryption.encryptor import USE_CURRENT, Encryptor, UnknownKeyError
from services.common.encryption.keys import FileKeys
from services.common.identity import Role
from services.common.service import configure, create_encryptor, prepare

NOWHERE = 1


def config(**settings: object) -> ServiceConfig:
    return ServiceConfig.model_validate({"app_port": 3000, "dapr_http_port": NOWHERE, **settings})


def test_a_service_encrypts_with_the_keys_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    settings = config(encryption_key_id="current", encryption_keys_file=path)
    encryptor = create_encryptor(settings, Sidecar(settings))
    assert encryptor.decrypt(encryptor.encrypt(b"{}", "x"), "x") == b"{}"
    assert encryptor.encrypt(b"{}", "x") != b"{}"


@pytest.mark.parametrize(
    ("key_id", "complaint"), [("current", "cannot be read"), ("other", "'other', which is not among")]
)
def test_a_service_with_an_invalid_key_file_exits_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key_id: str, complaint: str
) -> None:
    path = tmp_path / "keys.json"
    if key_id == "other":
        key_file.ensure(path)
    settings = config(encryption_key_id=key_id, encryption_keys_file=path)
    with pytest.raises(SystemExit, match="2"):
        create_encryptor(settings, Sidecar(settings))
    assert complaint in capsys.readouterr().err


def test_without_its_secret_store_a_service_writes_no_plain_text() -> None:
    settings = config(encryption_key_id="current", encryption_secret_store="vault")
    encryptor = create_encryptor(settings, Sidecar(settings))
    with pytest.raises(UnknownKeyError, match="no response"):
        encryptor.encrypt(b"{}", "x")


def test_without_keys_nothing_is_encrypted() -> None:
    assert create_encryptor(config(), Sidecar(config())).encrypt(b"{}", "x") == b"{}"


def test_a_file_of_api_keys_is_read_once_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "api-keys.json"
    add_key(path, "Max", Role.MANAGER)
    reads: list[Path] = []
    monkeypatch.setattr(api_keys, "read_keys", lambda file: reads.append(file) or read_keys(file))
    for name, value in {"API_KEYS_FILE": str(path), "APP_API_TOKEN": "a", "DAPR_API_TOKEN": "d"}.items():
        monkeypatch.setenv(name, value)
    context = prepare(configure(ServiceConfig, app_port=3000))
    assert reads == [path]
    assert context.authenticator.keys_available()


def test_api_keys_in_a_secret_store_are_looked_up_in_the_background_and_waited_for() -> None:
    settings = config(api_keys_secret_store="vault", app_api_token="a", dapr_api_token="d")
    assert not prepare(settings).authenticator.keys_available()


def encryption(monkeypatch: pytest.MonkeyPatch, **environ: str) -> ServiceConfig:
    for name in ("ENCRYPTION_KEY_ID", "ENCRYPTION_KEYS_FILE", "ENCRYPTION_SECRET_STORE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return configure(ServiceConfig, app_port=3000)


def test_under_dapr_run_the_first_start_makes_the_keys_that_the_launcher_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "keys.json"
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(path))
    sealed = create_encryptor(settings, Sidecar(settings)).encrypt(b"{}", "x")
    made = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert create_encryptor(settings, Sidecar(settings)).decrypt(sealed, "x") == b"{}"
    assert path.read_text() == made


def test_configured_keys_take_precedence_over_the_default_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default, own = tmp_path / "default.json", tmp_path / "own.json"
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(default), ENCRYPTION_KEYS_FILE=str(own))
    assert (settings.encryption_key_id, settings.encryption_keys_file) == ("current", own)
    create_encryptor(settings, Sidecar(settings))
    assert (default.exists(), own.exists()) == (False, True)
    monkeypatch.delenv("ENCRYPTION_KEYS_FILE")
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(default), ENCRYPTION_SECRET_STORE="vault")
    assert (settings.encryption_key_id, settings.encryption_keys_file) == ("current", None)


def test_with_an_empty_key_id_nothing_is_encrypted_and_encrypted_data_is_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(path), ENCRYPTION_KEY_ID="")
    assert create_encryptor(settings, Sidecar(settings)).encrypt(b"{}", "x") == b"{}"
    assert not path.exists()
    key_file.ensure(path)
    sealed = Encryptor(FileKeys(path), USE_CURRENT).encrypt(b'{"a": 1}', "x")
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(path), ENCRYPTION_KEY_ID="")
    encryptor = create_encryptor(settings, Sidecar(settings))
    assert (encryptor.decrypt(sealed, "x"), encryptor.encrypt(b"{}", "x")) == (b'{"a": 1}', b"{}")


def test_a_key_file_that_cannot_be_created_ends_the_service_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    settings = encryption(monkeypatch, ENCRYPTION_DEFAULT_KEYS_FILE=str(tmp_path / "file" / "keys.json"))
    with pytest.raises(SystemExit, match="2"):
        create_encryptor(settings, Sidecar(settings))
    assert "keys.json cannot be created: " in capsys.readouterr().err
