"""How `make restart` asks the launcher that runs in another terminal: by a file in the state folder."""

import time
from pathlib import Path

from runtime.errors import LaunchError
from runtime.state import is_taken

ALL = "all"
POLL_S = 0.3
TIMEOUT_S = 300.0


def request_restart(state_dir: Path, app_id: str) -> None:
    """Ask the running launcher to restart an app, or `all`, and wait until it has done so."""
    if not is_taken(state_dir):
        raise LaunchError(f"No system runs on {state_dir}: `make run` starts one.")
    request = _file(state_dir)
    # Renamed, so that the launcher never reads half a word.
    draft = request.with_suffix(".draft")
    draft.write_text(app_id)
    draft.replace(request)
    deadline = time.monotonic() + TIMEOUT_S
    while request.exists():
        if not is_taken(state_dir) or time.monotonic() > deadline:
            request.unlink(missing_ok=True)
            raise LaunchError("The restart did not come to its end; see what the running system says.")
        time.sleep(POLL_S)


def asked_to_restart(state_dir: Path) -> str:
    """Return the app id that somebody asks to restart, or `all`; empty when nobody asks."""
    request = _file(state_dir)
    return request.read_text().strip() if request.exists() else ""


def done(state_dir: Path) -> None:
    """Tell whoever asked that it is done."""
    _file(state_dir).unlink(missing_ok=True)


def _file(state_dir: Path) -> Path:
    return state_dir / "restart"
