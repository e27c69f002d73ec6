"""Runs workflow code over a recorded history, event by event, and finds the first event at which they differ.

The workflow runs in the SDK's own executor, in this thread, so breakpoints in its code work. Nothing is called: the
results of activities, timers, events and child workflows come from the record.
"""

from dataclasses import dataclass
from typing import Any

from workflow_testing import sdk
from workflow_testing.actions import ACTIONS, Kind, compare, compare_end, describe_action, describe_event
from workflow_testing.histories import History
from workflow_testing.registry import Workflows, create_registry
from workflow_testing.sdk import events


@dataclass(frozen=True)
class Difference:
    """The first difference between a record and the code: at event `number`, counted from 1."""

    instance_id: str
    number: int
    kind: Kind
    recorded: str
    asked: str

    def __str__(self) -> str:
        return f"event {self.number}: {self.kind}. The record has {self.recorded}. The code asks for {self.asked}."


def replay(history: History, workflows: Workflows, compare_inputs: bool = False) -> Difference | None:
    """Return the first event at which the workflows differ from a history, None where they agree.

    Compared are the order of the actions, the names of activities, the names and instances of child workflows, the
    times of timers and the events waited for, the status and the result. `compare_inputs` compares the inputs of
    activities and child workflows too, which may differ without harm.
    """
    return Replayer(create_registry(workflows), compare_inputs).replay(history)


class Replayer:
    """Replays histories with the workflows of a registry."""

    def __init__(self, registry: Any, compare_inputs: bool = False) -> None:
        self._registry, self._compare_inputs = registry, compare_inputs

    def replay(self, history: History) -> Difference | None:
        """Return the first difference, or None."""
        return _Replay(history, self._registry, self._compare_inputs).run()


class _Replay:
    """One replay: the workflow's context in the executor, fed with one event after the other."""

    def __init__(self, history: History, registry: Any, compare_inputs: bool) -> None:
        self._history, self._compare_inputs = history, compare_inputs
        self._context = sdk.Context(history.instance_id)
        self._executor = sdk.Executor(registry, sdk.QUIET)
        self._failed = False

    def run(self) -> Difference | None:
        for number, event in enumerate(self._history.events, 1):
            if event.HasField("executionCompleted"):
                return self._compare_end(number, event)
            if event.HasField("workflowStarted") and (difference := self._unrecorded(number, event)):
                return difference
            difference = self._compare(number, event) or self._feed(number, event)
            if difference is not None:
                return difference
        return self._unrecorded(len(self._history.events), None)

    def _compare(self, number: int, event: Any) -> Difference | None:
        """Compare an action with the event that records it."""
        if event.WhichOneof("eventType") not in ACTIONS or self._is_dropped(event):
            return None
        action = self._pending.get(event.eventId)
        if action is None:
            return self._difference(number, Kind.MISSING_ACTION, event, self._waiting())
        if action.HasField("completeWorkflow"):
            return self._difference(number, Kind.OTHER_END, event, describe_action(action))
        kind = compare(event, action, self._compare_inputs)
        return self._difference(number, kind, event, describe_action(action)) if kind else None

    def _is_dropped(self, event: Any) -> bool:
        """Return whether the executor ignores a recorded timer; drop the timer that it would drop itself.

        The SDK creates a timer where a workflow waits for an event without a timeout. Older versions of the SDK did
        not, so the executor accepts histories with and without these timers.
        """
        action = self._pending.get(event.eventId)
        asked = action is not None and events.is_optional_timer_action(action)
        recorded = events.is_optional_timer_event(event)
        if asked and not recorded:
            self._context._drop_optional_pending_at(event.eventId)  # noqa: SLF001
        return bool(recorded and not asked)

    def _feed(self, number: int, event: Any) -> Difference | None:
        if self._failed:
            return None  # The executor stops at an error too.
        try:
            self._executor.process_event(self._context, event)
        except sdk.UNKNOWN_WORKFLOW_ERRORS as error:
            cause = str(error) or "a version that is not registered"
            return self._difference(number, Kind.UNKNOWN_WORKFLOW, event, cause)
        except Exception as error:  # noqa: BLE001 - an error fails the workflow, which the record may show too
            self._failed = True
            self._context.set_failed(error)
        return None

    def _unrecorded(self, number: int, event: Any) -> Difference | None:
        """Return the difference where a turn ends and not all of its actions are recorded."""
        if self._executor._is_suspended:  # noqa: SLF001
            return None  # The executor keeps the records of the actions until the workflow is resumed.
        actions = [each for each in self._context.get_actions() if not events.is_optional_timer_action(each)]
        if not actions:
            return None
        kind = Kind.OTHER_END if actions[0].HasField("completeWorkflow") else Kind.ADDITIONAL_ACTION
        return self._difference(number, kind, event, describe_action(actions[0]))

    def _compare_end(self, number: int, event: Any) -> Difference | None:
        end = next((each for each in self._context.get_actions() if each.HasField("completeWorkflow")), None)
        if end is None:
            return self._difference(number, Kind.OTHER_END, event, self._waiting())
        kind = compare_end(event.executionCompleted, end.completeWorkflow)
        return self._difference(number, kind, event, describe_action(end)) if kind else None

    def _difference(self, number: int, kind: Kind, event: Any, asked: str) -> Difference:
        recorded = describe_event(event) if event is not None else "nothing after this event"
        return Difference(self._history.instance_id, number, kind, recorded, asked)

    def _waiting(self) -> str:
        """Return in words that the code asks for nothing, and what it waits for."""
        actions = [describe_action(action) for action in self._context.get_actions()]
        names = sorted(self._context._pending_events)  # noqa: SLF001
        waiting = f"nothing, and waits for {', '.join(map(repr, names))}" if names else "nothing"
        return " and ".join(actions) or waiting

    @property
    def _pending(self) -> dict[int, Any]:
        pending: dict[int, Any] = self._context._pending_actions  # noqa: SLF001
        return pending
