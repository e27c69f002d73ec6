"""A machine as `dapr init` leaves it: daprd below the home folder, the CLI on the PATH, a checkout.

Everything listens on the usual ports, so where the operating system has namespaces the machine gets a network and
processes of its own: what runs on this computer is not in the way, and nothing is left when its first process ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from launcher.paths import ROOT, cache_dir, digest
from launcher.ports import ControlPorts, is_free
from launcher.setup.dapr import ensure_cli, ensure_dapr
from launcher.supervision.reaper import MAKE_PID
from launcher.system.template import read_template

MACHINE = "TEST_MACHINE"
"""The variable that tells the tests inside where the machine is."""
_LOCK = ROOT / "requirements.txt"
_MADE_HERE = (".git", ".venv", ".state", ".dapr", "__pycache__", ".*_cache", "htmlcov")
_NEW_NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
_AS_ROOT_THERE = ["--user", "--map-root-user"]
# A machine has an address besides the loopback's. The shell stays the first process, and collects ended ones.
_BEGIN = 'ip link set lo up && ip address add 192.168.7.7/32 dev lo && "$@"; exit $?'


@dataclass(frozen=True)
class Machine:
    """The folders of the machine."""

    folder: Path

    @property
    def home(self) -> Path:
        """The home folder, with daprd in `.dapr/bin`."""
        return self.folder / "home"

    @property
    def checkout(self) -> Path:
        """The checkout, in a folder whose name has a space."""
        return self.folder / "my shop"

    @property
    def control_plane(self) -> Path:
        """Where the placement and scheduler are that `dapr init` runs in containers."""
        return self.folder / "containers"

    def environment(self) -> dict[str, str]:
        """Return the variables of a shell on this machine; pip finds the packages of the lock in a folder."""
        # In a process namespace of its own the machine has no `make` above it, which its commands would end with.
        unset = ("ENCRYPTION_", "DAPR_", "APP_", "VIRTUAL_ENV", MAKE_PID)
        python = Path(sys.base_prefix) / "bin"
        return {name: value for name, value in os.environ.items() if not name.startswith(unset)} | {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.folder / "bin"), str(python), os.environ["PATH"]]),
            "XDG_CACHE_HOME": str(cache_dir().parent),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(_wheels()),
            "PIP_NO_COMPILE": "1",
            MACHINE: str(self.folder),
        }


def set_up(folder: Path) -> Machine:
    """Make the folders: the checkout is this one as it is, without what is made here."""
    machine, dapr = Machine(folder), ensure_dapr()
    for path in (machine.home / ".dapr" / "bin", folder / "bin"):
        path.mkdir(parents=True)
    (machine.home / ".dapr" / "bin" / "daprd").symlink_to(dapr.binary("daprd"))
    (folder / "bin" / "dapr").symlink_to(ensure_cli())
    machine.control_plane.symlink_to(dapr.runtime_path)
    shutil.copytree(ROOT, machine.checkout, ignore=shutil.ignore_patterns(*_MADE_HERE))
    return machine


def entrance(skip: Callable[[str], object]) -> list[str]:
    """Return what to put before a command so that it has the usual ports to itself; `skip` where that cannot be had."""
    if shutil.which("unshare") and shutil.which("ip"):
        for identity in ([], _AS_ROOT_THERE):
            prefix = [*_NEW_NAMESPACES, *identity, "sh", "-c", _BEGIN, "sh"]
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                # Also when pytest is killed.
                return ["setpriv", "--pdeathsig", "KILL", *prefix] if shutil.which("setpriv") else prefix
    taken = [f"{port} ({name})" for name, port in usual_ports().items() if not is_free(port)]
    if taken:
        skip(f"no network of its own can be had here, and ports are in use: {', '.join(taken)}")
    return []


def usual_ports() -> Mapping[str, int]:
    """Return every port of the system, by what it is called to a person."""
    apps = read_template(ROOT / "dapr.yaml").apps
    return asdict(ControlPorts()) | {name: port for app in apps for name, port in app.named_ports().items()}


def _wheels() -> Path:
    """Return the folder that has the packages of the lock; they are fetched once for each state of the lock."""
    folder = cache_dir() / f"wheels-{digest([_LOCK], f'{sys.version_info[:2]}')}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=cache_dir()) as draft:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*fetch, "--require-hashes", "-r", _LOCK, "-d", f"{draft}/wheels"], check=True)
        with suppress(OSError):  # another test was faster
            Path(draft, "wheels").rename(folder)
    return folder
