"""What the set-up says while it works, and how it runs a command that takes long."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from launcher.errors import LaunchError

REPORT_EVERY_S = 10.0
TAIL_LINES = 15
STOP_GRACE_S = 5.0


def say(text: str) -> None:
    """Print one line at once, so that it is seen without a terminal too; to nobody when the terminal was closed."""
    # What a closed terminal ends must end in order, and that says things too.
    with suppress(OSError):
        print(text, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log file, empty when there is none."""
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
    """Run a command into a log file and say every few seconds that it is still at work.

    Raise LaunchError with `advice`, a whole sentence about what to do, when the command fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    say(f"{what} ...")
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
    """Wait for the child, with a line of progress now and then."""
    while True:
        try:
            child.wait(REPORT_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            say(f"  still {what[0].lower()}{what[1:]}, {elapsed(time.monotonic() - began)}")


def elapsed(seconds: float) -> str:
    """Return a duration as a person says it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
