"""Shows on the console what a person wants to know of the apps' log files, each line behind the app's name.

That is the milestones of the orders, warnings and errors. What else the apps log stays in their files, unless
LOG_LEVEL is DEBUG: then every line is shown as it is written.
"""

import json
import re
import threading
from pathlib import Path

from launcher.console import say

POLL_S = 0.3
_MOST_CHARACTERS = 1000
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT(?P<time>\d\d:\d\d:\d\d)\S* (?P<level>[A-Z]+) +(?P<message>.*)")
_FIELDS = re.compile(r"(?: \w+=\S+)+$")
_TRACE = re.compile(r" traceId=\S+")
_ORDER = re.compile(r" orderId=(\S+)")
_HIDDEN_FIELDS = {"at", "level", "logger", "message", "traceId", "error"}
_QUIET = {"DEBUG", "INFO"}


class LogFollower:
    """Follows log files from their present ends until stop()."""

    def __init__(self, logs: dict[str, Path], *, everything: bool = False) -> None:
        self._width = max(len(name) for name in logs)
        self._logs, self._everything = logs, everything
        self._read = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
        self._pages = {name: Page() for name in logs}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show what has been written up to now, and no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            self._show()
        self._show()

    def _show(self) -> None:
        for name, log in self._logs.items():
            for line in self._new_lines(name, log):
                shown = line if self._everything else self._pages[name].shown(line)
                if shown is not None:
                    say(f"{name:<{self._width}} | {shown}")

    def _new_lines(self, name: str, log: Path) -> list[str]:
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(self._read[name])
            # A line that is still being written is shown once it is whole.
            whole, newline, _rest = file.read().rpartition(b"\n")
        self._read[name] += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()


class Page:
    """Chooses among the lines of one log file, in text or JSON, and shortens them."""

    def __init__(self) -> None:
        self._goes_on = True

    def shown(self, line: str) -> str | None:
        """Return what is shown for a line, None for nothing."""
        found = _from_json(line) if line.startswith("{") else _from_text(line)
        if found is None:  # not a line of its own, such as one of a traceback: it belongs to the line before
            return line[:_MOST_CHARACTERS] if self._goes_on else None
        time, level, message, is_milestone = found
        self._goes_on = is_milestone or level not in _QUIET
        if not self._goes_on:
            return None
        text = message if level in _QUIET else f"{level.lower()}: {message}"
        return f"{time} {text}"[:_MOST_CHARACTERS]


_Found = tuple[str, str, str, bool]
"""Time, level, message, and whether the line is a milestone."""


def _from_text(line: str) -> _Found | None:
    parsed = _TEXT.fullmatch(line)
    if parsed is None:
        return None
    message = _TRACE.sub("", parsed["message"])
    is_milestone = " milestone=" in message
    if is_milestone:
        message = _FIELDS.sub("", message)
    # Most messages name their order already.
    order = _ORDER.search(message)
    if order and order[1] in message[: order.start()]:
        message = message[: order.start()] + message[order.end() :]
    return parsed["time"], parsed["level"], message, is_milestone


def _from_json(line: str) -> _Found | None:
    try:
        fields = json.loads(line)
        time, level, message = fields["at"][11:19], fields["level"], fields["message"]
    except (ValueError, KeyError, TypeError):
        return None
    is_milestone = "milestone" in fields
    if not is_milestone:
        rest = {name: value for name, value in fields.items() if name not in _HIDDEN_FIELDS}
        if str(rest.get("orderId")) in message:
            rest.pop("orderId", None)
        message += "".join(f" {name}={value}" for name, value in rest.items())
    if error := fields.get("error"):
        message += f"\n{error}"
    return time, level, message, is_milestone
