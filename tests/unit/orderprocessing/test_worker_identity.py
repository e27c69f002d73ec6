"""The identity of a worker: its settings and their defaults."""

import os
import socket
from pathlib import Path

import pytest

from services.common.config import ConfigurationError, read
from services.orderprocessing.engine.worker.worker_identity import (
    MAX_LENGTH,
    WorkerIdentity,
    WorkerIdentityConfig,
    default_name,
    source_hash,
    worker_identity,
)


def configured(**environ: str) -> WorkerIdentityConfig:
    return read(WorkerIdentityConfig, environ, app_port=3000)


def sources(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_settings_name_the_worker() -> None:
    identity = worker_identity(configured(WORKER_NAME="worker-1.example", WORKER_VERSION="v1.2_rc-3"))
    assert identity == WorkerIdentity("worker-1.example", "v1.2_rc-3")


def test_without_settings_host_and_process_name_the_worker_and_its_source_the_version() -> None:
    identity = worker_identity(configured())
    assert identity == worker_identity(configured())
    assert identity.name == default_name(socket.gethostname(), os.getpid())
    # The defaults are valid settings.
    assert worker_identity(configured(WORKER_NAME=identity.name, WORKER_VERSION=identity.version)) == identity


@pytest.mark.parametrize("setting", ["WORKER_NAME", "WORKER_VERSION"])
@pytest.mark.parametrize("value", ["-a", "a b", "a||b", "a/b", "a\n", "wörker", "a" * (MAX_LENGTH + 1)])
def test_a_name_or_version_with_other_characters_or_too_long_is_a_configuration_error(setting: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        configured(**{setting: value})


@pytest.mark.parametrize("host", ["", "...", "host name", "hôte", "a" * 300, "_x", "10.0.0.1"])
def test_a_default_name_is_valid_for_every_host_name(host: str) -> None:
    name = default_name(host, 4194304)
    assert configured(WORKER_NAME=name).worker_name == name
    assert name.endswith("-4194304")


def test_workers_on_one_host_have_different_names() -> None:
    assert default_name("a" * 300, 1) != default_name("a" * 300, 2)


def test_the_version_changes_with_the_content_and_the_names_of_the_source_files(tmp_path: Path) -> None:
    original = source_hash([sources(tmp_path / "1" / "workflows", order="a", charge="b")])
    assert source_hash([sources(tmp_path / "2" / "workflows", order="a", charge="b")]) == original
    others = {
        source_hash([sources(tmp_path / "3" / "workflows", order="a", charge="c")]),
        source_hash([sources(tmp_path / "4" / "workflows", order="a", charges="b")]),
        source_hash([sources(tmp_path / "5" / "activities", order="a", charge="b")]),
        source_hash([sources(tmp_path / "6" / "workflows", order="a", charge="b", extra="")]),
    }
    assert len(others | {original}) == 5


def test_files_that_are_not_source_do_not_change_the_version(tmp_path: Path) -> None:
    folder = sources(tmp_path / "workflows", order="a")
    before = source_hash([folder])
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "order.pyc").write_text("compiled")
    assert source_hash([folder]) == before
