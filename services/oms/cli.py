"""The command `oms`: shows orders, exports and replays histories, manages keys and workers, runs the codec server."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from services.common.auth.api_keys import ApiKeysError
from services.common.encryption import key_file
from services.common.encryption.key_file import CURRENT, NAMES, KeysError
from services.oms import access, codec_server, histories, show, worker
from services.oms.worker_requests import RequestError

_DEFAULT_URL = "http://localhost:3000"
_TIMEOUT = (2.0, 10.0)


class CommandError(Exception):
    """The command failed; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit code: its own, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    code: int | None = 0
    try:
        code = options.run(options)
    except (CommandError, KeysError, ApiKeysError, RequestError, histories.HistoryFileError) as error:
        print(f"oms: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oms", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about_order = argparse.ArgumentParser(add_help=False)
    about_order.add_argument("order", metavar="ORDER", help="the order's id")
    about_order.add_argument("--json", action="store_true", help="print JSON")
    about_order.add_argument(
        "--url", default=os.environ.get("OMS_URL", _DEFAULT_URL), help="orderprocessing (OMS_URL; %(default)s)"
    )
    commands.add_parser("order", parents=[about_order], help=order.__doc__).set_defaults(run=order)
    showing = commands.add_parser("history", parents=[about_order], help=history.__doc__)
    histories.add_export_options(showing)
    showing.set_defaults(run=history)
    replaying = commands.add_parser("replay", help=replay.__doc__)
    histories.add_replay_options(replaying)
    replaying.set_defaults(run=replay)
    keys = commands.add_parser("keys", help="the keys that encrypt data")
    key_file_option = argparse.ArgumentParser(add_help=False)
    default = os.environ.get("ENCRYPTION_KEYS_FILE", codec_server.DEFAULT_KEYS)
    key_file_option.add_argument("--file", type=Path, default=Path(default), help="ENCRYPTION_KEYS_FILE; %(default)s")
    verbs = keys.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("rotate", parents=[key_file_option], help="create a new current key").set_defaults(run=rotate)
    verbs.add_parser("list", parents=[key_file_option], help="show the ids of all keys").set_defaults(run=list_keys)
    persons = commands.add_parser("access", help="the API keys of persons")
    access.add_commands(persons.add_subparsers(dest="verb", required=True, metavar="VERB"))
    workers = commands.add_parser("worker", help="the workers of the running system")
    worker.add_commands(workers.add_subparsers(dest="verb", required=True, metavar="VERB"))
    serve = commands.add_parser("codec-server", help="serve POST /decode and /encode, guarded by CODEC_TOKEN")
    serve.set_defaults(run=lambda _options: codec_server.main())
    return parser


def order(options: argparse.Namespace) -> None:
    """Show an order and its timeline."""
    details, steps = _get(options, ""), _get(options, "/timeline")
    _print(options, {**details, "timeline": steps}, lambda: show.order(details, steps))


def history(options: argparse.Namespace) -> None:
    """Show the workflow history of an order, decrypted, or export all of it to a file."""
    if options.export is not None:
        export = _get(options, "/history/export")
        histories.write(options.export, export, options.sealed, options.keys)
        events = sum(len(instance["events"]) for instance in export["instances"])
        print(f"{options.export}: {len(export['instances'])} workflow instances, {events} events")
        return
    if options.sealed:
        raise CommandError("--sealed needs --export FILE")
    instances = _get(options, "/history")
    _print(options, instances, lambda: show.history(instances))


def replay(options: argparse.Namespace) -> int:
    """Replay exported histories with the workflow code of this checkout."""
    from services.oms import replay as replaying  # noqa: PLC0415 - the SDK loads for a second, which others do not need

    return replaying.replay(options)


def rotate(options: argparse.Namespace) -> None:
    """Create a new current key."""
    print(f"{key_file.rotate(options.file)} is the current key now; services with ENCRYPTION_KEY_ID=current write")
    print("with it within some seconds, without a restart. Keep the other keys: they decrypt older data.")


def list_keys(options: argparse.Namespace) -> None:
    """Show the ids of all keys and mark the current one."""
    entries = key_file.read(options.file)
    for key_id in sorted(entries.keys() - {CURRENT, NAMES}):
        print(f"{key_id}{'  current' if key_id == entries[CURRENT] else ''}")


def _get(options: argparse.Namespace, path: str) -> Any:
    key = os.environ.get("OMS_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        url = f"{options.url}/orders/{quote(options.order, safe='')}{path}"
        response = requests.get(url, headers=headers, timeout=_TIMEOUT)
        body = response.json()
    except requests.ConnectionError as error:
        raise CommandError(f"could not connect to {options.url}") from error
    except requests.RequestException as error:
        raise CommandError(f"no valid response from {options.url}: {error.__class__.__name__}") from error
    if not response.ok:
        raise CommandError(f"{response.status_code}: {body.get('detail') or body.get('title') or 'rejected'}")
    return body


def _print(options: argparse.Namespace, data: object, lines: show.Lines) -> None:
    if options.json:
        print(json.dumps(data, indent=2))
        return
    for line in lines():
        print(line)


if __name__ == "__main__":
    sys.exit(main())
