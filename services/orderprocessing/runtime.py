"""The workflow engine: the worker that runs workflows and activities, and the client that starts and rings them."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC
from typing import Any

import grpc
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime, WorkflowState
from dapr.ext.workflow.logger import LoggerOptions

from services.common.clock import rfc3339
from services.common.logs import get_logger
from services.common.sidecar import Sidecar, TransientError
from services.orderprocessing.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.ids import BELL, order_workflow_id
from services.orderprocessing.models import JsonObject

log = get_logger(__name__)

_LOOK_TIMEOUT = 1.0
_RETRY_PAUSE = 1.0


class Engine:
    """Dapr Workflow as this service uses it. Threads may share it."""

    def __init__(self, sidecar: Sidecar, charge_timeout: float, booking_timeout: float) -> None:
        self._sidecar = sidecar
        self._charge_timeout, self._booking_timeout = charge_timeout, booking_timeout
        self._client: DaprWorkflowClient | None = None
        self._guard = threading.Lock()
        self._lookers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="look")

    def start(self, order_id: str) -> None:
        """Start the order's workflow; one that runs already goes on. Raises TransientError."""
        run = OrderRun(order_id=order_id, charge_timeout=self._charge_timeout, booking_timeout=self._booking_timeout)
        try:
            self._connected().schedule_new_workflow(
                ORDER_WORKFLOW, input=run.wire(), instance_id=order_workflow_id(order_id)
            )
        except grpc.RpcError as error:
            if _code(error) != grpc.StatusCode.ALREADY_EXISTS:
                raise TransientError(f"starting a workflow failed: {_code(error)}") from error

    def ring(self, instances: Sequence[str]) -> None:
        """Ring the bell of workflow instances; one that has ended hears nothing. Raises TransientError."""
        client, failed = self._connected(), {}
        for instance in instances:
            try:
                client.raise_workflow_event(instance, BELL)
            except grpc.RpcError as error:
                if _code(error) != grpc.StatusCode.NOT_FOUND and "no such instance" not in str(error):
                    failed[instance] = _code(error)
        if failed:
            raise TransientError(f"ringing failed: {failed}")

    def look(self, order_id: str) -> JsonObject | None:
        """Return what the engine says of an order's workflow, or None when it does not say so within a second."""
        asked: Future[WorkflowState | None] = self._lookers.submit(
            lambda: self._connected().get_workflow_state(order_workflow_id(order_id), fetch_payloads=False)
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

    def _connected(self) -> DaprWorkflowClient:
        with self._guard:
            if self._client is None:
                if not self._sidecar.healthy():
                    raise TransientError("the sidecar is not up yet")
                self._client = DaprWorkflowClient(logger_options=_sdk_logging())
            return self._client


def run_worker(
    sidecar: Sidecar, workflows: Sequence[Callable[..., Any]], activities: Sequence[Callable[..., Any]]
) -> threading.Thread:
    """Start, in the background, the worker that runs these workflows and activities once the sidecar is up."""

    def connect() -> None:
        while not sidecar.healthy():
            pause.wait(_RETRY_PAUSE)
        worker = WorkflowRuntime(logger_options=_sdk_logging())
        for workflow in workflows:
            worker.register_workflow(workflow)
        for activity in activities:
            worker.register_activity(activity)
        worker.start()  # type: ignore[no-untyped-call]
        log.info("the workflow worker is connected")

    pause = threading.Event()
    thread = threading.Thread(target=connect, name="worker", daemon=True)
    thread.start()
    return thread


def _sdk_logging() -> LoggerOptions:
    """Return logging for the SDK: through our root logger, and not a second time through a handler of its own."""
    return LoggerOptions(log_level="WARNING", log_handler=logging.NullHandler())


def _code(error: grpc.RpcError) -> Any:
    return error.code() if hasattr(error, "code") else None
