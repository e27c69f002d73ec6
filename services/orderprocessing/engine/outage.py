"""Says what is missing while no workflow can run: for whoever has started the apps by `dapr run -f .`.

Where Redis, placement and scheduler are, the run template and the components in the working directory say.
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
_SAY_EVERY = 60.0
_LOOK_EVERY = 1.0
_CONNECT_TIMEOUT = 1.0
_CONTROL_PLANE = re.compile(r"^\s*(placement|scheduler)HostAddress:\s*(\S+):(\d+)\s*$", re.MULTILINE)
_REDIS = re.compile(r"name:\s*redisHost\s+value:\s*\"?([^\s\":]+):(\d+)")
_REMEDY = "start what is missing by `dapr init` or `make deps`"
_AGAIN = ", and then `dapr run -f .` again"


class OutageReporter:
    """Logs why nothing works, when that has lasted for a while, and from then on once a minute.

    `explain` returns a sentence, empty when there is nothing to say.
    """

    def __init__(
        self, works: Callable[[], bool], explain: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._works, self._explain, self._clock = works, explain, clock
        self._say_at = clock() + _GRACE
        self._said = False

    def look(self) -> None:
        """Look whether it works now."""
        if self._works():
            if self._said:
                log.info("the sidecar is up, and workflows run")
            self._said, self._say_at = False, self._clock() + _GRACE
        elif self._clock() >= self._say_at:
            self._say_at = self._clock() + _SAY_EVERY
            if sentence := self._explain():
                log.warning(sentence)
                self._said = True

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop."""
        while not stopping.wait(_LOOK_EVERY):
            try:
                self.look()
            except Exception:
                log.exception("it could not be found out what is missing")


def explain(folder: Path, sidecar_up: bool, sidecar_port: int, supervised: bool) -> str:
    """Return what keeps workflows from running, empty when that is not known.

    A `supervised` sidecar is started again by somebody else, and so is what it needs.
    """
    missing = [f"{name} at {host}:{port}" for name, host, port in needed(folder) if not _answers(host, port)]
    if not missing and sidecar_up:
        return ""
    sentence = f"nobody answers for {' and '.join(missing)}" if missing else ""
    if not sidecar_up:
        cause = sentence or "it needs Redis, placement and scheduler, and its own log says more"
        sentence = f"the sidecar does not answer on port {sidecar_port}: {cause}"
    if supervised:
        return sentence
    # A sidecar that is up connects to the rest by itself.
    return f"{sentence}; {_REMEDY}{'' if sidecar_up else _AGAIN}"


def needed(folder: Path) -> list[tuple[str, str, int]]:
    """Return name, host and port of each part that the sidecars in this folder need."""
    template = folder / "dapr.yaml"
    found = _CONTROL_PLANE.findall(template.read_text()) if template.exists() else []
    stores = {place for file in sorted(folder.glob("components/*.yaml")) for place in _REDIS.findall(file.read_text())}
    parts = [("Redis", *place) for place in sorted(stores)] + found
    return [(name, host, int(port)) for name, host, port in parts]


def run_in_background(reporter: OutageReporter, stopping: threading.Event) -> None:
    """Report outages, until told to stop."""
    threading.Thread(target=reporter.run, args=(stopping,), name="outage", daemon=True).start()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True
