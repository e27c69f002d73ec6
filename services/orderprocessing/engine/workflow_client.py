"""The SDK's client of the workflow engine: its connection, calls and errors."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import grpc
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowHistoryEvent, WorkflowState
from dapr.ext.workflow.logger import LoggerOptions

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TransientError
from services.orderprocessing.domain.ids import WAKE_UP
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.dispatcher import EngineUnavailableError
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.stuck_detection import ACTIVE
from services.orderprocessing.engine.trace_interceptor import TracedCalls

R = TypeVar("R")

_INNER_CLIENT = "_DaprWorkflowClient__obj"

_NO_ANSWER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class WorkflowSidecar(Protocol):
    """The part of the sidecar that the engine's client needs."""

    def healthy(self) -> bool:
        """Return whether the sidecar is up."""

    def metadata(self) -> dict[str, Any]:
        """Return the sidecar's metadata. Raises TransientError."""

    def scheduler_available(self) -> bool:
        """Return whether the sidecar can reach the scheduler, which every workflow depends on."""

    def shut_down(self) -> None:
        """Shut the sidecar down. Raises TransientError."""


def configure_sdk(config: ServiceConfig, grpc_port: int) -> None:
    """Configure the Dapr SDK: the sidecar's ports and token, and a deadline for each call."""
    token = config.dapr_api_token
    vars(settings).update(
        DAPR_API_TIMEOUT_SECONDS=config.call_timeout,
        DAPR_HTTP_PORT=config.dapr_http_port,
        DAPR_GRPC_PORT=grpc_port,
        DAPR_API_TOKEN=token.get_secret_value() if token else None,
    )


class Client:
    """The SDK's client, created on first use. Its errors are raised as EngineUnavailableError or TransientError."""

    def __init__(self, sidecar: WorkflowSidecar, codec: Codec | None = None) -> None:
        self._sidecar, self._codec = sidecar, codec
        self._sdk: DaprWorkflowClient | None = None
        self._guard = threading.Lock()

    def connected(self) -> DaprWorkflowClient:
        """Return the SDK's client. Raises EngineUnavailableError while the sidecar is not up."""
        with self._guard:
            if self._sdk is None:
                if not self._sidecar.healthy():
                    raise EngineUnavailableError("the sidecar is not up yet")
                sdk = DaprWorkflowClient(logger_options=sdk_logging())
                # The last interceptor is the nearest to the wire.
                _join(sdk, *([self._codec] if self._codec else []), TracedCalls())
                self._sdk = sdk
            return self._sdk

    def start(self, workflow: str, instance: str, payload: JsonObject | None) -> None:
        """Start a workflow instance, unless it is running."""
        self._call(
            "starting a workflow",
            lambda sdk: sdk.schedule_new_workflow(workflow, input=payload, instance_id=instance),
            ignore=lambda error: _code(error) == grpc.StatusCode.ALREADY_EXISTS,
        )

    def is_running(self, instance: str) -> bool:
        """Return whether an instance exists and has not ended."""
        state = self.state(instance)
        return state is not None and state.runtime_status in ACTIVE

    def state(self, instance: str) -> WorkflowState | None:
        """Return the state of an instance without its payloads, None when it does not exist."""
        return self._call(
            "reading the state of a workflow",
            lambda sdk: sdk.get_workflow_state(instance, fetch_payloads=False),
            ignore=_is_gone,
        )

    def history(self, instance: str) -> list[WorkflowHistoryEvent]:
        """Return the history of an instance, empty when it does not exist."""
        return (
            self._call("reading a history", lambda sdk: list(sdk.get_workflow_history(instance)), ignore=_is_gone) or []
        )

    def full_history(self, instance: str) -> list[Any] | None:
        """Return the history of an instance as the engine sends it, with payloads; None when it does not exist.

        The SDK's own history events omit the payloads, so this uses the SDK's inner client. A test checks that the
        installed SDK has it.
        """
        return self._call(
            "reading a history",
            lambda sdk: list(getattr(sdk, _INNER_CLIENT).get_instance_history(instance)),
            ignore=_is_gone,
        )

    def terminate(self, instance: str) -> None:
        """Terminate an instance and its children; one that does not exist is no error."""
        self._call(
            "terminating a workflow", lambda sdk: sdk.terminate_workflow(instance, recursive=True), ignore=_is_gone
        )

    def signal(self, instance: str) -> None:
        """Send the wake-up signal to a workflow instance; one that has ended ignores it."""
        self._call(
            "signalling a workflow",
            lambda sdk: sdk.raise_workflow_event(instance, WAKE_UP),
            ignore=lambda error: _is_gone(error) or "no such instance" in str(error),
        )

    def _call(
        self, action: str, method: Callable[[DaprWorkflowClient], R], ignore: Callable[[grpc.RpcError], bool]
    ) -> R | None:
        """Return the engine's answer, None for an error to `ignore`; raise any other error as TransientError."""
        sdk = self.connected()
        try:
            return method(sdk)
        except grpc.RpcError as error:
            if ignore(error):
                return None
            code = _code(error)
            if code == grpc.StatusCode.UNAVAILABLE:
                self._forget(sdk)
            raise (EngineUnavailableError if code in _NO_ANSWER else TransientError)(
                f"{action} failed: {code}"
            ) from error

    def _forget(self, sdk: DaprWorkflowClient) -> None:
        # The SDK's own pauses before it reconnects grow to two minutes.
        with self._guard:
            if self._sdk is sdk:
                self._sdk = None


def _join(sdk: DaprWorkflowClient, *interceptors: grpc.UnaryUnaryClientInterceptor) -> None:
    """Add interceptors to the SDK's client, which has no option for them. A test checks the installed SDK."""
    inner = getattr(sdk, _INNER_CLIENT)
    stub, channel = inner._stub, inner._channel  # noqa: SLF001
    inner._stub = type(stub)(grpc.intercept_channel(channel, *interceptors))  # noqa: SLF001


def connected_workers(sidecar: WorkflowSidecar) -> int:
    """Return how many workers are connected, as reported by the sidecar. Raises TransientError."""
    return int(sidecar.metadata().get("workflows", {}).get("connectedWorkers", 0))


def sdk_logging() -> LoggerOptions:
    """Return log options for the SDK: it logs through the root logger only, without a handler of its own."""
    return LoggerOptions(log_level="WARNING", log_handler=logging.NullHandler())


def _is_gone(error: grpc.RpcError) -> bool:
    return bool(_code(error) == grpc.StatusCode.NOT_FOUND)


def _code(error: grpc.RpcError) -> Any:
    return error.code() if hasattr(error, "code") else None
