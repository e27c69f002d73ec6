"""The workflow engine, as whoever starts, rings and looks at workflows uses it."""

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
from services.orderprocessing.domain.ids import WAKE_UP, order_workflow_id
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.dispatcher import Dispatcher, EngineUnavailableError, Kind, Message
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.stuck_detection import UNDER_WAY, ResultTimeout, is_stuck
from services.orderprocessing.engine.trace_interceptor import TracedCalls
from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.workflows.policies import Timeouts

log = get_logger(__name__)

R = TypeVar("R")

_INNER_CLIENT = "_DaprWorkflowClient__obj"

_LOOK_TIMEOUT = 1.0
_HISTORY_TIMEOUT = 3.0
_NO_ANSWER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class Host(Protocol):
    """The part of the sidecar that is needed here."""

    def healthy(self) -> bool:
        """Tell whether the sidecar is up."""

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself. Raises TransientError."""

    def scheduler_available(self) -> bool:
        """Tell whether the scheduler, which wakes every workflow, answers the sidecar."""

    def shut_down(self) -> None:
        """Ask the sidecar to end. Raises TransientError."""


class Engine:
    """Dapr Workflow as this service uses it. Threads may share it.

    What the engine does not hear at once it is told again and again. A request does not wait for that: what it has
    decided is kept already.
    """

    def __init__(self, sidecar: Host, timeouts: Timeouts, codec: Codec | None = None) -> None:
        self._sidecar, self._timeouts = sidecar, timeouts
        self._client = Client(sidecar, codec)
        self._result_timeout = ResultTimeout(timeouts.longest_try)
        self._lookers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="look")
        self._messenger = Dispatcher(self._deliver)

    def start_later(self, order_id: str) -> None:
        """Have the order's workflow started; one that runs already goes on."""
        self._messenger.post([Message(Kind.START, order_id)])

    def signal_later(self, instances: Sequence[str]) -> None:
        """Have the signal of workflow instances rung; one that has ended hears nothing."""
        self._messenger.post([Message(Kind.SIGNAL, instance) for instance in instances])

    def start(self, order_id: str) -> None:
        """Start the order's workflow; one that runs already goes on. Raises TransientError when it is done later."""
        self._messenger.send([Message(Kind.START, order_id)])

    def signal(self, instances: Sequence[str]) -> None:
        """Ring the signal of workflow instances; one that has ended hears nothing.

        Raises TransientError when some are rung later.
        """
        self._messenger.send([Message(Kind.SIGNAL, instance) for instance in instances])

    def is_running(self, order_id: str) -> bool:
        """Tell whether an order's workflow is there and has not ended. Raises TransientError."""
        return self._client.is_running(order_workflow_id(order_id))

    def is_stuck(self, instance: str, children: Sequence[str] = ()) -> bool:
        """Tell whether a workflow instance waits for what will never come: its start, a result, the end of a child.

        `children` are all that it may have. Raises TransientError.
        """
        return is_stuck(self._client, instance, children, self._result_timeout, utc_now())

    def end(self, order_id: str) -> None:
        """End an order's workflow with its children, wherever they are. Raises TransientError."""
        self._client.terminate(order_workflow_id(order_id))

    def look(self, order_id: str) -> JsonObject | None:
        """Return what the engine says of an order's workflow, or None when it does not say so within a second."""
        asked: Future[WorkflowState | None] = self._lookers.submit(
            lambda: self._client.connected().get_workflow_state(order_workflow_id(order_id), fetch_payloads=False)
        )
        try:
            state = asked.result(timeout=_LOOK_TIMEOUT)
        except (FutureTimeoutError, TransientError, grpc.RpcError) as error:
            log.info("the engine does not say how a workflow is", extra={"cause": str(error) or "no answer in time"})
            asked.cancel()
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
        """Return what happened in those of the workflow instances that exist. Raises TransientError."""
        # The context holds the trace, which goes along with every call.
        calls = [self._lookers.submit(copy_context().run, self._full_history, one) for one in instances]
        late = wait(calls, timeout=_HISTORY_TIMEOUT).not_done
        for call in late:
            call.cancel()
        if late:
            raise EngineUnavailableError("the engine does not tell a history in time")
        found = [(instance, call.result()) for instance, call in zip(instances, calls, strict=True)]
        return [instance_view(instance, events) for instance, events in found if events is not None]

    def _full_history(self, instance: str) -> list[Any] | None:
        try:
            return self._client.full_history(instance)
        except TransientError:
            # The engine may fail to read a history just while it writes it.
            return self._client.full_history(instance)

    def workers(self) -> int:
        """Return how many workers are connected to this sidecar; 0 when the sidecar does not answer."""
        try:
            return connected_workers(self._sidecar)
        except TransientError:
            return 0

    def ready(self) -> bool:
        """Tell whether the sidecar is up and a worker is connected to it."""
        return self._sidecar.healthy() and self.workers() > 0

    def stop(self) -> None:
        """Repeat nothing any more; the reconciler of the next process does."""
        self._messenger.stop()

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
    """Tell the Dapr SDK where the sidecar is, its token, and the deadline of each call, without which one may hang."""
    token = config.dapr_api_token
    vars(settings).update(
        DAPR_API_TIMEOUT_SECONDS=config.call_timeout,
        DAPR_HTTP_PORT=config.dapr_http_port,
        DAPR_GRPC_PORT=grpc_port,
        DAPR_API_TOKEN=token.get_secret_value() if token else None,
    )


class Client:
    """The SDK's client, made when first used, with its errors as ours: EngineUnavailableError or TransientError."""

    def __init__(self, sidecar: Host, codec: Codec | None = None) -> None:
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
                # The last one is the nearest to the wire.
                _join(sdk, *([self._codec] if self._codec else []), TracedCalls())
                self._sdk = sdk
            return self._sdk

    def start(self, workflow: str, instance: str, payload: JsonObject | None) -> None:
        """Start a workflow instance; one that runs already goes on."""
        self._ask(
            "starting a workflow",
            lambda sdk: sdk.schedule_new_workflow(workflow, input=payload, instance_id=instance),
            fine=lambda error: _code(error) == grpc.StatusCode.ALREADY_EXISTS,
        )

    def is_running(self, instance: str) -> bool:
        """Tell whether an instance is there and has not ended."""
        state = self.state(instance)
        return state is not None and state.runtime_status in UNDER_WAY

    def state(self, instance: str) -> WorkflowState | None:
        """Return the state of an instance without its payloads, None when it is not there."""
        return self._ask(
            "looking at a workflow", lambda sdk: sdk.get_workflow_state(instance, fetch_payloads=False), fine=_is_gone
        )

    def history(self, instance: str) -> list[WorkflowHistoryEvent]:
        """Return the history of an instance, empty when it is not there."""
        return self._ask("reading a history", lambda sdk: list(sdk.get_workflow_history(instance)), fine=_is_gone) or []

    def full_history(self, instance: str) -> list[Any] | None:
        """Return the history of an instance as the engine sent it, with payloads; None when there is no such instance.

        The SDK's own history events leave the payloads out, so this asks the client below, which has the connection and
        its deadline. A test holds the installed SDK to it.
        """
        return self._ask(
            "reading a history",
            lambda sdk: list(getattr(sdk, _INNER_CLIENT).get_instance_history(instance)),
            fine=_is_gone,
        )

    def terminate(self, instance: str) -> None:
        """End an instance with its children; one that is not there is no error."""
        self._ask("ending a workflow", lambda sdk: sdk.terminate_workflow(instance, recursive=True), fine=_is_gone)

    def signal(self, instance: str) -> None:
        """Ring the signal of a workflow instance; one that has ended hears nothing."""
        self._ask(
            "ringing",
            lambda sdk: sdk.raise_workflow_event(instance, WAKE_UP),
            fine=lambda error: _is_gone(error) or "no such instance" in str(error),
        )

    def _ask(
        self, action: str, ask: Callable[[DaprWorkflowClient], R], fine: Callable[[grpc.RpcError], bool]
    ) -> R | None:
        """Return what the engine answers, None for an error that is `fine`; raise any other as ours."""
        sdk = self.connected()
        try:
            return ask(sdk)
        except grpc.RpcError as error:
            if fine(error):
                return None
            code = _code(error)
            if code == grpc.StatusCode.UNAVAILABLE:
                self._forget(sdk)
            raise (EngineUnavailableError if code in _NO_ANSWER else TransientError)(
                f"{action} failed: {code}"
            ) from error

    def _forget(self, sdk: DaprWorkflowClient) -> None:
        # Of its own accord it waits longer and longer, up to two minutes, before it connects again.
        with self._guard:
            if self._sdk is sdk:
                self._sdk = None


def _join(sdk: DaprWorkflowClient, *interceptors: grpc.UnaryUnaryClientInterceptor) -> None:
    """Put interceptors into the SDK's client, which takes none; a test holds the installed SDK to it."""
    inner = getattr(sdk, _INNER_CLIENT)
    stub, channel = inner._stub, inner._channel  # noqa: SLF001
    inner._stub = type(stub)(grpc.intercept_channel(channel, *interceptors))  # noqa: SLF001


def connected_workers(sidecar: Host) -> int:
    """Return how many workers the sidecar says it has. Raises TransientError."""
    return int(sidecar.metadata().get("workflows", {}).get("connectedWorkers", 0))


def sdk_logging() -> LoggerOptions:
    """Return logging for the SDK: through our root logger, and not a second time through a handler of its own."""
    return LoggerOptions(log_level="WARNING", log_handler=logging.NullHandler())


def _is_gone(error: grpc.RpcError) -> bool:
    return bool(_code(error) == grpc.StatusCode.NOT_FOUND)


def _code(error: grpc.RpcError) -> Any:
    return error.code() if hasattr(error, "code") else None
