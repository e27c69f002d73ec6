"""The oldest pip of a supported Python installs exactly the lock, regardless of newer releases."""

import importlib.util
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import launcher.setup.venv
from launcher.errors import LaunchError
from launcher.setup.venv import REQUIREMENTS, check_consistent, install_locked
from tests.unit.launcher import oldest_pip
from tests.unit.launcher.machine import Machine
from tests.unit.launcher.wheelhouse import NEWER, Wheelhouse, around_extras, installed, locked, needs_of

# Each test starts pip, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """The only index of pip."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    house = Wheelhouse(tmp_path / "wheels")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house.folder))
    return house


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the oldest pip, downloaded before a test replaces the index of pip."""
    folder = tmp_path_factory.mktemp("pip")
    with zipfile.ZipFile(oldest_pip.wheel()) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def interpreter(tmp_path: Path, pip: Path) -> Path:
    """The Python of an empty virtual environment with the oldest pip."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    (site_packages(folder) / "pip.pth").write_text(f"{pip}\n")
    return folder / "bin" / "python"


def versions(interpreter: Path) -> dict[str, str]:
    return {name: one.version for name, one in installed(site_packages(interpreter.parent.parent)).items()}


def site_packages(folder: Path) -> Path:
    return next(folder.glob("lib/python*/site-packages"))


def test_locked_versions_are_installed_despite_newer_releases_of_packages_with_extras(
    wheels: Wheelhouse, interpreter: Path, tmp_path: Path
) -> None:
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in locked(REQUIREMENTS[-1])}
    here = {name: one for name, one in installed().items() if name in pins}
    # Without pip, which would replace the pip under test.
    expected = {name: pins[name] for name in around_extras(here) - {"pip"}}
    assert expected, "the lock has no extra to get wrong"
    for name, version in expected.items():
        wheels.pin(here[name].metadata["Name"], version, needs_of(here[name]))
        wheels.add(here[name].metadata["Name"], NEWER, needs_of(here[name]))

    install_locked(interpreter, wheels.lock, "Installing", tmp_path / "log")
    check_consistent(interpreter)

    assert versions(interpreter) == expected


def test_inconsistent_lock_is_reported(wheels: Wheelhouse, interpreter: Path, tmp_path: Path) -> None:
    wheels.pin("needy", "1.0", "Requires-Dist: missing>=2\n")
    install_locked(interpreter, wheels.lock, "Installing", tmp_path / "log")
    with pytest.raises(LaunchError, match=r"(?s)^The pinned packages are inconsistent. Run `make lock`.*missing"):
        check_consistent(interpreter)


def test_file_with_another_hash_is_rejected(wheels: Wheelhouse, interpreter: Path, tmp_path: Path) -> None:
    wheels.pin("package", "1.0")
    wheels.add("package", "1.0", "Summary: another file of the same name\n")
    with pytest.raises(LaunchError, match=r"THESE PACKAGES DO NOT MATCH THE HASHES"):
        install_locked(interpreter, wheels.lock, "Installing", tmp_path / "log")
    assert "package" not in versions(interpreter)


def test_package_without_a_wheel_is_not_built(wheels: Wheelhouse, tmp_path: Path) -> None:
    wheels.lock.write_text(f"package==1.0 --hash=sha256:{'0' * 64}\n")
    (wheels.folder / "package-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(LaunchError, match=r"(?s)if pip finds no matching distribution, use another version of Python"):
        install_locked(Path(sys.executable), wheels.lock, "Installing", tmp_path / "log", target=tmp_path / "target")


def test_python_without_venv_is_reported(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on Debian.
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(launcher.setup.venv, "STAMP", tmp_path / "none")
    with pytest.raises(LaunchError, match=r"^Python's venv is missing: install it .* python3\.\d+-venv`"):
        launcher.setup.venv.ensure_venv()


def test_unavailable_index_is_reported_with_advice(
    wheels: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels.lock.write_text(f"package==1.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    log = tmp_path / "log"
    with pytest.raises(LaunchError, match=r"^Installing failed with exit code 1\. Check that PyPI, .*run the command"):
        install_locked(Path(sys.executable), wheels.lock, "Installing", log, target=tmp_path / "target")
    assert log.exists()
