"""Child processes of the launcher."""

import os
import signal
import subprocess
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from pathlib import Path

from launcher.supervision.processes import MARK, descendants, terminate

GRACE_S = 8.0


class Child:
    """A child process with its log file and its descendants."""

    def __init__(
        self,
        name: str,
        command: list[str | Path],
        state_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        descriptors: Collection[int] = (),
        inherit_output: bool = False,
    ) -> None:
        """Start the process, with its output appended to its log file in the state folder.

        With `inherit_output` it writes to this process's output instead, and there is no log file. The process inherits
        only the given file `descriptors`.
        """
        self.log = log_file(state_dir, name)
        if not inherit_output:
            self.log.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext() if inherit_output else self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                cwd=cwd or state_dir,
                # The mark identifies the process even after its launcher was killed.
                env={**os.environ, **(env or {}), MARK: str(state_dir.resolve())},
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=None if inherit_output else subprocess.STDOUT,
                # Not in the launcher's process group: Ctrl-C reaches only the launcher, which stops the processes.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, None while the process runs."""
        return self._popen.poll()

    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self._popen.poll() is not None

    def how_it_ended(self) -> str:
        """Return how the process ended, as a phrase that follows its name."""
        code = self._popen.poll()
        if code is None:
            return "is still running"
        return f"exited with code {code}" if code >= 0 else f"was killed by {_signal_name(-code)}"

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Terminate the process, then its remaining descendants."""
        descendant_pids = [process.pid for process in descendants(self.pid)]
        self._popen.terminate()
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
        terminate(descendant_pids, grace_s)


def log_file(state_dir: Path, name: str) -> Path:
    """Return the log file of a process."""
    return state_dir / "logs" / f"{name.replace(' ', '-')}.log"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
