"""The workflow engine: the worker that runs workflows and activities, and the client that starts and rings them."""

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC
from typing import Any, Protocol

import grpc
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime, WorkflowState
from dapr.ext.workflow.logger import LoggerOptions

from services.common.clock import rfc3339
from services.common.logs import get_logger
from services.common.sidecar import TransientError
from services.orderprocessing.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.ids import BELL, order_workflow_id
from services.orderprocessing.messenger import Kind, Message, Messenger, SilentError
from services.orderprocessing.models import JsonObject
from services.orderprocessing.pulse import PULSE_WORKFLOW, Pulse, replica_name

log = get_logger(__name__)

_LOOK_TIMEOUT = 1.0
_CHECK = 1.0
_AT_ONCE = 0.01
_PATIENCE = 2.0
_MOST_PATIENCE = 30.0
_NO_ANSWER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class Host(Protocol):
    """The part of the sidecar that is needed here."""

    def healthy(self) -> bool:
        """Tell whether the sidecar is up."""

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself. Raises TransientError."""


class Engine:
    """Dapr Workflow as this service uses it. Threads may share it.

    A request waits for it for a second at most: what the engine does not hear by then it is told again and again.
    """

    def __init__(self, sidecar: Host, charge_timeout: float, booking_timeout: float) -> None:
        self._sidecar = sidecar
        self._charge_timeout, self._booking_timeout = charge_timeout, booking_timeout
        self._client = Client(sidecar)
        self._lookers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="look")
        self._messenger = Messenger(self._deliver)

    def start(self, order_id: str) -> None:
        """Start the order's workflow; one that runs already goes on. Raises TransientError when it is done later."""
        self._messenger.send([Message(Kind.START, order_id)])

    def ring(self, instances: Sequence[str]) -> None:
        """Ring the bell of workflow instances; one that has ended hears nothing.

        Raises TransientError when some are rung later.
        """
        self._messenger.send([Message(Kind.RING, instance) for instance in instances])

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

    def workers(self) -> int:
        """Return how many workers are connected to this sidecar; 0 when the sidecar does not answer."""
        try:
            return int(self._sidecar.metadata().get("workflows", {}).get("connectedWorkers", 0))
        except TransientError:
            return 0

    def ready(self) -> bool:
        """Tell whether the sidecar is up and a worker is connected to it."""
        return self._sidecar.healthy() and self.workers() > 0

    def stop(self) -> None:
        """Repeat nothing any more; the reconciler of the next process does."""
        self._messenger.stop()

    def _deliver(self, message: Message) -> None:
        if message.kind == Kind.RING:
            self._client.ring(message.target)
            return
        run = OrderRun(
            order_id=message.target, charge_timeout=self._charge_timeout, booking_timeout=self._booking_timeout
        )
        self._client.start(ORDER_WORKFLOW, order_workflow_id(message.target), run.wire())


class Client:
    """The SDK's client, made when first used, with its errors as ours: SilentError or TransientError."""

    def __init__(self, sidecar: Host) -> None:
        self._sidecar = sidecar
        self._sdk: DaprWorkflowClient | None = None
        self._guard = threading.Lock()

    def connected(self) -> DaprWorkflowClient:
        """Return the SDK's client. Raises SilentError while the sidecar is not up."""
        with self._guard:
            if self._sdk is None:
                if not self._sidecar.healthy():
                    raise SilentError("the sidecar is not up yet")
                self._sdk = DaprWorkflowClient(logger_options=_sdk_logging())
            return self._sdk

    def start(self, workflow: str, instance: str, payload: JsonObject | None) -> None:
        """Start a workflow instance; one that runs already goes on."""
        try:
            self.connected().schedule_new_workflow(workflow, input=payload, instance_id=instance)
        except grpc.RpcError as error:
            if _code(error) != grpc.StatusCode.ALREADY_EXISTS:
                raise _failure("starting a workflow", error) from error

    def ring(self, instance: str) -> None:
        """Ring the bell of a workflow instance; one that has ended hears nothing."""
        try:
            self.connected().raise_workflow_event(instance, BELL)
        except grpc.RpcError as error:
            if _code(error) != grpc.StatusCode.NOT_FOUND and "no such instance" not in str(error):
                raise _failure("ringing", error) from error


class Worker:
    """The worker of this process, which runs workflows and activities while the sidecar is up."""

    def __init__(self, sidecar: Host, make: Callable[[], WorkflowRuntime], pulse: Pulse, check: float = _CHECK) -> None:
        self._sidecar, self._make, self._pulse, self._check = sidecar, make, pulse, check
        self._runtime: WorkflowRuntime | None = None
        self._stopping = threading.Event()
        self._connected = False
        self._patience = _PATIENCE
        self._seen_at = self._renewed_at = -math.inf

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        threading.Thread(target=self._keep_connected, name="worker", daemon=True).start()
        threading.Thread(target=self._pulse.run, args=(self._stopping,), name="pulse", daemon=True).start()

    def alive(self) -> bool:
        """Tell whether workflows really go on here."""
        return self._pulse.alive()

    def stop(self, seconds: float) -> None:
        """Disconnect when the results on their way are delivered, within `seconds`; what runs then runs again later."""
        self._stopping.set()
        if self._runtime is not None:
            _close(self._runtime).join(seconds)

    def _keep_connected(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._connected or self._sidecar.healthy():
                    self._look_after()
            except Exception:
                log.exception("the workflow worker could not be renewed")
            self._stopping.wait(self._check)

    def _look_after(self) -> None:
        """Renew a worker that stays cut off while the sidecar is up: the SDK waits up to 16 s before it tries again."""
        now, was_connected = time.monotonic(), self._connected
        self._connected = self._runtime is not None and self._runtime.wait_for_worker_ready(_AT_ONCE)
        if self._connected:
            self._seen_at, self._patience = now, _PATIENCE
        elif not was_connected and now - max(self._seen_at, self._renewed_at) > self._patience:
            self._renew()

    def _renew(self) -> None:
        if self._runtime is not None:
            log.warning("the workflow worker is renewed")
            _close(self._runtime)
            # Longer each time, so that a machine that is only slow is not made slower.
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._renewed_at = time.monotonic()
        self._runtime = self._make()
        threading.Thread(target=_connect, args=(self._runtime,), name="worker-start", daemon=True).start()


def run_worker(
    sidecar: Host, workflows: Sequence[Callable[..., Any]], activities: Sequence[Callable[..., Any]]
) -> Worker:
    """Start, in the background, the worker that runs these workflows and activities while the sidecar is up."""
    client = Client(sidecar)
    pulse = Pulse(lambda instance: client.start(PULSE_WORKFLOW, instance, None), replica_name(settings.DAPR_GRPC_PORT))
    worker = Worker(sidecar, worker_maker(workflows, activities, pulse), pulse)
    worker.start()
    return worker


def worker_maker(
    workflows: Sequence[Callable[..., Any]], activities: Sequence[Callable[..., Any]], pulse: Pulse
) -> Callable[[], WorkflowRuntime]:
    """Return what makes workers, one after another, that run these workflows and activities and show the pulse."""

    def make() -> WorkflowRuntime:
        runtime = WorkflowRuntime(logger_options=_sdk_logging())
        for workflow in (*workflows, pulse.workflow()):
            runtime.register_workflow(_afresh(workflow))
        for activity in activities:
            runtime.register_activity(_afresh(pulse.noted(activity)))
        return runtime

    return make


def _afresh(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as an object of its own: the SDK marks what it has registered, and takes it only once."""

    @functools.wraps(function, updated=())
    def again(*args: Any) -> Any:
        return function(*args)

    return again


def _connect(runtime: WorkflowRuntime) -> None:
    try:
        runtime.start()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        log.info("the workflow worker is not connected", extra={"cause": str(error)})
    else:
        log.info("the workflow worker is connected")


def _close(runtime: WorkflowRuntime) -> threading.Thread:
    """Let the worker end in the background: it delivers what it can first, which takes seconds."""
    closing = threading.Thread(target=runtime.shutdown, name="worker-stop", daemon=True)
    closing.start()
    return closing


def _sdk_logging() -> LoggerOptions:
    """Return logging for the SDK: through our root logger, and not a second time through a handler of its own."""
    return LoggerOptions(log_level="WARNING", log_handler=logging.NullHandler())


def _failure(action: str, error: grpc.RpcError) -> TransientError:
    code = _code(error)
    return (SilentError if code in _NO_ANSWER else TransientError)(f"{action} failed: {code}")


def _code(error: grpc.RpcError) -> Any:
    return error.code() if hasattr(error, "code") else None
