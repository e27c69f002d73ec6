"""Requests of `oms worker` to the program that supervises the workers, as files in its state folder.

A request is the file `worker-request-<id>` with a JSON object, and its answer is the file `worker-answer-<id>`. Both
files are written atomically by renaming. The supervisor holds a lock while it serves requests. Standard library only:
the launcher, which runs before anything is installed, imports this module.
"""

import fcntl
import json
import time
import uuid
from pathlib import Path
from typing import IO, Any

_LOCK = "workers.lock"
_REQUEST, _ANSWER = "worker-request-", "worker-answer-"
_POLL_S = 0.1
_TIMEOUT_S = 60.0
_LOCK_TRIES, _LOCK_PAUSE_S = 20, 0.02
"""A client that looks whether a supervisor holds the lock holds it too for a moment."""


class RequestError(Exception):
    """The request failed; the message says why."""


def ask(state_dir: Path, request: dict[str, Any]) -> Any:
    """Send a request to the supervisor of this state folder, and return its result. Raises RequestError."""
    number = uuid.uuid4().hex
    file, answer = state_dir / f"{_REQUEST}{number}", state_dir / f"{_ANSWER}{number}"
    if not _is_served(state_dir):
        raise RequestError(f"no system is running on {state_dir}; start one with `make run` or `dapr run -f .`")
    _write(file, request)
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while not answer.exists():
            if time.monotonic() > deadline or not _is_served(state_dir):
                raise RequestError("the running system did not answer; see its console")
            time.sleep(_POLL_S)
        content = json.loads(answer.read_text())
    finally:
        file.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if error := content.get("error"):
        raise RequestError(error)
    return content["result"]


class RequestFolder:
    """The supervisor's side: the requests in its state folder, from open() until close()."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir
        self._lock: IO[str] | None = None

    def open(self) -> bool:
        """Begin to serve requests; return False when another program serves them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = (self._folder / _LOCK).open("a")
        if not _acquire(lock):
            lock.close()
            return False
        for file in (*self._folder.glob(f"{_REQUEST}*"), *self._folder.glob(f"{_ANSWER}*")):
            file.unlink(missing_ok=True)
        self._lock = lock
        return True

    def close(self) -> None:
        """Stop serving requests."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def next(self) -> tuple[Path, Any] | None:
        """Return the next request and its file, or None; the request is None if it is not JSON."""
        for file in sorted(self._folder.glob(f"{_REQUEST}*[0-9a-f]")):
            try:
                return file, json.loads(file.read_text())
            except OSError:  # the caller has given up
                continue
            except (ValueError, RecursionError):
                return file, None
        return None

    def answer(self, file: Path, result: Any = None, error: str = "") -> None:
        """Answer a request with its result, or with an error message."""
        answer = file.with_name(_ANSWER + file.name.removeprefix(_REQUEST))
        if file.exists():
            _write(answer, {"error": error} if error else {"result": result})
        file.unlink(missing_ok=True)


def _acquire(lock: IO[str]) -> bool:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False


def _is_served(state_dir: Path) -> bool:
    """Return whether a supervisor holds the lock."""
    try:
        with (state_dir / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _write(file: Path, content: object) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    draft.replace(file)
