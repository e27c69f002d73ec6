"""Console output of the launcher, and long commands with progress messages."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from launcher.errors import LaunchError

REPORT_EVERY_S = 10.0
TAIL_LINES = 15
STOP_GRACE_S = 5.0


def print_line(text: str) -> None:
    """Print a line and flush it. Does nothing when the terminal is closed."""
    # The orderly stop after a closed terminal prints lines too.
    with suppress(OSError):
        print(text, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log file, or an empty string when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def run_logged(
    command: Sequence[str | Path],
    what: str,
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    advice: str = "",
) -> None:
    """Run a command with its output in a log file, and print its progress every few seconds.

    Raises LaunchError with `advice`, a sentence with instructions for the user, when the command fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    print_line(f"{what} ...")
    with log.open("wb") as out:
        try:
            child = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise LaunchError(
                f"{what} failed: {command[0]} cannot be started ({error.strerror}). {advice}".rstrip()
            ) from error
        try:
            _wait(child, what, began)
        except BaseException:
            child.terminate()
            try:
                child.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    if child.returncode != 0:
        advice = f" {advice}" if advice else ""
        raise LaunchError(f"{what} failed with exit code {child.returncode}.{advice} The end of {log}:\n{tail(log)}")


def _wait(child: "subprocess.Popen[bytes]", what: str, began: float) -> None:
    """Wait for the child process, and print its progress."""
    while True:
        try:
            child.wait(REPORT_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            print_line(f"  still {what[0].lower()}{what[1:]}, {elapsed(time.monotonic() - began)}")


def elapsed(seconds: float) -> str:
    """Return a duration in minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
