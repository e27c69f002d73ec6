"""A workflow engine in memory: real workflows and activities, the SDK's own executor, no sidecar, no waiting.

Each turn of a workflow replays its whole history through the executor that the worker uses, so that forbidden calls
fail here as they would there. Time is a FakeClock that jumps to the next timer.
"""

import heapq
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as events
import dapr.ext.workflow._durabletask.internal.protos as pb
from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext
from dapr.ext.workflow._durabletask.task import ActivityContext
from dapr.ext.workflow._durabletask.worker import _OrchestrationExecutor, _Registry

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.domain.ids import WAKE_UP, order_workflow_id
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.registry import WORKFLOWS
from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW, OrderRun
from tests.fakes import FakeClock
from tests.points import Points

_QUIET = logging.getLogger("tests.driver.quiet")
_QUIET.setLevel(logging.CRITICAL)

Activity = Callable[[Any, dict[str, Any]], dict[str, Any]]


@dataclass
class Instance:
    """A workflow instance; `turns` holds the events and the actions of each turn, for the replay check."""

    id: str
    name: str
    parent: tuple[str, int] | None
    inbox: list[pb.HistoryEvent]
    history: list[pb.HistoryEvent] = field(default_factory=list)
    turns: list[tuple[int, list[pb.HistoryEvent], list[bytes]]] = field(default_factory=list)
    status: int | None = None
    result: Any = None


@dataclass
class _Work:
    instance_id: str
    task_id: int
    name: str
    payload: str


class Driver:
    """Runs workflows in place of the engine: `start`, `signal`, `workflow_state`, `history`, `workers` and so on."""

    def __init__(
        self, clock: FakeClock, points: Points, charge_timeout: float = 30, booking_timeout: float = 30
    ) -> None:
        self.clock, self.points = clock, points
        self.timeouts = {"charge_timeout": charge_timeout, "booking_timeout": booking_timeout}
        self.instances: dict[str, Instance] = {}
        self.reachable = True
        self.stuck: set[str] = set()
        self.runs_of_each_activity = 1
        self.choose: Callable[[int], int] = lambda _count: 0
        self.before_each: Callable[[str, dict[str, Any]], object] = lambda _name, _payload: None
        self.asked: list[str] = []
        self.activities: dict[str, Activity] = {}
        self._work: deque[_Work] = deque()
        self._timers: list[tuple[datetime, int, str, int]] = []
        self._numbers = itertools.count()
        self._registry = _Registry()
        for workflow in WORKFLOWS:
            self._registry.add_named_orchestrator(workflow.__name__, _as_the_sdk_calls_it(workflow))

    def use(self, activities: Iterable[Activity]) -> None:
        """Run these activities, found by their names."""
        self.activities = {activity.__name__: activity for activity in activities}

    def start(self, order_id: str) -> None:
        """Start an order's workflow, unless it is running."""
        self._check_reachable()
        instance = self.instances.get(order_workflow_id(order_id))
        if instance is None or instance.status is not None:
            run = OrderRun(order_id=order_id, **self.timeouts)
            self._begin(order_workflow_id(order_id), ORDER_WORKFLOW, json.dumps(run.to_json()), None)

    def signal(self, instances: Sequence[str]) -> None:
        """Signal instances; one that does not exist or has ended ignores it."""
        self._check_reachable()
        for instance in instances:
            self._deliver(instance, events.new_event_raised_event(WAKE_UP))

    def start_later(self, order_id: str) -> None:
        """Start an order's workflow; while the engine is unreachable the start is lost, as in a crash."""
        with suppress(TransientError):
            self.start(order_id)

    def signal_later(self, instances: Sequence[str]) -> None:
        """Signal instances; while the engine is unreachable the signals are lost."""
        with suppress(TransientError):
            self.signal(instances)

    def is_running(self, order_id: str) -> bool:
        """Return whether an order's workflow exists and has not ended."""
        self._check_reachable()
        instance = self.instances.get(order_workflow_id(order_id))
        return instance is not None and instance.status is None

    def is_stuck(self, instance: str, children: Sequence[str] = ()) -> bool:
        """Return whether results of an instance's activities are dropped."""
        self._check_reachable()
        return instance in self.stuck

    def terminate(self, order_id: str) -> None:
        """Terminate an order's workflow and its children."""
        self._check_reachable()
        for instance in self._of(order_id):
            if instance.status is None:
                instance.status = pb.ORCHESTRATION_STATUS_TERMINATED
            self.stuck.discard(instance.id)

    def workflow_state(self, order_id: str) -> dict[str, Any] | None:
        """Return the state of an order's workflow."""
        instance = self.instances.get(order_workflow_id(order_id))
        if instance is None or not self.reachable:
            return None
        status = "RUNNING" if instance.status is None else events.get_orchestration_status_str(instance.status)
        return {"instanceId": instance.id, "status": status, "createdAt": "", "updatedAt": "", "failure": None}

    def history(self, instances: Sequence[str]) -> list[dict[str, Any]]:
        """Return the histories of the instances that exist."""
        self._check_reachable()
        known = [self.instances[instance] for instance in instances if instance in self.instances]
        return [instance_view(one.id, one.history) for one in known]

    def workers(self) -> int:
        """Return the number of connected workers."""
        return int(self.reachable)

    def run(self, seconds: float = 0) -> None:
        """Run everything that is due within so many seconds of virtual time, and advance the clock by them."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self._turn() or self._act() or self._fire(end):
            pass
        self.clock.now = max(self.clock.now, end)

    def jump(self) -> bool:
        """Advance to the next timer of an instance that has not ended; return False when there is none."""
        while self._timers and self.instances[self._timers[0][2]].status is not None:
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        self.run(max(self._timers[0][0] - self.clock.now, timedelta(0)).total_seconds())
        return True

    def is_over(self, order_id: str) -> bool:
        """Return whether every instance of an order has ended."""
        return all(one.status is not None for one in self._of(order_id))

    def _of(self, order_id: str) -> list[Instance]:
        prefixes = tuple(f"{kind}-{order_id}" for kind in ("order", "charge", "shipment"))
        return [one for one in self.instances.values() if one.id.startswith(prefixes)]

    def check_replay(self) -> None:
        """Replay every turn of every instance from its history: it must take the same actions in the same order."""
        for instance in self.instances.values():
            for length, given, asked in instance.turns:
                again = self._execute(instance.id, instance.history[:length], given)
                assert _as_bytes(again) == asked, f"{instance.id} replays to something else"

    def _begin(self, instance_id: str, name: str, payload: str, parent: tuple[str, int] | None) -> None:
        began = events.new_execution_started_event(name, instance_id, payload)
        self.instances[instance_id] = Instance(instance_id, name, parent, [began])

    def _deliver(self, instance_id: str, event: pb.HistoryEvent) -> None:
        instance = self.instances.get(instance_id)
        if instance is not None and instance.status is None:
            instance.inbox.append(event)

    def _turn(self) -> bool:
        """Run one turn of a workflow with events in its inbox."""
        instance = next((one for one in self.instances.values() if one.inbox and one.status is None), None)
        if instance is None:
            return False
        given = [events.new_workflow_started_event(self.clock.now.replace(tzinfo=None)), *instance.inbox]
        instance.inbox = []
        actions = self._execute(instance.id, instance.history, given)
        instance.turns.append((len(instance.history), given, _as_bytes(actions)))
        instance.history += given
        for action in actions:
            self._carry_out(instance, action)
        return True

    def _execute(
        self, instance_id: str, history: list[pb.HistoryEvent], given: list[pb.HistoryEvent]
    ) -> list[pb.WorkflowAction]:
        executor = _OrchestrationExecutor(self._registry, _QUIET)
        return list(executor.execute(instance_id, history, given).actions)

    def _carry_out(self, instance: Instance, action: pb.WorkflowAction) -> None:
        match action.WhichOneof("workflowActionType"):
            case "scheduleTask":
                name, payload = action.scheduleTask.name, action.scheduleTask.input.value
                instance.history.append(events.new_task_scheduled_event(action.id, name, payload))
                self._work.append(_Work(instance.id, action.id, name, payload))
            case "createTimer":
                fire_at = action.createTimer.fireAt
                instance.history.append(events.new_timer_created_event(action.id, fire_at))
                if fire_at != events.OPTIONAL_TIMER_FIRE_AT:
                    due = fire_at.ToDatetime(tzinfo=UTC)
                    heapq.heappush(self._timers, (due, next(self._numbers), instance.id, action.id))
            case "createChildWorkflow":
                child = action.createChildWorkflow
                created = events.new_child_workflow_created_event(action.id, child.name, child.instanceId, "")
                instance.history.append(created)
                self._begin(child.instanceId, child.name, child.input.value, (instance.id, action.id))
            case "completeWorkflow":
                self._complete(instance, action.completeWorkflow)
            case other:
                raise AssertionError(f"the driver does not know {other}")

    def _complete(self, instance: Instance, end: pb.CompleteWorkflowAction) -> None:
        if end.workflowStatus != pb.ORCHESTRATION_STATUS_COMPLETED:
            raise AssertionError(f"{instance.id} failed: {end.failureDetails}")
        instance.status, instance.result = end.workflowStatus, json.loads(end.result.value)
        if instance.parent:
            parent, task_id = instance.parent
            self._deliver(parent, events.new_child_workflow_completed_event(task_id, end.result.value))

    def _act(self) -> bool:
        """Run one activity. Only transient errors are retried; any other error fails the test."""
        if not self._work:
            return False
        self._work.rotate(-self.choose(len(self._work)))
        work = self._work.popleft()
        self.asked.append(work.name)
        try:
            self.before_each(work.name, json.loads(work.payload))
            self.points.reach(f"before {work.name}")
            for _ in range(self.runs_of_each_activity):
                answer = self.activities[work.name](
                    activity_context(work.instance_id, work.task_id), json.loads(work.payload)
                )
            self.points.reach(f"after {work.name}")
        except TransientError as error:
            self._deliver(work.instance_id, events.new_task_failed_event(work.task_id, error))
        else:
            if work.instance_id not in self.stuck:
                self._deliver(work.instance_id, events.new_task_completed_event(work.task_id, json.dumps(answer)))
        return True

    def _fire(self, end: datetime) -> bool:
        if not self._timers or self._timers[0][0] > end:
            return False
        due, _, instance_id, timer_id = heapq.heappop(self._timers)
        self.clock.now = max(self.clock.now, due)
        self._deliver(instance_id, events.new_timer_fired_event(timer_id, due))
        return True

    def _check_reachable(self) -> None:
        self.points.reach("engine")
        if not self.reachable:
            raise TransientError("the engine is down")


def _as_the_sdk_calls_it(workflow: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ctx, payload: workflow(DaprWorkflowContext(ctx), payload)


def activity_context(instance_id: str = "order-A1", task_id: int = 1) -> WorkflowActivityContext:
    """Return the context of an activity, as the SDK passes it."""
    return WorkflowActivityContext(ActivityContext(instance_id, task_id))


def _as_bytes(actions: Iterable[pb.WorkflowAction]) -> list[bytes]:
    return [action.SerializeToString(deterministic=True) for action in actions]
