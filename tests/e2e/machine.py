"""A machine as `dapr init` leaves it: daprd below the home folder, the CLI on the PATH, a checkout.

All processes listen on the default ports. Where the operating system supports namespaces, the machine has its own
network and processes: it does not conflict with this computer, and all processes end with its first process.
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
"""Environment variable with the path of the machine, for the tests inside."""
_LOCK = ROOT / "requirements.txt"
_MADE_HERE = (".git", ".venv", ".state", ".dapr", "__pycache__", ".*_cache", "htmlcov")
_NEW_NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
_AS_ROOT_THERE = ["--user", "--map-root-user"]
# A machine also has a non-loopback address. The shell stays the first process and reaps child processes.
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
        """The folder with placement and scheduler, which `dapr init` runs in containers."""
        return self.folder / "containers"

    def environment(self) -> dict[str, str]:
        """Return the environment of a shell on this machine. pip installs the locked packages from a folder."""
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
    """Create the folders. The checkout is a copy of this one, without generated files."""
    machine, dapr = Machine(folder), ensure_dapr()
    for path in (machine.home / ".dapr" / "bin", folder / "bin"):
        path.mkdir(parents=True)
    (machine.home / ".dapr" / "bin" / "daprd").symlink_to(dapr.binary("daprd"))
    (folder / "bin" / "dapr").symlink_to(ensure_cli())
    machine.control_plane.symlink_to(dapr.runtime_path)
    shutil.copytree(ROOT, machine.checkout, ignore=shutil.ignore_patterns(*_MADE_HERE))
    return machine


def entrance(skip: Callable[[str], object]) -> list[str]:
    """Return a command prefix that gives a command the default ports. Calls `skip` where that is impossible."""
    if shutil.which("unshare") and shutil.which("ip"):
        for identity in ([], _AS_ROOT_THERE):
            prefix = [*_NEW_NAMESPACES, *identity, "sh", "-c", _BEGIN, "sh"]
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                # Also when pytest is killed.
                return ["setpriv", "--pdeathsig", "KILL", *prefix] if shutil.which("setpriv") else prefix
    taken = [f"{port} ({name})" for name, port in usual_ports().items() if not is_free(port)]
    if taken:
        skip(f"no network namespace is available, and ports are in use: {', '.join(taken)}")
    return []


def usual_ports() -> Mapping[str, int]:
    """Return every port of the system, by display name."""
    apps = read_template(ROOT / "dapr.yaml").apps
    return asdict(ControlPorts()) | {name: port for app in apps for name, port in app.named_ports().items()}


def _wheels() -> Path:
    """Return the folder with the locked packages, which are downloaded once per version of the lock."""
    folder = cache_dir() / f"wheels-{digest([_LOCK], f'{sys.version_info[:2]}')}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=cache_dir()) as draft:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*fetch, "--require-hashes", "-r", _LOCK, "-d", f"{draft}/wheels"], check=True)
        with suppress(OSError):  # another test was faster
            Path(draft, "wheels").rename(folder)
    return folder
