"""Restart requests of `make restart` to the launcher in another terminal, as files in the state folder.

A request is the file `restart-<pid>` with the app id. Its reply is the file `restarted-<pid>` with an error message, or
empty on success. Both files are written atomically by renaming.
"""

import os
import time
from pathlib import Path

from launcher.errors import LaunchError
from launcher.system.state_folder import is_in_use

ALL = "all"
POLL_S = 0.3
TIMEOUT_S = 300.0
_REQUEST, _REPLY = "restart-", "restarted-"


def request_restart(state_dir: Path, app_id: str) -> None:
    """Ask the running launcher to restart an app, or `all`, and wait until it has. Raises LaunchError on failure."""
    if not is_in_use(state_dir):
        raise LaunchError(f"No system is running on {state_dir}. Start one with `make run`.")
    number = os.getpid()
    request, reply = state_dir / f"{_REQUEST}{number}", state_dir / f"{_REPLY}{number}"
    reply.unlink(missing_ok=True)
    _write(request, app_id)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not reply.exists():
            if not is_in_use(state_dir) or time.monotonic() > deadline:
                raise LaunchError("The restart did not complete. See the console of the running system.")
            time.sleep(POLL_S)
        if failure := reply.read_text():
            raise LaunchError(failure)
    finally:
        request.unlink(missing_ok=True)
        reply.unlink(missing_ok=True)


def discard_stale_requests(state_dir: Path) -> None:
    """Remove the requests to an earlier launcher."""
    for file in (*state_dir.glob(f"{_REQUEST}*"), *state_dir.glob(f"{_REPLY}*")):
        file.unlink(missing_ok=True)


def next_request(state_dir: Path) -> Path | None:
    """Return the next request, or None."""
    return next(iter(sorted(state_dir.glob(f"{_REQUEST}*[0-9]"))), None)


def requested_app(request: Path) -> str:
    """Return the requested app id, or `all`."""
    return request.read_text().strip()


def reply(request: Path, failure: str) -> None:
    """Reply that the restart succeeded, or why it failed."""
    _write(request.with_name(_REPLY + request.name.removeprefix(_REQUEST)), failure)
    request.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)
