"""Programs that run in the background for a state folder."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.console import tail
from runtime.errors import LaunchError
from runtime.processes import MARK, descendants, end

POLL_S = 0.1
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
        console: bool = False,
    ) -> None:
        """Start the program, with its output in the state folder's logs or on the console."""
        self.name = name
        self.log = state_dir / "logs" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                cwd=cwd or state_dir,
                # The mark finds the program again even after its launcher was killed.
                env={**os.environ, **(env or {}), MARK: str(state_dir.resolve())},
                stdin=subprocess.DEVNULL,
                stdout=None if console else out,
                stderr=None if console else subprocess.STDOUT,
                # Not in our group: Ctrl-C reaches the launcher only, which then stops all in order.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Return the program's process id."""
        return self._popen.pid

    def ended(self) -> bool:
        """Tell whether the program has ended."""
        return self._popen.poll() is not None

    def epitaph(self) -> str:
        """Return the sentence that says how the program ended."""
        return f"{self.name} ended unexpectedly with exit code {self._popen.poll()}; its log is {self.log}."

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Wait until the program answers; fail when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not answers():
            if self.ended():
                raise LaunchError(f"{self.epitaph()}\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise LaunchError(f"{self.name} did not answer within {seconds:.0f} s; see {self.log}.")
            time.sleep(POLL_S)

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the program and then whatever it left running."""
        offspring = [process.pid for process in descendants(self.pid)]
        self._popen.terminate()
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        end(offspring, grace_s)
