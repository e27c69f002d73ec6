"""`oms access`: creates, lists and removes API keys."""

import argparse
import os
import sys
from pathlib import Path

from services.common.auth.api_keys import ApiKeysError, add_key, read_keys, remove_key
from services.common.identity import Role

_FILE = "API_KEYS_FILE"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands `add`, `list` and `remove`; each sets `run`, which takes the options."""
    add = commands.add_parser("add", help="create a key and show it once")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--name", required=True, help="the owner of the key; for a customer, the customer id")
    add.set_defaults(run=_add)
    listing = commands.add_parser("list", help="list the keys without their secrets")
    listing.set_defaults(run=_list)
    remove = commands.add_parser("remove", help="remove a key, immediately and without a restart")
    remove.add_argument("id", help="the key's id, as in the list")
    remove.set_defaults(run=_remove)
    for command in (add, listing, remove):
        command.add_argument("--file", type=Path, default=os.environ.get(_FILE), help=f"instead of ${_FILE}")


def _add(options: argparse.Namespace) -> None:
    key, stored = add_key(_path(options), options.name, Role(options.role))
    sys.stderr.write(f"Key {stored.id} of {stored.name}, {stored.role}. It is shown only once:\n")
    sys.stdout.write(f"{key}\n")


def _list(options: argparse.Namespace) -> None:
    for key in read_keys(_path(options)):
        sys.stdout.write(f"{key.id}  {key.role:<9} {key.name}  since {key.created_at}\n")


def _remove(options: argparse.Namespace) -> None:
    removed = remove_key(_path(options), options.id)
    sys.stderr.write(f"Key {removed.id} of {removed.name}, {removed.role}, is removed.\n")


def _path(options: argparse.Namespace) -> Path:
    if options.file is None:
        raise ApiKeysError(f"set the key file with --file or {_FILE}")
    return Path(options.file)
