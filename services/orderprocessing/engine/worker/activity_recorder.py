"""Logs each run of an activity, and puts the record of the run into the workflow history.

Results get the record where the activity is called. Failures and the numbers of tries pass only through the SDK, so the
recorder is also a gRPC interceptor of the worker. The engine gives an activity no number of its try. The history does:
all tries of an activity have the same execution id. Whichever worker schedules a repeated try counts them.
"""

import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import grpc
from dapr.ext.workflow import WorkflowActivityContext

from services.common.clock import Clock, rfc3339, utc_now
from services.common.logs import get_logger
from services.common.storage.lru_cache import LruCache
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.engine.activity_run import ActivityRun, add_run, add_run_to_failure, add_tries, try_number
from services.orderprocessing.engine.payload_codec import MessageStream
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity

log = get_logger(__name__)

_REMEMBERED = 1000


class ActivityRecorder(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Records the runs of this worker's activities. Threads may share it.

    As an interceptor it belongs before the codec, so that it sees payloads unencrypted.
    """

    def __init__(
        self, identity: WorkerIdentity, clock: Clock = utc_now, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._identity, self._clock, self._timer = identity, clock, timer
        self._failed_runs = LruCache[ActivityRun](_REMEMBERED)
        self._tries = LruCache[Counter[str]](_REMEMBERED)

    def run(
        self, name: str, ctx: WorkflowActivityContext, given: JsonObject, activity: Callable[[], JsonObject]
    ) -> JsonObject:
        """Run an activity, log its end, and return its result with the record of the run."""
        started_at, began = rfc3339(self._clock()), self._timer()

        def ended(how: str) -> ActivityRun:
            run = ActivityRun(
                worker=self._identity.name,
                worker_version=self._identity.version,
                started_at=started_at,
                duration_ms=round((self._timer() - began) * 1000),
                try_number=try_number(given),
            )
            fields = run.to_json()
            del fields["startedAt"]
            log.info("activity %s %s", name, how, extra={"activity": name, **fields})
            return run

        try:
            result = activity()
        except Exception:
            self._failed_runs.put(_work(ctx.workflow_id, ctx.task_id), ended("failed"))
            raise
        return add_run(result, ended("completed"))

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Add records and numbers of tries to what the worker reports."""
        return continuation(details, self.recorded(request))

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Count the tries in the history of each workflow that arrives."""
        return MessageStream(continuation(details, request), self.observe)

    def observe(self, message: Any) -> None:
        """Count the tries of each activity, if some in the history have failed."""
        if message.DESCRIPTOR.name != "WorkItem" or not message.HasField("workflowRequest"):
            return
        request = message.workflowRequest
        events = list(chain(request.pastEvents, request.newEvents))
        if any(event.HasField("taskFailed") for event in events):
            tries = Counter(event.taskScheduled.taskExecutionId for event in events if event.HasField("taskScheduled"))
            self._tries.put(request.instanceId, tries)

    def recorded(self, message: Any) -> Any:
        """Return the message with the record of a failed run, or with the numbers of the tries that it schedules."""
        kind = message.DESCRIPTOR.name
        if kind == "ActivityResponse" and message.HasField("failureDetails"):
            return self._with_failed_run(message)
        if kind == "WorkflowResponse":
            return self._with_tries(message)
        return message

    def _with_failed_run(self, message: Any) -> Any:
        run = self._failed_runs.get(_work(message.instanceId, message.taskId))
        if run is None:
            return message
        copy = _copy(message)
        add_run_to_failure(copy.failureDetails, run)
        return copy

    def _with_tries(self, message: Any) -> Any:
        tries = self._tries.get(message.instanceId)
        if tries is None:
            return message
        copy = _copy(message)
        for action in copy.actions:
            task = action.scheduleTask if action.HasField("scheduleTask") else None
            if task is not None and task.taskExecutionId and tries[task.taskExecutionId]:
                task.input.value = add_tries(task.input.value, tries[task.taskExecutionId])
        return copy


def _work(instance: str, task_id: int) -> str:
    return f"{instance}#{task_id}"


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
