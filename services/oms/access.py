"""`oms access`: makes, lists and takes away API keys."""

import argparse
import os
import sys
from pathlib import Path

from services.common.auth.api_keys import ApiKeysError, add_key, read_keys, remove_key
from services.common.identity import Role

_FILE = "API_KEYS_FILE"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Give a command line the commands `add`, `list` and `remove`; each sets `run`, which takes the options."""
    add = commands.add_parser("add", help="make a key and show it, once")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--name", required=True, help="whose key it is; for a customer his customer id")
    add.set_defaults(run=_add)
    listing = commands.add_parser("list", help="list the keys, which are not shown")
    listing.set_defaults(run=_list)
    remove = commands.add_parser("remove", help="take a key away, at once and without a restart")
    remove.add_argument("id", help="the key's id, as in the list")
    remove.set_defaults(run=_remove)
    for command in (add, listing, remove):
        command.add_argument("--file", type=Path, default=os.environ.get(_FILE), help=f"instead of ${_FILE}")


def _add(options: argparse.Namespace) -> None:
    key, kept = add_key(_path(options), options.name, Role(options.role))
    sys.stderr.write(f"Key {kept.id} of {kept.name}, {kept.role}. It is shown this once:\n")
    sys.stdout.write(f"{key}\n")


def _list(options: argparse.Namespace) -> None:
    for one in read_keys(_path(options)):
        sys.stdout.write(f"{one.id}  {one.role:<9} {one.name}  since {one.created_at}\n")


def _remove(options: argparse.Namespace) -> None:
    gone = remove_key(_path(options), options.id)
    sys.stderr.write(f"Key {gone.id} of {gone.name}, {gone.role}, is taken away.\n")


def _path(options: argparse.Namespace) -> Path:
    if options.file is None:
        raise ApiKeysError(f"say which file: by --file or {_FILE}")
    return Path(options.file)
