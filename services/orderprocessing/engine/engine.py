"""Dapr Workflow as this service uses it: starts, signals, inspects and terminates the workflows of orders."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from datetime import UTC
from typing import Any

from dapr.ext.workflow import WorkflowState

from services.common.clock import rfc3339, utc_now
from services.common.dapr.sidecar import TransientError
from services.orderprocessing.adapters.history_archive import HistoryArchive
from services.orderprocessing.domain.ids import order_workflow_id
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.dispatcher import Dispatcher, EngineUnavailableError, Kind, Message
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.stuck_detection import ResultTimeout, is_stuck
from services.orderprocessing.engine.workflow_client import Client, WorkflowSidecar, connected_workers
from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.workflows.policies import Timeouts

_WORKERS_COUNTED_FOR = 1.0
_STATE_TIMEOUT = 1.0
_HISTORY_TIMEOUT = 3.0


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
        self._worker_count, self._count_expires_at = 0, 0.0

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
        """Return the state of an order's workflow, None if it does not exist.

        Raises TransientError when the engine does not answer within a second, and while no worker lives.
        """
        if not self._any_worker():
            raise EngineUnavailableError("no worker lives")
        call: Future[WorkflowState | None] = self._readers.submit(self._client.state, order_workflow_id(order_id))
        try:
            state = call.result(timeout=_STATE_TIMEOUT)
        except FutureTimeoutError as error:
            call.cancel()
            raise EngineUnavailableError("the engine did not return the state of a workflow in time") from error
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

    def _any_worker(self) -> bool:
        """Return whether a worker lived within the last second, so that reads of orders seldom ask the sidecar."""
        if time.monotonic() >= self._count_expires_at:
            self._worker_count, self._count_expires_at = self.workers(), time.monotonic() + _WORKERS_COUNTED_FOR
        return self._worker_count > 0

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
