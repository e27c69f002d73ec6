"""Shows selected lines of the apps' log files on the console, each with the name of the app.

These are the milestones of orders, warnings and errors. With LOG_LEVEL=DEBUG every line is shown unchanged.
"""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from launcher.console import print_line

POLL_S = 0.3
_MOST_CHARACTERS = 1000
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT(?P<time>\d\d:\d\d:\d\d)\S* (?P<level>[A-Z]+) +(?P<message>.*)")
_TIME = re.compile(r'(?:\{.*?"at": *")?(\d{4}-\d\d-\d\dT[\d:.]+)')
_FIELDS = re.compile(r"(?: \w+=\S+)+$")
_TRACE = re.compile(r" traceId=\S+")
_ORDER = re.compile(r" orderId=(\S+)")
_HIDDEN_FIELDS = {"at", "level", "logger", "message", "traceId", "error"}
_QUIET = {"DEBUG", "INFO"}


class LogFollower:
    """Follows log files from their current end until stop()."""

    def __init__(self, logs: dict[str, Path], *, everything: bool = False) -> None:
        self._width = max(len(name) for name in logs)
        self._logs, self._everything = logs, everything
        self._read = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
        self._filters = {name: LineFilter() for name in logs}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log follower", daemon=True)
        self._thread.start()

    def add(self, name: str, log: Path) -> None:
        """Follow another log file from its current end; its name is at most as long as the longest so far."""
        self._read.setdefault(name, log.stat().st_size if log.exists() else 0)
        self._filters.setdefault(name, LineFilter())
        self._logs = {**self._logs, name: log}

    def stop(self) -> None:
        """Show the lines written so far, then stop."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            self._show()
        self._show()

    def _show(self) -> None:
        lines = [entry for name, log in self._logs.items() for entry in self._new_entries(name, log)]
        # The steps of an order come from several processes.
        for _time, name, line in sorted(lines, key=lambda entry: entry[0]):
            shown = line if self._everything else self._filters[name].shown(line)
            if shown is not None:
                print_line(f"{name:<{self._width}} | {shown}")

    def _new_entries(self, name: str, log: Path) -> Iterator[tuple[str, str, str]]:
        """Return the new lines of a log, each with its time and its name; a continuation line has the time before."""
        time = ""
        for line in self._new_lines(name, log):
            if stamp := _TIME.match(line):
                time = stamp[1]
            yield time, name, line

    def _new_lines(self, name: str, log: Path) -> list[str]:
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(self._read[name])
            # Shows a line only once it is complete.
            complete, newline, _rest = file.read().rpartition(b"\n")
        self._read[name] += len(complete) + len(newline)
        return complete.decode(errors="replace").splitlines()


class LineFilter:
    """Selects the lines of one log file, in text or JSON, and shortens them."""

    def __init__(self) -> None:
        self._continues = True

    def shown(self, line: str) -> str | None:
        """Return the text to show for a line, or None to hide it."""
        parsed_line = _from_json(line) if line.startswith("{") else _from_text(line)
        if parsed_line is None:  # a continuation line, such as one of a traceback
            return line[:_MOST_CHARACTERS] if self._continues else None
        time, level, message, is_milestone = parsed_line
        self._continues = is_milestone or level not in _QUIET
        if not self._continues:
            return None
        text = message if level in _QUIET else f"{level.lower()}: {message}"
        return f"{time} {text}"[:_MOST_CHARACTERS]


_LogLine = tuple[str, str, str, bool]
"""Time, level, message, and whether the line reports a milestone."""


def _from_text(line: str) -> _LogLine | None:
    parsed = _TEXT.fullmatch(line)
    if parsed is None:
        return None
    message = _TRACE.sub("", parsed["message"])
    is_milestone = " milestone=" in message
    if is_milestone:
        message = _FIELDS.sub("", message)
    # Most messages already name their order.
    order = _ORDER.search(message)
    if order and order[1] in message[: order.start()]:
        message = message[: order.start()] + message[order.end() :]
    return parsed["time"], parsed["level"], message, is_milestone


def _from_json(line: str) -> _LogLine | None:
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
