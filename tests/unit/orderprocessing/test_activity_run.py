"""The record of an activity's run, in results and failures, and what the history shows of it."""

import json
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as events
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine.activity_run import (
    ActivityRun,
    add_run,
    add_run_to_failure,
    add_tries,
    engine_try_number,
    run_of_failure,
    split_run,
    try_number,
    without_engine_tries,
    without_try,
)
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.workflows.contracts import FulfillmentProgress, OrderStep
from tests.driver import activity_context
from tests.unit.orderprocessing.world import AT_A, WORKER, World

RUN = ActivityRun(
    worker="worker-1", worker_version="v1", started_at="2026-11-21T09:00:00.000Z", duration_ms=12, try_number=2
)
SHOWN = {
    "worker": "worker-1",
    "workerVersion": "v1",
    "startedAt": "2026-11-21T09:00:00.000Z",
    "durationMs": 12,
    "try": 2,
}


def only(event: pb.HistoryEvent) -> dict[str, Any]:
    """Return the one event of an instance as the history shows it."""
    return dict(instance_view("order-A1", [event])["events"][0])


def completed(result: str) -> pb.HistoryEvent:
    return events.new_task_completed_event(1, result)


def test_a_result_without_its_record_is_the_original_result() -> None:
    result = {"outcome": "done", "announced": 3}
    text, run = split_run(json.dumps(add_run(result, RUN)))
    assert (json.loads(text), run) == (result, RUN)


@pytest.mark.parametrize(
    "payload", ['{"a": 1}', "[1]", '"_run"', "null", "", "no JSON", '{"_run": 1}', '{"_run": {"worker": "a"}}']
)
def test_a_result_without_a_valid_record_stays_as_it_is(payload: str) -> None:
    assert split_run(payload) == (payload, None)


def test_workflow_code_ignores_the_record() -> None:
    result = FulfillmentProgress.model_validate(add_run({"outcome": "done", "announced": 3}, RUN))
    assert result.to_json() == {"outcome": "done", "announced": 3, "orderEnded": False}


def test_activity_code_ignores_the_number_of_the_try() -> None:
    given = json.loads(add_tries('{"orderId": "A1", "announced": 2}', 2))
    assert OrderStep.model_validate(given).to_json() == {"orderId": "A1", "announced": 2}
    assert (try_number(given), without_try(given)) == (3, {"orderId": "A1", "announced": 2})


@pytest.mark.parametrize("payload", ["", "null", "[1]", "no JSON"])
def test_only_an_input_that_is_an_object_gets_a_number(payload: str) -> None:
    assert add_tries(payload, 1) == payload
    assert without_try(payload) == payload


def test_an_input_without_a_number_belongs_to_the_first_try() -> None:
    assert try_number({"orderId": "A1"}) == 1


def test_the_tries_of_the_engine_and_of_the_workflow_add_up() -> None:
    given = json.loads(add_tries('{"orderId": "A1", "_try": 3}', 2))
    assert (try_number(given), engine_try_number(given)) == (5, 3)
    assert without_try(given) == {"orderId": "A1"}


@pytest.mark.parametrize("given", ['{"orderId": "A1"}', '{"orderId": "A1", "_try": 3}', "null", "no JSON"])
def test_the_input_that_the_workflow_gave_can_be_restored(given: str) -> None:
    assert without_engine_tries(add_tries(given, 2)) == without_engine_tries(given) == given


def test_the_logged_pause_depends_on_the_tries_of_the_engine_only(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.place(AT_A)
    world.shop.down.add("inventory")
    given = {"orderId": "A1", "announced": 0, "_try": 7}
    for payload in (given, json.loads(add_tries(json.dumps(given), 2))):
        with pytest.raises(TransientError):
            world.driver.activities["reserve"](activity_context(), payload)
    pauses = [line.rpartition("again in ")[2] for line in caplog.messages if "trying again" in line]
    assert pauses == ["0.5 s", "2 s"]


def test_a_charge_that_the_workflow_repeats_is_numbered(world: World) -> None:
    world.shop.down.add("billing")
    world.place(AT_A)
    world.run(5)
    world.shop.down.clear()
    world.finish()
    instances = world.send("GET", "/orders/A1/history").get_json()
    charges = [event for one in instances for event in one["events"] if event["name"] == "charge" and event["run"]]
    tries = [(event["run"]["try"], event["result"]["outcome"]) for event in charges]
    assert len(tries) > 2
    assert tries == [(number, "unavailable") for number in range(1, len(tries))] + [(len(tries), "done")]


def test_a_failure_keeps_its_type_and_message_beside_the_record() -> None:
    failure = events.new_failure_details(ValueError("out of paper"))
    add_run_to_failure(failure, RUN)
    assert (failure.errorType, failure.errorMessage, run_of_failure(failure)) == ("ValueError", "out of paper", RUN)


@pytest.mark.parametrize("message", ["", "no JSON", "1", "{}"])
def test_a_failure_without_a_valid_record_has_none(message: str) -> None:
    failure = events.new_failure_details(ValueError("out of paper"))
    assert run_of_failure(failure) is None
    failure.innerFailure.errorType, failure.innerFailure.errorMessage = "ActivityRun", message
    assert run_of_failure(failure) is None
    failure.innerFailure.errorType, failure.innerFailure.errorMessage = "OSError", json.dumps(RUN.to_json())
    assert run_of_failure(failure) is None


def test_the_history_shows_the_run_of_a_completed_activity_apart_from_its_result() -> None:
    shown = only(completed(json.dumps(add_run({"outcome": "done"}, RUN))))
    assert (shown["result"], shown["run"]) == ({"outcome": "done"}, SHOWN)


def test_the_history_shows_the_run_of_a_failed_try() -> None:
    event = events.new_task_failed_event(1, ValueError("out of paper"))
    add_run_to_failure(event.taskFailed.failureDetails, RUN)
    shown = only(event)
    assert (shown["failure"], shown["run"]) == ({"type": "ValueError", "message": "out of paper"}, SHOWN)


def test_the_history_shows_the_input_of_a_repeated_activity_without_the_number() -> None:
    event = events.new_task_scheduled_event(3, "reserve", add_tries('{"orderId": "A1"}', 1))
    assert only(event)["input"] == {"orderId": "A1"}


def test_the_run_of_a_long_result_is_shown_and_the_result_truncated() -> None:
    shown = only(completed(json.dumps(add_run({"text": "x" * 5000}, RUN))))
    assert shown["run"] == SHOWN
    assert "_run" not in shown["result"]
    assert shown["result"].endswith("… (truncated, 5012 characters in total)")


@pytest.mark.parametrize("payload", ['{"outcome": "done"}', "not JSON", "null"])
def test_a_history_from_before_the_record_shows_no_run(payload: str) -> None:
    assert only(completed(payload))["run"] is None


def test_every_activity_of_an_order_names_its_worker(world: World) -> None:
    world.place(AT_A)
    world.finish()
    instances = world.send("GET", "/orders/A1/history").get_json()
    ended = [event for one in instances for event in one["events"] if event["type"] == "taskCompleted"]
    assert {event["name"] for event in ended} >= {"reserve", "charge", "book", "follow_courier"}
    for event in ended:
        assert (event["run"]["worker"], event["run"]["workerVersion"]) == (WORKER.name, WORKER.version)
        assert event["run"]["try"] == 1
        assert event["run"]["startedAt"] >= "2026-11-21T09:00:00"
        assert "_run" not in event["result"]
    others = [event["run"] for one in instances for event in one["events"] if event["type"] != "taskCompleted"]
    assert set(others) == {None}
