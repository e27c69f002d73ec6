"""The client of the workflow engine: starts, signals, inspects and terminates workflows."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from datetime import UTC
from typing import Any, Protocol, TypeVar

import grpc
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowHistoryEvent, WorkflowState
from dapr.ext.workflow.logger import LoggerOptions

from services.common.clock import rfc3339, utc_now
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.orderprocessing.adapters.history_archive import HistoryArchive
from services.orderprocessing.domain.ids import WAKE_UP, order_workflow_id
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.dispatcher import Dispatcher, EngineUnavailableError, Kind, Message
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.stuck_detection import ACTIVE, ResultTimeout, is_stuck
from services.orderprocessing.engine.trace_interceptor import TracedCalls
from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.workflows.policies import Timeouts

log = get_logger(__name__)

R = TypeVar("R")

_INNER_CLIENT = "_DaprWorkflowClient__obj"

_STATE_TIMEOUT = 1.0
_HISTORY_TIMEOUT = 3.0
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


class Engine:
    """Dapr Workflow as this service uses it. Threads may share it.

    Starts and signals that fail are repeated in the background. A request need not wait for them: its decision is
    already stored in the order's record.
    """

    def __init__(
        self,
        sidecar: WorkflowSidecar,
        timeouts: Timeouts,
        codec: Codec | None = None,
        workers_elsewhere: Callable[[], int] = lambda: 0,
        archive: HistoryArchive | None = None,
    ) -> None:
        """`workers_elsewhere` returns how many workers live at the sidecars of other replicas."""
        self._sidecar, self._timeouts, self._workers_elsewhere = sidecar, timeouts, workers_elsewhere
        self._archive = archive
        self._client = Client(sidecar, codec)
        self._result_timeout = ResultTimeout(timeouts.longest_try)
        self._readers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine-read")
        self._dispatcher = Dispatcher(self._deliver)

    def start_later(self, order_id: str) -> None:
        """Start the order's workflow in the background, unless it is running."""
        self._dispatcher.post([Message(Kind.START, order_id)])

    def signal_later(self, instances: Sequence[str]) -> None:
        """Signal workflow instances in the background; instances that have ended ignore it."""
        self._dispatcher.post([Message(Kind.SIGNAL, instance) for instance in instances])

    def start(self, order_id: str) -> None:
        """Start the order's workflow, unless it is running. Raises TransientError when the start will be repeated."""
        self._dispatcher.send([Message(Kind.START, order_id)])

    def signal(self, instances: Sequence[str]) -> None:
        """Signal workflow instances; instances that have ended ignore it.

        Raises TransientError when some signals will be repeated.
        """
        self._dispatcher.send([Message(Kind.SIGNAL, instance) for instance in instances])

    def is_running(self, order_id: str) -> bool:
        """Return whether an order's workflow exists and has not ended. Raises TransientError."""
        return self._client.is_running(order_workflow_id(order_id))

    def is_stuck(self, instance: str, children: Sequence[str] = ()) -> bool:
        """Return whether an instance, which may have these children, is stuck. Raises TransientError."""
        return is_stuck(self._client, instance, children, self._result_timeout, utc_now())

    def terminate(self, order_id: str) -> None:
        """Terminate an order's workflow and its children. Raises TransientError."""
        self._client.terminate(order_workflow_id(order_id))

    def workflow_state(self, order_id: str) -> JsonObject | None:
        """Return the state of an order's workflow, None when the engine does not answer within a second."""
        call: Future[WorkflowState | None] = self._readers.submit(self._client.state, order_workflow_id(order_id))
        try:
            state = call.result(timeout=_STATE_TIMEOUT)
        except (FutureTimeoutError, TransientError) as error:
            log.info("could not read the state of a workflow", extra={"cause": str(error) or "timeout"})
            call.cancel()
            return None
        if state is None:
            return None
        return {
            "instanceId": state.instance_id,
            "status": state.runtime_status.name,
            "createdAt": rfc3339(state.created_at.replace(tzinfo=UTC)),
            "updatedAt": rfc3339(state.last_updated_at.replace(tzinfo=UTC)),
            "failure": state.failure_details.error_type if state.failure_details else None,
        }

    def history(self, instances: Sequence[str]) -> list[JsonObject]:
        """Return the histories of those workflow instances that exist. Raises TransientError."""
        return [instance_view(instance, events) for instance, events in self.events(instances)]

    def events(self, instances: Sequence[str]) -> list[tuple[str, list[Any]]]:
        """Return the events of those workflow instances that exist or are archived, as the engine sends them.

        Raises TransientError.
        """
        # The context carries the trace.
        calls = [self._readers.submit(copy_context().run, self._full_history, instance) for instance in instances]
        late = wait(calls, timeout=_HISTORY_TIMEOUT).not_done
        for call in late:
            call.cancel()
        if late:
            raise EngineUnavailableError("the engine did not return a history in time")
        histories = [(instance, call.result()) for instance, call in zip(instances, calls, strict=True)]
        known = [(instance, events) for instance, events in histories if events is not None]
        return self._archive.complete(instances, known) if self._archive else known

    def _full_history(self, instance: str) -> list[Any] | None:
        try:
            return self._client.full_history(instance)
        except TransientError:
            # The engine may fail to read a history while it writes it.
            return self._client.full_history(instance)

    def workers(self) -> int:
        """Return how many workers live, at this sidecar and at those of other replicas; 0 without a sidecar."""
        try:
            return connected_workers(self._sidecar) + self._workers_elsewhere()
        except TransientError:
            return 0

    def stop(self) -> None:
        """Stop repeating starts and signals; the reconciler of the next process repeats them."""
        self._dispatcher.stop()

    def _deliver(self, message: Message) -> None:
        if message.kind == Kind.SIGNAL:
            self._client.signal(message.target)
            return
        run = OrderRun(
            order_id=message.target,
            charge_timeout=self._timeouts.charge,
            booking_timeout=self._timeouts.booking,
            longest_try=self._timeouts.longest_try,
        )
        self._client.start(ORDER_WORKFLOW, order_workflow_id(message.target), run.to_json())


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
