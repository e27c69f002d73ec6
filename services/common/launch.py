"""Starts a service whose application needs nothing but its configuration and its documents."""

import os
from collections.abc import Callable
from typing import TypeVar

from flask import Flask

from services.common.config import ServiceConfig, read_or_exit
from services.common.documents import DaprDocuments
from services.common.sidecar import Sidecar
from services.common.web import serve

C = TypeVar("C", bound=ServiceConfig)


def run_service(kind: type[C], create_app: Callable[..., Flask], **defaults: object) -> None:
    """Run a service, configured by the environment, until it is told to stop.

    `create_app` takes the configuration, the documents and `ready`; `defaults` are the service's ports. Ends the
    process with status 2 and a sentence for each wrong variable.
    """
    config = read_or_exit(kind, os.environ, **defaults)
    sidecar = Sidecar(config)
    serve(create_app(config, DaprDocuments(sidecar, config.state_store), ready=sidecar.healthy), config)
