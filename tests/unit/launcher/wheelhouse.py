"""A folder of wheels as the only index of pip, with the names, versions and requirements of real packages."""

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NEWER = "9999.0"


def locked(lock: Path) -> Iterator[Requirement]:
    """Return the packages that a lock pins for this platform and Python."""
    for line in lock.read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            pin = Requirement(line.removesuffix("\\"))
            if pin.marker is None or pin.marker.evaluate():
                yield pin


def installed(*folders: Path) -> dict[str, Distribution]:
    """Return the distributions in the folders by name; by default those of the current environment."""
    path = [str(folder) for folder in folders] or sys.path
    return {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=path)}


def requirements(package: Distribution, extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
    """Return the requirements of a package with extras, for this platform and Python."""
    for need in map(Requirement, package.requires or []):
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ["", *extras]):
            yield need


def around_extras(packages: dict[str, Distribution]) -> set[str]:
    """Return the packages that require a package with an extra, such as `coverage[toml]`, and their dependencies."""
    to_do = [
        (name, frozenset[str]()) for name, one in packages.items() if any(need.extras for need in requirements(one))
    ]
    seen = set(to_do)
    while to_do:
        name, extras = to_do.pop()
        needs = {
            (canonicalize_name(need.name), frozenset(need.extras)) for need in requirements(packages[name], extras)
        }
        to_do += needs - seen
        seen |= needs
    return {name for name, _ in seen}


class Wheelhouse:
    """Writes fake wheels to a folder, and a lock with their hashes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "lock.txt"
        folder.mkdir()

    def pin(self, name: str, version: str, metadata: str = "") -> None:
        """Add a wheel and its line in the lock."""
        wheel = self.add(name, version, metadata)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with self.lock.open("a") as lock:
            lock.write(f"{name}=={version} --hash=sha256:{sha256}\n")

    def add(self, name: str, version: str, metadata: str = "") -> Path:
        """Add a wheel that contains only metadata."""
        stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
        wheel, info = self.folder / f"{stem}-py3-none-any.whl", f"{stem}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return wheel


def needs_of(package: Distribution) -> str:
    """Return the metadata lines with a package's requirements."""
    extras = package.metadata.get_all("Provides-Extra") or []
    lines = [f"Requires-Dist: {text}" for text in package.requires or []]
    return "".join(f"{line}\n" for line in [*(f"Provides-Extra: {extra}" for extra in extras), *lines])
