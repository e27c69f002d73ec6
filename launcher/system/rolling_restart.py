"""How `make restart` asks the launcher that runs in another terminal: by files in the state folder.

A request is `restart-<number>` and names the app; its answer is `restarted-<number>` and says what went wrong, if
anything did. Both appear whole, by renaming.
"""

import os
import time
from pathlib import Path

from launcher.errors import LaunchError
from launcher.system.state_folder import is_taken

ALL = "all"
POLL_S = 0.3
TIMEOUT_S = 300.0
_REQUEST, _ANSWER = "restart-", "restarted-"


def request_restart(state_dir: Path, app_id: str) -> None:
    """Ask the running launcher to restart an app, or `all`, and wait until it has. Raises LaunchError if it cannot."""
    if not is_taken(state_dir):
        raise LaunchError(f"No system runs on {state_dir}: `make run` starts one.")
    number = os.getpid()
    request, answer = state_dir / f"{_REQUEST}{number}", state_dir / f"{_ANSWER}{number}"
    answer.unlink(missing_ok=True)
    _write(request, app_id)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not answer.exists():
            if not is_taken(state_dir) or time.monotonic() > deadline:
                raise LaunchError("The restart did not come to its end; see what the running system says.")
            time.sleep(POLL_S)
        if sentence := answer.read_text():
            raise LaunchError(sentence)
    finally:
        request.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


def forget_requests(state_dir: Path) -> None:
    """Remove what was asked of a launcher that is gone."""
    for left in (*state_dir.glob(f"{_REQUEST}*"), *state_dir.glob(f"{_ANSWER}*")):
        left.unlink(missing_ok=True)


def next_request(state_dir: Path) -> Path | None:
    """Return the next request, None when nobody asks for anything."""
    return next(iter(sorted(state_dir.glob(f"{_REQUEST}*[0-9]"))), None)


def asked_for(request: Path) -> str:
    """Return the app id that is to be restarted, or `all`."""
    return request.read_text().strip()


def answer(request: Path, sentence: str) -> None:
    """Tell whoever asked that it is done, or by a sentence why not."""
    _write(request.with_name(_ANSWER + request.name.removeprefix(_REQUEST)), sentence)
    request.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)
