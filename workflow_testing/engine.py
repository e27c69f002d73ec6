"""The engine in memory: it runs the turns of workflows, their activities and their timers.

Each turn of a workflow replays its whole history through the SDK's own executor, so calls that are not deterministic
fail here as they do on the real engine.
"""

import asyncio
import heapq
import inspect
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from workflow_testing import sdk
from workflow_testing.clock import Clock, VirtualClock
from workflow_testing.registry import Workflows, create_registry, workflow_name
from workflow_testing.sdk import events, pb


class WorkflowFailedError(AssertionError):
    """A workflow failed that a test expects to succeed."""


@dataclass
class Instance:
    """A workflow instance; `status` is None while it runs, `result` is its decoded result."""

    id: str
    name: str
    parent: tuple[str, int] | None
    inbox: list[Any]
    history: list[Any] = field(default_factory=list)
    status: int | None = None
    result: Any = None
    failure: Any = None
    custom_status: str | None = None
    suspended: bool = False

    @property
    def runtime_status(self) -> str:
        """The status by its name in the engine, such as COMPLETED."""
        if self.status is None:
            return "SUSPENDED" if self.suspended else "RUNNING"
        return str(events.get_orchestration_status_str(self.status))


@dataclass(frozen=True)
class Call:
    """A call of an activity; `encoded_input` is JSON as the SDK writes it."""

    instance_id: str
    task_id: int
    name: str
    encoded_input: str | None
    execution_id: str

    @property
    def input(self) -> Any:
        """The decoded input."""
        return json.loads(self.encoded_input) if self.encoded_input else None


class Engine:
    """Runs workflow instances; `WorkflowTester` is its interface for tests."""

    def __init__(
        self,
        workflows: Workflows,
        activities: Iterable[Callable[..., Any]] | Mapping[str, Callable[..., Any]] = (),
        clock: Clock | None = None,
        failures: tuple[type[Exception], ...] = (Exception,),
        raise_failures: bool = False,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.instances: dict[str, Instance] = {}
        self.activities: dict[str, Callable[..., Any]] = {}
        self.calls: list[Call] = []
        self.choose: Callable[[int], int] = lambda _count: 0
        self.around: Callable[[Call, Callable[[], str | None]], str | None] = lambda _call, run: run()
        self.stuck: set[str] = set()
        self._failures, self._raise_failures = failures, raise_failures
        self._registry = create_registry(workflows)
        self._waiting: deque[Call] = deque()
        self._timers: list[tuple[datetime, int, str, int]] = []
        self._numbers = itertools.count()
        self._wrapped: dict[Callable[..., Any], Any] = {}
        self.use(activities)

    def use(self, activities: Iterable[Callable[..., Any]] | Mapping[str, Callable[..., Any]]) -> None:
        """Run these activities from now on."""
        by_name = activities if isinstance(activities, Mapping) else {workflow_name(one): one for one in activities}
        self.activities = dict(by_name)

    def _begin(self, instance_id: str, name: str, encoded: str | None, parent: tuple[str, int] | None) -> Instance:
        started = self._stamped(events.new_execution_started_event(name, instance_id, encoded))
        instance = self.instances[instance_id] = Instance(instance_id, name, parent, [started])
        return instance

    def _deliver(self, instance_id: str, event: Any) -> None:
        if not self._is_over(instance_id):
            self.instances[instance_id].inbox.append(self._stamped(event))

    def _is_over(self, instance_id: str) -> bool:
        return instance_id not in self.instances or self.instances[instance_id].status is not None

    def _stamped(self, event: Any) -> Any:
        event.timestamp.FromDatetime(self.clock.now.replace(tzinfo=None))
        return event

    def _next_turn(self) -> bool:
        instance = next((one for one in self.instances.values() if one.inbox and one.status is None), None)
        if instance is not None:
            self._turn(instance)
        return instance is not None

    def _turn(self, instance: Instance) -> None:
        """Run a workflow with the events in its inbox, record them, and carry out what it asks for."""
        started = self._stamped(events.new_workflow_started_event())
        given, instance.inbox = [started, *instance.inbox], []
        executed = sdk.Executor(self._registry, sdk.QUIET).execute(instance.id, instance.history, given)
        if executed.version_name or executed.patches:
            # The engine records with each turn the version and the patches that it ran with.
            started.workflowStarted.version.name = executed.version_name or ""
            started.workflowStarted.version.patches.extend(executed.patches)
        instance.history += given
        instance.custom_status = executed.encoded_custom_status or instance.custom_status
        for event in given:
            if event.WhichOneof("eventType") in {"executionSuspended", "executionResumed"}:
                instance.suspended = event.HasField("executionSuspended")
        for action in executed.actions:
            self._carry_out(instance, action)

    def _carry_out(self, instance: Instance, action: Any) -> None:
        match action.WhichOneof("workflowActionType"):
            case "scheduleTask":
                self._schedule(instance, action.id, action.scheduleTask)
            case "createTimer":
                self._set_timer(instance, action.id, action.createTimer)
            case "createChildWorkflow":
                child = action.createChildWorkflow
                encoded = child.input.value if child.HasField("input") else None
                created = events.new_child_workflow_created_event(action.id, child.name, child.instanceId, encoded)
                instance.history.append(self._stamped(created))
                self._begin(child.instanceId, child.name, encoded, (instance.id, action.id))
            case "completeWorkflow":
                self._complete(instance, action.id, action.completeWorkflow)
            case other:
                raise WorkflowFailedError(f"{instance.id} asks for {other}, which the tester does not know")

    def _schedule(self, instance: Instance, task_id: int, task: Any) -> None:
        encoded = task.input.value if task.HasField("input") else None
        instance.history.append(self._stamped(events.new_task_scheduled_event(task_id, task.name, encoded)))
        self._waiting.append(Call(instance.id, task_id, task.name, encoded, task.taskExecutionId))

    def _set_timer(self, instance: Instance, timer_id: int, timer: Any) -> None:
        created = events.new_timer_created_event(timer_id, timer.fireAt)
        origin = timer.WhichOneof("origin")
        if origin is not None:
            getattr(created.timerCreated, origin).CopyFrom(getattr(timer, origin))
        instance.history.append(self._stamped(created))
        if timer.fireAt != events.OPTIONAL_TIMER_FIRE_AT:
            due = timer.fireAt.ToDatetime(tzinfo=UTC)
            heapq.heappush(self._timers, (due, next(self._numbers), instance.id, timer_id))

    def _complete(self, instance: Instance, action_id: int, end: Any) -> None:
        if end.workflowStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            encoded = end.result.value if end.HasField("result") else None
            again = self._begin(instance.id, instance.name, encoded, instance.parent)
            again.inbox += end.carryoverEvents
            return
        instance.status = end.workflowStatus
        instance.result = json.loads(end.result.value) if end.result.value else None
        instance.failure = end.failureDetails if end.HasField("failureDetails") else None
        completed = pb.ExecutionCompletedEvent(
            workflowStatus=end.workflowStatus,
            result=end.result if end.HasField("result") else None,
            failureDetails=instance.failure,
        )
        instance.history.append(self._stamped(pb.HistoryEvent(eventId=action_id, executionCompleted=completed)))
        if instance.status == pb.ORCHESTRATION_STATUS_FAILED and self._raise_failures:
            raise WorkflowFailedError(f"{instance.id} failed{cause(instance)}")
        if instance.parent is not None:
            self._report(instance, end, *instance.parent)

    def _report(self, instance: Instance, end: Any, parent: str, task_id: int) -> None:
        if instance.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            encoded = end.result.value if end.HasField("result") else None
            self._deliver(parent, events.new_child_workflow_completed_event(task_id, encoded))
            return
        failed = events.new_child_workflow_failed_event(task_id, WorkflowFailedError("the child was terminated"))
        if instance.failure is not None:
            failed.childWorkflowInstanceFailed.failureDetails.CopyFrom(instance.failure)
        self._deliver(parent, failed)

    def _act(self) -> bool:
        """Run one of the activities that wait."""
        if not self._waiting:
            return False
        self._waiting.rotate(-self.choose(len(self._waiting)))
        call = self._waiting.popleft()
        self.calls.append(call)
        try:
            result = self.around(call, lambda: self._run_activity(call))
        except self._failures as error:
            self._deliver(call.instance_id, events.new_task_failed_event(call.task_id, error))
        else:
            if call.instance_id not in self.stuck:
                self._deliver(call.instance_id, events.new_task_completed_event(call.task_id, result))
        return True

    def _run_activity(self, call: Call) -> str | None:
        activity = self.activities.get(call.name)
        executor = sdk.ActivityExecutor(sdk.QUIET)
        arguments = (call.instance_id, call.name, call.task_id, call.encoded_input, call.execution_id)
        wrapped = self._wrap(activity) if activity is not None else None
        if inspect.iscoroutinefunction(wrapped):
            encoded: str | None = asyncio.run(executor.execute_async(wrapped, *arguments))
        else:
            encoded = executor.execute(wrapped, *arguments)
        return encoded

    def _wrap(self, activity: Callable[..., Any]) -> Any:
        if activity not in self._wrapped:
            self._wrapped[activity] = sdk.activity_wrapper(activity, sdk.QUIET)
        return self._wrapped[activity]

    def _fire(self, end: datetime) -> bool:
        if not self._timers or self._timers[0][0] > end:
            return False
        due, _, instance_id, timer_id = heapq.heappop(self._timers)
        self.clock.now = max(self.clock.now, due)
        self._deliver(instance_id, events.new_timer_fired_event(timer_id, due.replace(tzinfo=None)))
        return True


def cause(instance: Instance) -> str:
    """Return the cause of an instance's failure in words, or nothing."""
    return f": {instance.failure.errorType}: {instance.failure.errorMessage}" if instance.failure is not None else ""
