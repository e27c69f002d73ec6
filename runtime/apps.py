"""The apps and their sidecars under one `dapr run -f`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.children import Child
from runtime.console import tail
from runtime.dapr import Dapr
from runtime.errors import LaunchError
from runtime.ports import http_ok
from runtime.processes import Process, descendants, end
from runtime.template import App

POLL_S = 0.2
STOP_GRACE_S = 5.0
CLI_GRACE_S = 1.0
KEEP_LOGS_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Pids:
    """Process ids of an app and of its sidecar, None for one that does not run."""

    app: int | None
    sidecar: int | None


class Apps:
    """A running `dapr run -f`, and what it started."""

    def __init__(
        self,
        dapr: Dapr,
        template: Path,
        apps: list[App],
        state_dir: Path,
        env: Mapping[str, str],
        *,
        console: bool,
    ) -> None:
        """Start the run template."""
        self._apps = apps
        self._logs = template.parent / ".dapr" / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        _remove_old(self._logs)
        self._child = Child(
            "dapr-run",
            [dapr.cli, "run", "-f", template],
            state_dir,
            # Sidecars register this address: the machine's outward one may change at any time.
            env={**dapr.environment(), "DAPR_HOST_IP": "127.0.0.1", **env},
            cwd=template.parent,
            console=console,
        )
        self._seen: dict[tuple[str, str], int] = {}

    def pids(self, app_id: str) -> Pids:
        """Return the process ids of one app."""
        found = self._found()
        return Pids(found.get(("app", app_id)), found.get(("daprd", app_id)))

    def log(self, kind: str, app_id: str) -> Path | None:
        """Return the newest log file of an `app`, or of its sidecar (`daprd`)."""
        return max(self._logs.glob(f"{app_id}_{kind}_*.log"), default=None)

    def dead(self) -> str | None:
        """Return a sentence about an app or sidecar that ended, None while all run."""
        if self._child.ended():
            return self._child.epitaph()
        found = self._found()
        gone = [key for key, pid in self._seen.items() if found.get(key) != pid]
        self._seen = found
        if not gone:
            return None
        kind, app_id = gone[0]
        name = f"The sidecar of {app_id}" if kind == "daprd" else f"The app {app_id}"
        return f"{name} ended unexpectedly.{self._tail(kind, app_id)}"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every app answers 200 at /readyz."""
        deadline = time.monotonic() + timeout_s
        waiting = list(self._apps)
        while waiting:
            waiting = [app for app in waiting if not http_ok(f"{app.address}/readyz")]
            sentence = self.dead()
            if waiting and sentence:
                raise LaunchError(sentence)
            if waiting and time.monotonic() > deadline:
                names = ", ".join(app.app_id for app in waiting)
                tails = "".join(self._tail(kind, waiting[0].app_id) for kind in ("app", "daprd"))
                raise LaunchError(f"Not ready within {timeout_s:.0f} s: {names}.{tails}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the apps, then the sidecars, then the CLI, each with time to finish what it does.

        The CLI would kill them at once, and leave an app's own children running.
        """
        everyone = descendants(self._child.pid)
        sidecars = [process.pid for process in everyone if _is_sidecar(process)]
        end([process.pid for process in everyone if not _is_sidecar(process)], STOP_GRACE_S)
        end(sidecars, STOP_GRACE_S)
        # A CLI that is still starting apps keeps asking the ended sidecars for seconds; nothing is lost with it.
        self._child.stop(CLI_GRACE_S)

    def _found(self) -> dict[tuple[str, str], int]:
        """Return the running apps and sidecars by what they are and their app id."""
        found: dict[tuple[str, str], int] = {}
        for process in descendants(self._child.pid):
            if process.parent != self._child.pid:
                continue
            if _is_sidecar(process):
                found["daprd", _app_id(process)] = process.pid
            elif "APP_ID" in process.environment:
                found["app", process.environment["APP_ID"]] = process.pid
        return found

    def _tail(self, kind: str, app_id: str) -> str:
        """Return the end of the newest log file of an app or its sidecar, for a failure's message."""
        log = self.log(kind, app_id)
        return f"\nThe end of {log}:\n{tail(log)}" if log else ""


def _remove_old(logs: Path) -> None:
    """Remove log files that nothing has been written to for a week; the CLI starts new ones at each run."""
    for log in logs.glob("*.log"):
        if time.time() - log.stat().st_mtime > KEEP_LOGS_S:
            log.unlink()


def _is_sidecar(process: Process) -> bool:
    """Tell whether a process is a daprd; the CLI also calls it once for its version, which is none."""
    return "--app-id" in process.arguments and Path(process.arguments[0]).name == "daprd"


def _app_id(process: Process) -> str:
    """Return the app id that a sidecar was started with."""
    position = process.arguments.index("--app-id")
    return process.arguments[position + 1]
