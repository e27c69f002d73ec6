"""Recorded histories of every scenario replay with the workflows of today.

A failure here means that a workflow changed in a way that orders which are running cannot follow. Put the change behind
`ctx.is_patched(…)` or in a new named version (docs/workflows.md). Never record the histories anew to make this pass.
"""

from collections.abc import Callable, Generator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext

from services.orderprocessing.registry import WORKFLOWS
from services.orderprocessing.workflows import contracts, order
from services.orderprocessing.workflows.charge import charge_workflow
from services.orderprocessing.workflows.order import order_workflow
from services.orderprocessing.workflows.shipment import shipment_workflow
from services.orderprocessing.workflows.versions import by_workflow
from tests.e2e.scenarios import SCENARIOS
from tests.replay.recordings import files, scenario_of
from workflow_testing import Difference, History, Kind, read_histories, replay

Workflow = Callable[[DaprWorkflowContext, dict[str, Any]], Generator[Any, Any, dict[str, Any]]]

OTHERWISE_TESTED = {"apply_event"}
"""Activities that no scenario reaches: the one for decisions that are raised as events of the sidecar."""


VERSIONS = by_workflow(WORKFLOWS)


@cache
def read(path: Path) -> list[History]:
    histories = read_histories(path)
    for history in histories:
        began = next(event for event in history.events if event.HasField("workflowStarted"))
        # The first recordings are older than the names of versions; their code became version 1.
        began.workflowStarted.version.name = began.workflowStarted.version.name or "1"
    return histories


@pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}-{scenario_of(path)}")
def test_the_recorded_histories_of_a_scenario_replay(path: Path) -> None:
    histories = read(path)
    assert [str(difference) for history in histories if (difference := replay(history, VERSIONS))] == []
    assert {history.workflow for history in histories} <= VERSIONS.keys()


def test_every_scenario_that_places_an_order_has_recorded_histories() -> None:
    recorded = {scenario_of(path) for path in files()}
    missing = {scenario.name for scenario in SCENARIOS} - recorded
    assert not missing, f"run `make record-histories` and commit the files of {sorted(missing)}"


def test_the_recordings_have_every_activity_and_every_workflow() -> None:
    events = [event for path in files() for history in read(path) for event in history.events]
    activities = {event.taskScheduled.name for event in events if event.HasField("taskScheduled")}
    calls = [call for call in vars(contracts).values() if isinstance(call, contracts.ActivityCall)]
    assert activities | OTHERWISE_TESTED == {call.name for call in calls} | OTHERWISE_TESTED
    assert {event.executionStarted.name for event in events if event.HasField("executionStarted")} == {*VERSIONS}


def differences(changed: Workflow) -> dict[str, list[tuple[History, Difference]]]:
    """Return what differs in the recordings if this is the order workflow, by the kind of the difference."""
    workflows = {"order_workflow": changed, "charge_workflow": charge_workflow, "shipment_workflow": shipment_workflow}
    found: dict[str, list[tuple[History, Difference]]] = {}
    for history in [each for path in files() for each in read(path)]:
        difference = replay(history, workflows)
        if difference is not None:
            found.setdefault(difference.kind, []).append((history, difference))
    return found


def event_of(history: History, difference: Difference) -> Any:
    return history.events[difference.number - 1]


def test_the_unchanged_order_workflow_differs_nowhere() -> None:
    assert differences(order_workflow) == {}


def test_a_step_added_before_the_reservation_is_found_at_the_event_of_the_reservation() -> None:
    def changed(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
        yield ctx.call_activity("screen", input=payload)
        return (yield from order_workflow(ctx, payload))

    found = differences(changed)
    assert set(found) == {Kind.OTHER_ACTIVITY}
    for history, difference in found[Kind.OTHER_ACTIVITY]:
        event = event_of(history, difference)
        assert (history.workflow, event.eventId, event.taskScheduled.name) == ("order_workflow", 1, "reserve")
        assert "The code asks for activity 'screen'" in str(difference)


def test_a_removed_last_step_is_found_at_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def skipped(ctx: DaprWorkflowContext, step: contracts.OrderStep) -> Generator[Any, Any, contracts.Empty]:
        return contracts.Empty()
        yield

    monkeypatch.setattr(order, "RELEASE_ORDER", skipped)
    found = list(chain.from_iterable(differences(order_workflow).values()))
    assert found
    for history, difference in found:
        assert event_of(history, difference).taskScheduled.name == "release_order"


def test_reordered_undos_are_found_at_the_first_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = dict(contracts.UNDO)
    first, last = contracts.RESERVE.name, contracts.CHARGE.name
    swapped[first], swapped[last] = swapped[last], swapped[first]
    monkeypatch.setattr(order, "UNDO", swapped)
    found = differences(order_workflow)
    assert set(found) == {Kind.OTHER_ACTIVITY}
    assert {event_of(*each).taskScheduled.name for each in found[Kind.OTHER_ACTIVITY]} == {"refund"}


def test_a_shipment_before_its_charge_is_found_at_the_event_of_the_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    charge, shipment = contracts.CHARGE_WORKFLOW, contracts.SHIPMENT_WORKFLOW
    monkeypatch.setattr(order, "CHARGE_WORKFLOW", shipment)
    monkeypatch.setattr(order, "SHIPMENT_WORKFLOW", charge)
    found = differences(order_workflow)
    assert set(found) == {Kind.OTHER_CHILD}
    created = {event_of(*each).childWorkflowInstanceCreated.name for each in found[Kind.OTHER_CHILD]}
    assert created == {"charge_workflow"}


def test_an_added_step_behind_a_patch_differs_nowhere() -> None:
    def patched(ctx: DaprWorkflowContext, payload: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
        if ctx.is_patched("screening"):
            yield ctx.call_activity("screen", input=payload)
        return (yield from order_workflow(ctx, payload))

    assert differences(patched) == {}
