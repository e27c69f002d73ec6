"""Starts a service: configuration, logs, store, and for simple services the server."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from flask import Flask

from services.common import logs
from services.common.auth.access import Authenticator, create_authenticator, guard
from services.common.auth.api_key_secret import KeySecret
from services.common.auth.api_keys import ApiKeys, ApiKeysError, KeyFile
from services.common.config import ServiceConfig, exit_with_configuration_error, read_or_exit
from services.common.dapr.sidecar import Sidecar
from services.common.encryption import key_file
from services.common.encryption.encryptor import Encryptor
from services.common.encryption.key_file import CURRENT, DEFAULT_KEYS_FILE, KeysError
from services.common.encryption.keys import FileKeys, KeyProvider, SecretKeys, Secrets
from services.common.faults import injector, wiring
from services.common.faults.injector import FaultInjector
from services.common.server.http_server import serve
from services.common.storage.documents import DaprDocuments, Documents
from services.common.storage.encrypted_documents import EncryptedDocuments
from services.common.web.api import Api
from services.common.web.base_app import create_base_app

log = logs.get_logger(__name__)

C = TypeVar("C", bound=ServiceConfig)


@dataclass(frozen=True)
class ServiceContext:
    """The infrastructure of a service. `documents` may have injected faults; `encrypted_documents` never do."""

    sidecar: Sidecar
    encryptor: Encryptor
    encrypted_documents: EncryptedDocuments
    documents: Documents
    fault_injector: FaultInjector | None
    authenticator: Authenticator

    def ready(self) -> bool:
        """Return whether the sidecar is up, stored data can be decrypted, and the API keys are known."""
        return self.sidecar.healthy() and self.encrypted_documents.readable() and self.authenticator.keys_available()


def configure(kind: type[C], **defaults: object) -> C:
    """Read the configuration from the environment, set up the logs, and return the configuration.

    `defaults` are the service's ports. Ends the process with status 2 and an error for each wrong variable.
    """
    environ = dict(os.environ)
    if default := environ.get(DEFAULT_KEYS_FILE):
        environ |= key_file.settings(environ, Path(default))
    config = read_or_exit(kind, environ, **defaults)
    logs.set_up(config.log_level, config.log_format)
    return config


def prepare(config: ServiceConfig) -> ServiceContext:
    """Create the service context. Ends the process with status 2 if a key file is invalid."""
    sidecar = Sidecar(config)
    encryptor = create_encryptor(config, sidecar)
    encrypted_documents = EncryptedDocuments(DaprDocuments(sidecar, config.state_store), encryptor)
    fault_injector = injector.enable(config, encrypted_documents)
    authenticator = create_authenticator(config, make_api_keys(config, sidecar))
    return ServiceContext(
        sidecar,
        encryptor,
        encrypted_documents,
        wiring.with_faults(encrypted_documents, fault_injector),
        fault_injector,
        authenticator,
    )


def make_api_keys(config: ServiceConfig, sidecar: Secrets) -> ApiKeys | None:
    """Return the configured API keys, None where none are used. Ends the process like `prepare`."""
    if config.api_keys_secret_store:
        secret = KeySecret(sidecar, config.api_keys_secret_store, config.api_keys_secret)
        secret.start_refreshing()
        return secret
    try:
        return KeyFile(config.api_keys_file) if config.api_keys_file else None
    except ApiKeysError as error:
        exit_with_configuration_error(f"API_KEYS_FILE: {error}")


def create_encryptor(config: ServiceConfig, sidecar: Sidecar) -> Encryptor:
    """Return the configured encryptor. Ends the process with status 2 like `prepare`."""
    provider: KeyProvider | None = None
    if config.encryption_keys_file:
        _ensure_key_file(config, config.encryption_keys_file)
        provider = FileKeys(config.encryption_keys_file)
    elif config.encryption_secret_store:
        provider = SecretKeys(sidecar, config.encryption_secret_store, config.encryption_secret)
    encryptor = Encryptor(provider, config.encryption_key_id, config.accept_unencrypted)
    if config.encryption_keys_file:
        try:
            encryptor.prepare()
        except KeysError as error:
            exit_with_configuration_error(str(error))
    return encryptor


def _ensure_key_file(config: ServiceConfig, path: Path) -> None:
    """Create the default key file at the first start; of several services that start at once, one creates it."""
    if not config.encryption_default_keys_file or config.encryption_key_id != CURRENT:
        return
    try:
        if key_file.ensure(path):
            log.warning("created an encryption key; without it the data cannot be read", extra={"file": path})
    except OSError as error:
        exit_with_configuration_error(f"the key file {path} cannot be created: {error.strerror}")


def create_service_app(api: Api, ready: Callable[[], bool], authenticator: Authenticator, *handlers: object) -> Flask:
    """Return an application with the routes of the handlers, each guarded by its access rule."""
    app = create_base_app(api.name, ready)
    guard(app, api.rules, authenticator)
    api.register(app, *handlers)
    return app


def run_service(kind: type[C], create_app: Callable[..., Flask], **defaults: object) -> None:
    """Run a service, configured by the environment, until it is stopped.

    `create_app` takes the configuration, the documents, `ready` and `authenticator`; `defaults` are as in `configure`.
    """
    config = configure(kind, **defaults)
    context = prepare(config)
    app = create_app(config, context.documents, ready=context.ready, authenticator=context.authenticator)
    wiring.register(app, context.fault_injector)
    serve(app, config)
