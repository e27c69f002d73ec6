"""Reports what is missing while no workflow can run, to the user who started the apps by `dapr run -f .`.

The addresses of Redis, placement and scheduler come from the run template and the components in the working directory.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.common.logs import get_logger

log = get_logger(__name__)

_GRACE = 15.0
"""Seconds; most starts take less."""
_REPORT_INTERVAL = 60.0
_CHECK_INTERVAL = 1.0
_CONNECT_TIMEOUT = 1.0
_CONTROL_PLANE = re.compile(r"^\s*(placement|scheduler)HostAddress:\s*(\S+):(\d+)\s*$", re.MULTILINE)
_REDIS = re.compile(r"name:\s*redisHost\s+value:\s*\"?([^\s\":]+):(\d+)")
_REMEDY = "start what is missing by `dapr init` or `make deps`"
_RERUN = ", and then `dapr run -f .` again"


class OutageReporter:
    """Logs the cause of an outage once it has lasted for 15 seconds, and then once a minute.

    `explain` returns the cause as a sentence, empty when it is unknown.
    """

    def __init__(
        self, works: Callable[[], bool], explain: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._works, self._explain, self._clock = works, explain, clock
        self._report_at = clock() + _GRACE
        self._reported = False

    def check(self) -> None:
        """Check once whether workflows can run."""
        if self._works():
            if self._reported:
                log.info("the sidecar is up, and workflows run")
            self._reported, self._report_at = False, self._clock() + _GRACE
        elif self._clock() >= self._report_at:
            self._report_at = self._clock() + _REPORT_INTERVAL
            if sentence := self._explain():
                log.warning(sentence)
                self._reported = True

    def run(self, stopping: threading.Event) -> None:
        """Check every second until `stopping` is set."""
        while not stopping.wait(_CHECK_INTERVAL):
            try:
                self.check()
            except Exception:
                log.exception("could not determine the cause of the outage")


def explain(folder: Path, sidecar_up: bool, sidecar_port: int, supervised: bool) -> str:
    """Return what prevents workflows from running, empty when that is unknown.

    A `supervised` sidecar and the parts that it needs are restarted by their supervisor.
    """
    missing = [f"{name} at {host}:{port}" for name, host, port in needed(folder) if not _answers(host, port)]
    if not missing and sidecar_up:
        return ""
    sentence = f"no answer from {' and '.join(missing)}" if missing else ""
    if not sidecar_up:
        cause = sentence or "it needs Redis, placement and scheduler, and its own log says more"
        sentence = f"the sidecar does not answer on port {sidecar_port}: {cause}"
    if supervised:
        return sentence
    # A running sidecar connects to the rest by itself.
    return f"{sentence}; {_REMEDY}{'' if sidecar_up else _RERUN}"


def needed(folder: Path) -> list[tuple[str, str, int]]:
    """Return name, host and port of each part that the sidecars in this folder need."""
    template = folder / "dapr.yaml"
    control_plane = _CONTROL_PLANE.findall(template.read_text()) if template.exists() else []
    files = sorted(folder.glob("components/*.yaml"))
    stores = {address for file in files for address in _REDIS.findall(file.read_text())}
    parts = [("Redis", *address) for address in sorted(stores)] + control_plane
    return [(name, host, int(port)) for name, host, port in parts]


def run_in_background(reporter: OutageReporter, stopping: threading.Event) -> None:
    """Report outages until `stopping` is set."""
    threading.Thread(target=reporter.run, args=(stopping,), name="outage", daemon=True).start()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True
