"""The recorder between the installed SDK and an engine: what it logs, and what reaches the history."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest
from dapr.conf import settings
from dapr.ext.workflow import RetryPolicy

from services.common import logs
from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import PAYLOAD, Encryptor
from services.orderprocessing.engine.activity_run import run_of_failure, split_run
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.liveness import LivenessProbe
from services.orderprocessing.engine.worker.worker import worker_maker
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity
from tests.fakes import FakeClock
from tests.unit.common.keyring import make_encryptor
from tests.unit.orderprocessing.grpc_engine import GrpcEngine
from tests.unit.orderprocessing.polling import eventually
from tests.unit.orderprocessing.world import AT_A, CUSTOMER, WORKER, World

FIRST, SECOND = WorkerIdentity("worker-1", "v1"), WorkerIdentity("worker-2", "v2")
POLICY = RetryPolicy(first_retry_interval=timedelta(seconds=1), backoff_coefficient=1.0, max_number_of_attempts=5)
TRACE_START = datetime(2026, 11, 21)  # noqa: DTZ001 - as the SDK has it


def pay(ctx: Any, payload: Any) -> Iterator[Any]:
    """A workflow of two activities, each repeated until it succeeds."""
    yield ctx.call_activity("charge", input=payload, retry_policy=POLICY)
    answer = yield ctx.call_activity("charge", input=payload, retry_policy=POLICY)
    return answer


def charge_with(recorder: ActivityRecorder) -> Callable[..., Any]:
    def charge(ctx: Any, payload: Any) -> Any:
        def work() -> dict[str, Any]:
            if payload.get("fails"):
                raise ValueError("no paper")
            return {"paid": payload["orderId"]}

        return recorder.run("charge", ctx, payload, work)

    return charge


@pytest.fixture
def engine() -> Iterator[GrpcEngine]:
    engine = GrpcEngine()
    yield engine
    engine.stop()


another_engine = engine
"""An engine gives work to all workers that ever connected, so a test of two workers needs two."""


@contextmanager
def worker(engine: GrpcEngine, identity: WorkerIdentity = FIRST, encryptor: Encryptor | None = None) -> Iterator[None]:
    recorder, liveness = ActivityRecorder(identity), LivenessProbe(lambda _instance: None, "test")
    interceptors = [recorder, Codec(encryptor or Encryptor())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "DAPR_GRPC_PORT", engine.port)
        runtime = worker_maker([pay], [charge_with(recorder)], liveness, interceptors)()
    runtime.start()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        runtime.shutdown()


def run_activity(engine: GrpcEngine, task_id: int, given: str) -> pb.ActivityResponse:
    request = pb.ActivityRequest(
        name="charge",
        taskId=task_id,
        workflowInstance=pb.WorkflowInstance(instanceId="charge-A1-1"),
        input=make.get_string_value(given),
    )
    engine.hand_out(activityRequest=request)
    answers = lambda: [one for one in engine.answers(pb.ActivityResponse) if one.taskId == task_id]  # noqa: E731
    eventually(lambda: bool(answers()))
    return answers()[-1]


class Instance:
    """A workflow instance whose history the test keeps, as the engine does."""

    def __init__(self, engine: GrpcEngine, given: str) -> None:
        self.engine = engine
        self.past: list[pb.HistoryEvent] = []
        self._new = [
            make.new_workflow_started_event(TRACE_START),
            make.new_execution_started_event("pay", "charge-A1-1", given),
        ]

    def next_action(self) -> pb.WorkflowAction:
        """Let a worker process the new events, and return the action that it takes."""
        before = len(self.engine.answers(pb.WorkflowResponse))
        request = pb.WorkflowRequest(instanceId="charge-A1-1", pastEvents=self.past, newEvents=self._new)
        self.engine.hand_out(workflowRequest=request)
        eventually(lambda: len(self.engine.answers(pb.WorkflowResponse)) > before)
        self.past, self._new = [*self.past, *self._new], []
        return self.engine.answers(pb.WorkflowResponse)[-1].actions[0]

    def scheduled(self) -> pb.ScheduleTaskAction:
        """Let a worker schedule an activity, and keep that in the history."""
        action = self.next_action()
        assert action.HasField("scheduleTask"), action
        event = make.new_task_scheduled_event(action.id, "charge", action.scheduleTask.input.value)
        event.taskScheduled.taskExecutionId = action.scheduleTask.taskExecutionId
        self.past.append(event)
        self._task_id = action.id
        return action.scheduleTask

    def fail(self) -> None:
        """Report that the activity failed, and let the pause before the next try pass."""
        self._new = [make.new_task_failed_event(self._task_id, ValueError("no paper"))]
        timer = self.next_action()
        assert timer.HasField("createTimer"), timer
        self.past.append(make.new_timer_created_event(timer.id, timer.createTimer.fireAt))
        self._new = [make.new_timer_fired_event(timer.id, timer.createTimer.fireAt.ToDatetime())]

    def complete(self, result: str) -> None:
        self._new = [make.new_task_completed_event(self._task_id, result)]


def test_a_result_carries_the_record_of_its_run(engine: GrpcEngine) -> None:
    with worker(engine):
        text, run = split_run(run_activity(engine, 3, '{"orderId": "A1"}').result.value)
    assert json.loads(text) == {"paid": "A1"}
    assert run is not None
    assert (run.worker, run.worker_version, run.try_number) == ("worker-1", "v1", 1)


def test_a_failure_carries_the_record_of_its_run(engine: GrpcEngine) -> None:
    with worker(engine):
        failure = run_activity(engine, 3, '{"orderId": "A1", "fails": true, "_try": 2}').failureDetails
    assert (failure.errorType, failure.errorMessage) == ("ValueError", "no paper")
    run = run_of_failure(failure)
    assert run is not None
    assert (run.worker, run.try_number) == ("worker-1", 2)


def test_with_encryption_the_records_are_encrypted_too(engine: GrpcEngine) -> None:
    encryptor = make_encryptor()
    with worker(engine, encryptor=encryptor):
        given = encryptor.encrypt_text('{"orderId": "A1"}', PAYLOAD)
        answer = run_activity(engine, 3, given)
        fails = encryptor.encrypt_text('{"orderId": "A1", "fails": true}', PAYLOAD)
        failure = run_activity(engine, 4, fails).failureDetails
    assert b"worker-1" not in engine.on_the_wire()
    Codec(encryptor).opened(failure)
    runs = [split_run(encryptor.decrypt_text(answer.result.value, PAYLOAD))[1], run_of_failure(failure)]
    assert [run.worker for run in runs if run] == ["worker-1", "worker-1"]


def test_the_tries_of_an_activity_are_counted_whichever_worker_schedules_them(
    engine: GrpcEngine, another_engine: GrpcEngine
) -> None:
    instance = Instance(engine, '{"orderId": "A1"}')
    with worker(engine):
        inputs = [instance.scheduled().input.value]
        instance.fail()
        inputs.append(instance.scheduled().input.value)
        instance.fail()
    instance.engine = another_engine
    with worker(another_engine, SECOND):
        inputs.append(instance.scheduled().input.value)
        instance.complete('{"paid": "A1"}')
        inputs.append(instance.scheduled().input.value)
    tries = [json.loads(one).get("_try", "not numbered") for one in inputs]
    assert tries == ["not numbered", 2, 3, "not numbered"]
    assert {json.loads(one)["orderId"] for one in inputs} == {"A1"}


def test_a_worker_asks_for_whole_histories_because_tries_are_counted_in_them(engine: GrpcEngine) -> None:
    with worker(engine):
        eventually(lambda: bool(engine.answers(pb.GetWorkItemsRequest)))
    [request] = engine.answers(pb.GetWorkItemsRequest)
    assert pb.WORKER_CAPABILITY_STATEFUL_HISTORY not in request.capabilities


class Context:
    """The context that the SDK gives an activity, as far as the recorder reads it."""

    workflow_id, task_id = "charge-A1-1", 3


def test_each_run_is_logged_with_its_worker(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = iter([10.0, 10.25, 20.0, 20.5])
    recorder, context = ActivityRecorder(FIRST, FakeClock(), lambda: next(now)), cast(Any, Context())

    def fail() -> dict[str, Any]:
        raise TransientError("billing is down")

    recorder.run("charge", context, {}, lambda: {"a": 1})
    with pytest.raises(TransientError):
        recorder.run("charge", context, {"_try": 2}, fail)
    logged = [line for line in caplog.records if line.name.endswith("activity_recorder")]
    assert [line.getMessage() for line in logged] == ["activity charge completed", "activity charge failed"]
    assert [(vars(line)["durationMs"], vars(line)["try"]) for line in logged] == [(250, 1), (500, 2)]
    for line in logged:
        fields = [vars(line)[name] for name in ("activity", "worker", "workerVersion")]
        assert fields == ["charge", "worker-1", "v1"]


def test_the_line_of_a_run_names_its_order_and_never_the_customer(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    logs.set_up("INFO", "json")
    world.place(AT_A)
    world.finish()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    runs = [line for line in lines if line["message"].startswith("activity ")]
    assert {line["activity"] for line in runs} >= {"reserve", "charge", "book", "follow_courier"}
    assert {(line["orderId"], line["worker"], line["level"]) for line in runs} == {("A1", WORKER.name, "INFO")}
    assert [line for line in runs if CUSTOMER in line.values() or CUSTOMER in line["message"]] == []
