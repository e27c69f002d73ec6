"""Tests of workflows without a sidecar: fake or real activities, events, and time that does not pass by itself."""

import heapq
from datetime import timedelta
from typing import Any

from workflow_testing import sdk
from workflow_testing.engine import Engine, WorkflowFailedError, cause
from workflow_testing.histories import History
from workflow_testing.registry import Workflow, workflow_name
from workflow_testing.replayer import Difference, Replayer
from workflow_testing.sdk import events, pb

_MAX_STEPS = 100_000


class WorkflowTester(Engine):
    """Runs workflows in place of the engine, with the method names of `DaprWorkflowClient`.

    `activities` are functions, or a mapping of names to functions. An exception of a type in `failures` fails the
    activity, as on the real engine; any other is raised to the test. With `raise_failures`, a workflow that fails
    raises WorkflowFailedError.

    These attributes disturb a run: `choose` returns the index of the waiting activity that runs next, `around` runs an
    activity, and the engine loses the results of the activities of `stuck` instances.
    """

    # The client

    def schedule_new_workflow(
        self,
        workflow: Workflow | str,
        *,
        input: Any = None,  # noqa: A002 - the SDK's name
        instance_id: str | None = None,
    ) -> str:
        """Start a workflow, in place of a finished instance with the same id; return the id of the instance."""
        instance_id = instance_id or f"instance-{next(self._numbers)}"
        known = self.instances.get(instance_id)
        if known is not None and known.status is None:
            raise ValueError(f"the instance {instance_id!r} is running")
        self._begin(instance_id, workflow_name(workflow), None if input is None else sdk.to_json(input), None)
        return instance_id

    def raise_workflow_event(self, instance_id: str, event_name: str, *, data: Any = None) -> None:
        """Raise an event; an instance that does not exist or has ended ignores it."""
        self._deliver(
            instance_id, events.new_event_raised_event(event_name, None if data is None else sdk.to_json(data))
        )

    def pause_workflow(self, instance_id: str) -> None:
        """Suspend an instance: it keeps its events until it is resumed."""
        self._deliver(instance_id, events.new_suspend_event())

    def resume_workflow(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        self._deliver(instance_id, events.new_resume_event())

    def terminate_workflow(self, instance_id: str, *, output: Any = None, recursive: bool = True) -> None:
        """Terminate an instance at once, and its children with `recursive`."""
        instance = self.instances[instance_id]
        if instance.status is None:
            encoded = None if output is None else sdk.to_json(output)
            instance.inbox = [events.new_terminated_event(encoded_output=encoded)]
            self._turn(instance)
        self.stuck.discard(instance_id)
        for child in [each for each in self.instances.values() if each.parent and each.parent[0] == instance_id]:
            if recursive:
                self.terminate_workflow(child.id)

    def get_workflow_history(self, instance_id: str) -> list[Any]:
        """Return the events of an instance, as the engine records them."""
        return list(self.instances[instance_id].history)

    # Time

    def run(self, seconds: float = 0) -> None:
        """Run everything that is due within so many seconds of virtual time, and move the clock on by them."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self._next_turn() or self._act() or self._fire(end):
            pass
        self.clock.now = max(self.clock.now, end)

    def jump(self) -> bool:
        """Move the clock to the next timer of an instance that has not ended; return False where there is none."""
        while self._timers and self._is_over(self._timers[0][2]):
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        self.run(max(self._timers[0][0] - self.clock.now, timedelta(0)).total_seconds())
        return True

    def run_to_end(self) -> None:
        """Run until nothing is left to do: every instance has ended, or waits for an event without a timeout."""
        self.run()
        for _ in range(_MAX_STEPS):
            if not self.jump():
                return
        raise WorkflowFailedError(f"a workflow still sets timers after {_MAX_STEPS} of them")

    def result(self, instance_id: str) -> Any:
        """Run until nothing is left to do, and return the result of an instance.

        Raises WorkflowFailedError where it has not completed.
        """
        self.run_to_end()
        instance = self.instances[instance_id]
        if instance.status != pb.ORCHESTRATION_STATUS_COMPLETED:
            raise WorkflowFailedError(f"{instance_id} is {instance.runtime_status}{cause(instance)}")
        return instance.result

    # Histories

    def histories(self) -> list[History]:
        """Return the histories of all instances, for `write_histories`."""
        return [History(instance.id, instance.history) for instance in self.instances.values()]

    def replay_all(self) -> list[Difference]:
        """Replay every instance, with inputs; return the differences, which are calls that are not deterministic."""
        replayer = Replayer(self._registry, compare_inputs=True)
        replayed = [replayer.replay(history) for history in self.histories()]
        return [difference for difference in replayed if difference is not None]
