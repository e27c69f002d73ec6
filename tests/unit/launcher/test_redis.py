"""Redis: one on the PATH is used, else it is installed, and where that cannot be done a sentence says so."""

from pathlib import Path

import pytest

from launcher import commands
from launcher.errors import LaunchError
from launcher.setup import redis
from launcher.setup.dapr import Dapr
from tests.unit.launcher.machine import Machine


@pytest.fixture(autouse=True)
def debian_program(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where redis-tools puts its program on this machine."""
    program = machine.programs / "redis-check-rdb"
    monkeypatch.setattr(redis, "DEBIAN_PROGRAM", program)
    return program


def test_the_server_on_the_path_is_used(machine: Machine) -> None:
    server = machine.put("redis-server", "exit 0")
    assert redis.ensure_redis() == server


def test_the_server_that_hides_in_redis_tools_is_called_by_its_name(machine: Machine, debian_program: Path) -> None:
    machine.apt_get(install=f"echo > {debian_program}")
    server = redis.ensure_redis()
    assert (server.name, server.resolve()) == ("redis-server", debian_program)


def test_where_nothing_can_be_installed_a_sentence_says_what_is_missing(machine: Machine) -> None:
    with pytest.raises(LaunchError, match=r"^redis-server is missing: .*install redis-tools.*brew install redis"):
        redis.ensure_redis()


def test_packages_without_a_server_are_a_sentence(machine: Machine) -> None:
    machine.apt_get()
    with pytest.raises(LaunchError, match="install Redis 6 or newer by hand"):
        redis.ensure_redis()


@pytest.fixture
def set_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A set-up whose other steps succeed; the list gets their names."""
    steps: list[str] = []

    def ensure_dapr(*, control_plane: bool) -> Dapr:
        steps.append("dapr")
        return Dapr(machine.programs)

    monkeypatch.setattr(commands, "ensure_venv", lambda: steps.append("venv"))
    monkeypatch.setattr(commands, "ensure_dapr", ensure_dapr)
    return steps


def test_where_redis_runs_already_none_is_installed(set_up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.control_plane, "already_running", lambda ports: {"redis"})
    commands.set_up()
    assert set_up == ["venv", "dapr"]


def test_a_redis_that_cannot_be_had_is_told_before_dapr_is_built(
    set_up: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.control_plane, "already_running", lambda ports: set[str]())
    with pytest.raises(LaunchError, match="redis-server is missing"):
        commands.set_up()
    assert set_up == ["venv"]
