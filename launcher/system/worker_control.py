"""Serves the requests of `oms worker` for a pool of workers."""

import threading
from pathlib import Path
from typing import Any

from launcher.console import print_line
from launcher.errors import LaunchError
from launcher.system.workers import WorkerPool
from services.oms.worker_requests import RequestFolder

_POLL_S = 0.2


class WorkerControl:
    """Serves requests in the background, from the start until close()."""

    def __init__(self, pool: WorkerPool, state_dir: Path) -> None:
        self._pool, self._requests = pool, RequestFolder(state_dir)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="worker control", daemon=True)
        if self._requests.open():
            self._thread.start()
        else:
            print_line(f"Another program serves `oms worker` on {state_dir}.")

    def close(self) -> None:
        """Stop serving requests."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._requests.close()

    def _serve(self) -> None:
        while not self._closing.wait(_POLL_S):
            if (found := self._requests.next()) is None:
                continue
            file, request = found
            try:
                result = self._execute(request)
            except LaunchError as error:
                self._requests.answer(file, error=str(error))
            except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
                self._requests.answer(file, error=f"the request failed: {error!r}")
            else:
                self._requests.answer(file, result)

    def _execute(self, request: Any) -> Any:
        command = request["command"]
        if command == "start":
            names = self._pool.start(int(request["count"]))
            print_line(f"Started {' and '.join(names)} on request.")
            return names
        if command == "stop":
            self._pool.stop(request["name"])
            print_line(f"Stopped {request['name']} on request.")
            return request["name"]
        if command == "list":
            return self._pool.statuses()
        raise LaunchError(f"Unknown command {command!r}.")
