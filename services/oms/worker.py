"""`oms worker`: starts, lists and stops workers of the running system."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.oms.worker_requests import ask

_DEFAULT_STATE = Path(__file__).parents[2] / ".state"
"""The state folder of `make run` and of `dapr run -f .`."""
_COLUMNS = "{:<12} {:<12} {:>8}  {:<20} {}"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands `start`, `list` and `stop`; each sets `run`, which takes the options."""
    start = commands.add_parser("start", help="start more workers")
    start.add_argument("-n", "--count", type=int, default=1, metavar="N", help="how many; %(default)s")
    start.set_defaults(run=_start)
    listing = commands.add_parser("list", help="show the workers")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    stop = commands.add_parser("stop", help="stop a worker; the others continue its work")
    stop.add_argument("id", metavar="ID", help="the worker's name, as in the list")
    stop.set_defaults(run=_stop)
    for command in (start, listing, stop):
        command.add_argument("--state-dir", type=Path, default=_DEFAULT_STATE, help="the system's state folder")


def _start(options: argparse.Namespace) -> None:
    names = ask(options.state_dir, {"command": "start", "count": options.count})
    print(f"Started {' and '.join(names)}.")


def _list(options: argparse.Namespace) -> None:
    workers = ask(options.state_dir, {"command": "list"})
    if options.json:
        print(json.dumps(workers, indent=2))
        return
    print(_COLUMNS.format("NAME", "VERSION", "PROCESS", "SINCE", "STATE"))
    for worker in workers:
        print(_line(worker))


def _line(worker: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(worker["since"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _COLUMNS.format(worker["name"], worker["version"], worker["processId"] or "-", since, worker["state"])


def _stop(options: argparse.Namespace) -> None:
    ask(options.state_dir, {"command": "stop", "name": options.id})
    print(f"Stopped {options.id}.")
