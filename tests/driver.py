"""The workflow engine in memory, as the service uses it: real workflows and activities, no sidecar, no waiting."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext
from dapr.ext.workflow._durabletask.task import ActivityContext

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.adapters.history_archive import HistoryArchive
from services.orderprocessing.domain.ids import WAKE_UP, order_workflow_id
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.registry import WORKFLOWS
from services.orderprocessing.workflows.contracts import ORDER_WORKFLOW, OrderRun
from services.orderprocessing.workflows.versions import by_workflow
from tests.fakes import FakeClock
from tests.points import Points
from workflow_testing import Call, Instance, WorkflowTester


class Driver(WorkflowTester):
    """Runs the workflows of orders; only transient errors of activities are retried, any other fails the test."""

    def __init__(
        self, clock: FakeClock, points: Points, charge_timeout: float = 30, booking_timeout: float = 30
    ) -> None:
        super().__init__(by_workflow(WORKFLOWS), clock=clock, failures=(TransientError,), raise_failures=True)
        self.points = points
        self.timeouts = {"charge_timeout": charge_timeout, "booking_timeout": booking_timeout}
        self.reachable = True
        self.archive: HistoryArchive | None = None
        self.runs_of_each_activity = 1
        self.before_each: Callable[[str, dict[str, Any]], object] = lambda _name, _payload: None
        self.around = self._disturbed

    @property
    def asked(self) -> list[str]:
        """The names of the activities that were called."""
        return [call.name for call in self.calls]

    def start(self, order_id: str) -> None:
        """Start an order's workflow, unless it is running."""
        if not self.is_running(order_id):
            run = OrderRun(order_id=order_id, **self.timeouts)
            self.schedule_new_workflow(ORDER_WORKFLOW, input=run.to_json(), instance_id=order_workflow_id(order_id))

    def signal(self, instances: Sequence[str]) -> None:
        """Signal instances; one that does not exist or has ended ignores it."""
        self._check_reachable()
        for instance in instances:
            self.raise_workflow_event(instance, WAKE_UP)

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
            self.terminate_workflow(instance.id)

    def workflow_state(self, order_id: str) -> dict[str, Any] | None:
        """Return the state of an order's workflow, None if it does not exist."""
        self._check_reachable()
        instance = self.instances.get(order_workflow_id(order_id))
        if instance is None:
            return None
        status = instance.runtime_status
        return {"instanceId": instance.id, "status": status, "createdAt": "", "updatedAt": "", "failure": None}

    def history(self, instances: Sequence[str]) -> list[dict[str, Any]]:
        """Return the histories of the instances that exist."""
        return [instance_view(instance, events) for instance, events in self.events(instances)]

    def events(self, instances: Sequence[str]) -> list[tuple[str, list[Any]]]:
        """Return the events of the instances that exist or are archived."""
        self._check_reachable()
        known = [self.instances[instance] for instance in instances if instance in self.instances]
        histories = [(one.id, list(one.history)) for one in known]
        return self.archive.complete(instances, histories) if self.archive else histories

    def workers(self) -> int:
        """Return the number of connected workers."""
        return int(self.reachable)

    def is_over(self, order_id: str) -> bool:
        """Return whether every instance of an order has ended."""
        return all(one.status is not None for one in self._of(order_id))

    def check_replay(self) -> None:
        """Replay every instance: it must ask for the same actions with the same inputs."""
        assert self.replay_all() == []

    def _of(self, order_id: str) -> list[Instance]:
        prefixes = tuple(f"{kind}-{order_id}" for kind in ("order", "charge", "shipment"))
        return [one for one in self.instances.values() if one.id.startswith(prefixes)]

    def _disturbed(self, call: Call, run: Callable[[], str | None]) -> str | None:
        self.before_each(call.name, call.input)
        self.points.reach(f"before {call.name}")
        result = None
        for _ in range(self.runs_of_each_activity):
            result = run()
        self.points.reach(f"after {call.name}")
        return result

    def _check_reachable(self) -> None:
        self.points.reach("engine")
        if not self.reachable:
            raise TransientError("the engine is down")


def activity_context(instance_id: str = "order-A1", task_id: int = 1) -> WorkflowActivityContext:
    """Return the context of an activity, as the SDK passes it."""
    return WorkflowActivityContext(ActivityContext(instance_id, task_id))
