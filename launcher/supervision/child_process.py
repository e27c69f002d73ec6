"""Programs that run in the background for a state folder."""

import os
import signal
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from launcher.supervision.processes import MARK, descendants, end

GRACE_S = 8.0


class Child:
    """One program, its log file and everything that descends from it."""

    def __init__(
        self,
        name: str,
        command: list[str | Path],
        state_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        descriptors: Collection[int] = (),
    ) -> None:
        """Start the program, with its output appended to its file among the state folder's logs.

        Of the launcher's open files it gets those whose `descriptors` are given.
        """
        self.log = log_file(state_dir, name)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                cwd=cwd or state_dir,
                # The mark finds the program again even after its launcher was killed.
                env={**os.environ, **(env or {}), MARK: str(state_dir.resolve())},
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Not in our group: Ctrl-C reaches the launcher only, which then stops all in order.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Return the program's process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, None while the program runs."""
        return self._popen.poll()

    def ended(self) -> bool:
        """Tell whether the program has ended."""
        return self._popen.poll() is not None

    def how_it_ended(self) -> str:
        """Return how the program ended, as the rest of a sentence that begins with its name."""
        code = self._popen.poll()
        if code is None:
            return "still runs"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"

    def kill(self) -> None:
        """End the program at once, without a chance to tidy up."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the program and then whatever it left running."""
        offspring = [process.pid for process in descendants(self.pid)]
        self._popen.terminate()
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
        end(offspring, grace_s)


def log_file(state_dir: Path, name: str) -> Path:
    """Return where a program's output goes."""
    return state_dir / "logs" / f"{name.replace(' ', '-')}.log"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
