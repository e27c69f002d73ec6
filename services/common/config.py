"""Configuration of a service: environment variables, read once and validated at start."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from services.common.hosts import is_loopback
from services.common.json_models import reason
from services.common.money import minor_units


def _seconds(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _money(value: Any) -> Any:
    try:
        return minor_units(Decimal(value)) if isinstance(value, str) else value
    except ArithmeticError as error:
        raise ValueError("not an amount of money") from error


def _names(value: Any) -> Any:
    return [name.strip().lower() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=10 * 366 * 24 * 3600, allow_inf_nan=False)]
"""A duration in seconds, up to ten years."""

Money = Annotated[int, BeforeValidator(_money), Field(ge=0)]
"""An amount: major units ("1000.00") in the environment, minor units (100000) in the program."""


class ServiceConfig(BaseModel):
    """The settings of every service; each field is the environment variable of the same name in capitals.

    `trusted_hosts` are the host names, without a port, under which browsers may call the service.
    """

    model_config = ConfigDict(frozen=True)

    app_port: int = Field(ge=1, le=65535)
    app_host: str = "127.0.0.1"
    trusted_hosts: Annotated[frozenset[str], BeforeValidator(_names), Field(min_length=1)] = frozenset(
        {"localhost", "127.0.0.1", "[::1]"}
    )
    dapr_http_port: int = Field(default=3500, ge=1, le=65535)
    call_timeout: Seconds = 5.0
    state_store: str = "statestore"
    server_threads: int = Field(default=16, ge=1, le=512)
    rate_limit: int = Field(default=1000, ge=1, le=1_000_000)
    request_limit: int = Field(default=64, ge=1, le=10_000)
    connection_limit: int = Field(default=500, ge=10, le=10_000)
    request_timeout: Seconds = 20.0
    answer_timeout: Seconds = 60.0
    idle_timeout: Seconds = 120.0
    probe_fd: int | None = Field(default=None, ge=3)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    chaos_enabled: bool = False
    app_api_token: SecretStr | None = None
    dapr_api_token: SecretStr | None = None
    api_keys_file: Path | None = None
    api_keys_secret_store: str | None = None
    api_keys_secret: str = "oms-api-keys"  # noqa: S105 - the name of the secret, not the secret
    encryption_key_id: str | None = None
    encryption_keys_file: Path | None = None
    encryption_default_keys_file: Path | None = None
    encryption_secret_store: str | None = None
    encryption_secret: str = "oms-keys"  # noqa: S105 - the name of the secret, not the secret
    accept_unencrypted: bool = True

    @model_validator(mode="after")
    def _access_is_protected(self) -> Self:
        if bool(self.app_api_token) != bool(self.dapr_api_token):
            raise ValueError("APP_API_TOKEN and DAPR_API_TOKEN must be set together: either one alone can be bypassed")
        source = _only_source(API_KEYS_FILE=self.api_keys_file, API_KEYS_SECRET_STORE=self.api_keys_secret_store)
        if source and not self.app_api_token:
            raise ValueError(
                f"{source} needs APP_API_TOKEN and DAPR_API_TOKEN, or callers could bypass it through the sidecars"
            )
        if not source and not is_loopback(self.app_host):
            raise ValueError(
                f"APP_HOST is {self.app_host}, which other machines can reach: that needs API_KEYS_FILE or "
                "API_KEYS_SECRET_STORE (`oms access add` creates API keys)"
            )
        return self

    @model_validator(mode="after")
    def _encryption_has_keys(self) -> Self:
        source = _only_source(
            ENCRYPTION_KEYS_FILE=self.encryption_keys_file, ENCRYPTION_SECRET_STORE=self.encryption_secret_store
        )
        if self.encryption_key_id and not source:
            raise ValueError("ENCRYPTION_KEY_ID needs ENCRYPTION_KEYS_FILE or ENCRYPTION_SECRET_STORE")
        return self


C = TypeVar("C", bound=ServiceConfig)


class ConfigurationError(Exception):
    """The environment holds a value that the service cannot run with."""


def read(kind: type[C], environ: Mapping[str, str], **defaults: object) -> C:
    """Build the configuration `kind` from the environment.

    `defaults` are the service's own defaults, such as its port. Raises ConfigurationError with one line
    for each wrong variable.
    """
    values = dict(defaults)
    values.update({name: environ[name.upper()] for name in kind.model_fields if environ.get(name.upper())})
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from error


def read_or_exit(kind: type[C], environ: Mapping[str, str], **defaults: object) -> C:
    """Build the configuration, or end the process with status 2 and an error for each wrong variable."""
    try:
        return read(kind, environ, **defaults)
    except ConfigurationError as error:
        exit_with_configuration_error(str(error))


def exit_with_configuration_error(message: str) -> NoReturn:
    """End the process with status 2 and a message about its configuration."""
    sys.stderr.write(f"configuration: {message}\n")
    sys.exit(2)


def _explain(error: ValidationError) -> str:
    return "; ".join(_sentence(item) for item in error.errors())


def _sentence(item: ErrorDetails) -> str:
    name = ".".join(map(str, item["loc"])).upper()
    if not name:
        return reason(item)
    if item["type"] == "missing":
        return f"{name} is not set"
    value = "invalid" if name.endswith("TOKEN") else repr(item["input"])
    return f"{name} is {value}: {item['msg']}"


def _only_source(**sources: Path | str | None) -> str | None:
    """Return the name of the source that is set, or None. Raises ValueError if several are set."""
    names = [name for name, value in sources.items() if value]
    if len(names) > 1:
        raise ValueError(f"{' and '.join(names)} exclude each other")
    return names[0] if names else None
