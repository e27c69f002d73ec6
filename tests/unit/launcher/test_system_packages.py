"""System packages are installed where permitted. Otherwise an error explains what to install."""

import re

import pytest

from launcher.errors import LaunchError
from launcher.setup import system_packages
from tests.unit.launcher.machine import SOMEBODY, Machine

BY_HAND = re.escape(
    "Redis is missing: install it (on Debian and Ubuntu: `sudo apt-get install redis-tools`; "
    "on macOS: `brew install redis`), then run the command again."
)


def install() -> None:
    system_packages.install("redis-tools", "Redis", brew="redis")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "LOCK_POLL_S", 0.01)


def test_error_explains_what_to_install_without_apt(machine: Machine) -> None:
    with pytest.raises(LaunchError, match=f"^{BY_HAND}$"):
        install()


def test_error_explains_what_to_install_without_root_and_sudo(machine: Machine) -> None:
    machine.apt_get()
    machine.user(SOMEBODY)
    with pytest.raises(LaunchError, match=f"^{BY_HAND}$"):
        install()


def test_error_explains_what_to_install_where_sudo_needs_a_password(machine: Machine) -> None:
    machine.apt_get()
    machine.user(SOMEBODY)
    machine.put("sudo", "exit 1")
    with pytest.raises(LaunchError, match=f"^{BY_HAND}$"):
        install()


def test_sudo_without_a_password_is_used(machine: Machine) -> None:
    machine.apt_get(install=f'echo "$*" > {machine.programs}/installed')
    machine.user(SOMEBODY)
    machine.put("sudo", 'shift; exec "$@"')
    machine.put("true", "exit 0")
    install()
    assert "install --yes" in (machine.programs / "installed").read_text()


def test_installation_continues_when_package_lists_cannot_be_read(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.apt_get(
        update="echo E: one mirror of five is away; exit 100", install=f"echo > {machine.programs}/installed"
    )
    install()
    assert (machine.programs / "installed").exists()
    assert "Reading the package lists failed" in capsys.readouterr().out


def test_error_of_an_unavailable_package_has_the_end_of_the_log(machine: Machine) -> None:
    machine.apt_get(install="echo E: Failed to fetch; exit 100")
    with pytest.raises(LaunchError) as error:
        install()
    first, last = str(error.value).splitlines()
    assert first == (
        "Installing redis-tools failed with exit code 100. Check that the package mirrors can be reached, or install "
        "it by hand (on Debian and Ubuntu: `sudo apt-get install redis-tools`; on macOS: `brew install redis`), "
        f"then run the command again. The end of {machine.cache}/apt-redis-tools.log:"
    )
    assert last == "E: Failed to fetch"


def test_installation_waits_while_another_program_holds_the_lock(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = machine.programs / "locked"
    lock.touch()
    held = f"[ -f {lock} ] && rm {lock} && echo E: Could not get lock /var/lib/apt/lists/lock && exit 100; exit 0"
    machine.put("rm", f": > {machine.programs}/tried; exec /bin/rm $1")
    machine.apt_get(update=held, install=held)
    install()
    assert capsys.readouterr().out.count("another program is using apt") == 1


def test_wait_for_a_lock_has_a_timeout(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "LOCK_TIMEOUT_S", 0.05)
    machine.apt_get(install="echo E: Could not get lock /var/lib/dpkg/lock-frontend; exit 100")
    with pytest.raises(LaunchError, match="Could not get lock"):
        install()
