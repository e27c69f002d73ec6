"""Starts a service: its configuration, its logs, and where it needs nothing else, its documents and its server."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from flask import Flask

from services.common import chaos, chaos_calls, logs
from services.common.access import door_of
from services.common.config import ServiceConfig, read_or_exit
from services.common.documents import DaprDocuments
from services.common.keys import KeysError
from services.common.server import serve
from services.common.sidecar import Sidecar

C = TypeVar("C", bound=ServiceConfig)


def configure(kind: type[C], **defaults: object) -> C:
    """Return the configuration that the environment gives, and set up the logs by it.

    `defaults` are the service's ports. Ends the process with status 2 and a sentence for each wrong variable.
    """
    config = read_or_exit(kind, os.environ, **defaults)
    logs.set_up(config.log_level, config.log_format)
    try:
        door_of(config)
    except KeysError as error:
        refuse(f"API_KEYS_FILE: {error}")
    return config


def refuse(sentence: str) -> NoReturn:
    """End the process, which cannot run with its configuration, with status 2 and a sentence about it."""
    sys.stderr.write(f"configuration: {sentence}\n")
    sys.exit(2)


def run_service(kind: type[C], create_app: Callable[..., Flask], **defaults: object) -> None:
    """Run a service, configured by the environment, until it is told to stop.

    `create_app` takes the configuration, the documents and `ready`; `defaults` as in `configure`.
    """
    config = configure(kind, **defaults)
    sidecar = Sidecar(config)
    documents = DaprDocuments(sidecar, config.state_store)
    unrest = chaos.enable(config, documents)
    app = create_app(config, chaos_calls.shaky(documents, unrest), ready=sidecar.healthy)
    chaos_calls.register(app, unrest)
    serve(app, config)
