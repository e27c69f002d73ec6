"""Redis is used from the PATH or installed. An error explains when neither is possible."""

from pathlib import Path

import pytest

from launcher import commands
from launcher.errors import LaunchError
from launcher.setup import redis
from launcher.setup.dapr import Dapr
from tests.unit.launcher.machine import Machine


@pytest.fixture(autouse=True)
def debian_program(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the program in redis-tools on this machine."""
    program = machine.programs / "redis-check-rdb"
    monkeypatch.setattr(redis, "DEBIAN_PROGRAM", program)
    return program


def test_server_on_the_path_is_used(machine: Machine) -> None:
    server = machine.put("redis-server", "exit 0")
    assert redis.ensure_redis() == server


def test_server_of_redis_tools_is_linked_under_the_name_redis_server(machine: Machine, debian_program: Path) -> None:
    machine.apt_get(install=f"echo > {debian_program}")
    server = redis.ensure_redis()
    assert (server.name, server.resolve()) == ("redis-server", debian_program)


def test_error_names_redis_where_nothing_can_be_installed(machine: Machine) -> None:
    with pytest.raises(LaunchError, match=r"^redis-server is missing: .*install redis-tools.*brew install redis"):
        redis.ensure_redis()


def test_error_says_that_the_package_contains_no_server(machine: Machine) -> None:
    machine.apt_get()
    with pytest.raises(LaunchError, match="install Redis 6 or newer by hand"):
        redis.ensure_redis()


@pytest.fixture
def set_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A setup whose other steps succeed. The list records their names."""
    steps: list[str] = []

    def ensure_dapr(*, control_plane: bool) -> Dapr:
        steps.append("dapr")
        return Dapr(machine.programs)

    monkeypatch.setattr(commands, "ensure_venv", lambda: steps.append("venv"))
    monkeypatch.setattr(commands, "ensure_dapr", ensure_dapr)
    return steps


def test_redis_is_not_installed_when_it_is_already_running(set_up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.control_plane, "already_running", lambda ports: {"redis"})
    commands.set_up()
    assert set_up == ["venv", "dapr"]


def test_missing_redis_is_reported_before_dapr_is_built(set_up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.control_plane, "already_running", lambda ports: set[str]())
    with pytest.raises(LaunchError, match="redis-server is missing"):
        commands.set_up()
    assert set_up == ["venv"]
