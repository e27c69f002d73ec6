"""The codec between the installed SDK and an engine: nothing goes out readable, everything comes in as it was."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime

from services.common.encryption.encryptor import PAYLOAD, Encryptor
from services.orderprocessing.engine.history import instance_view
from services.orderprocessing.engine.payload_codec import UNREADABLE, Codec
from services.orderprocessing.engine.worker.liveness import LivenessProbe
from services.orderprocessing.engine.worker.worker import worker_maker
from services.orderprocessing.engine.workflow_client import Client
from tests.unit.common.keyring import FakeKeys, make_encryptor
from tests.unit.orderprocessing.grpc_engine import GrpcEngine
from tests.unit.orderprocessing.polling import eventually
from tests.unit.orderprocessing.workflow_sidecar import FakeWorkflowSidecar

SECRET = "Rosalind Quimby"
GIVEN = {"customer": SECRET}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrpcEngine]:
    engine = GrpcEngine()
    monkeypatch.setattr(settings, "DAPR_GRPC_PORT", engine.port)
    yield engine
    engine.stop()


@pytest.fixture
def sealing() -> Encryptor:
    return make_encryptor()


@pytest.fixture
def client(engine: GrpcEngine, sealing: Encryptor) -> DaprWorkflowClient:
    return Client(FakeWorkflowSidecar(1), Codec(sealing)).connected()


def echo(_ctx: Any, payload: Any) -> Any:
    """An activity that gives back what it was given."""
    return {"echo": payload}


def boom(_ctx: Any, payload: Any) -> Any:
    """An activity that says too much when it fails."""
    raise ValueError(f"no order of {payload['customer']}")


def story(ctx: Any, payload: Any) -> Iterator[Any]:
    """A workflow that does each kind of thing that takes or gives data."""
    ctx.set_custom_status(f"greets {payload['customer']}")
    answer = yield ctx.call_activity("echo", input=payload)
    heard = yield ctx.wait_for_external_event("wake-up")
    yield ctx.call_child_workflow("story", input={"customer": heard["customer"]}, instance_id="child-1")
    return answer


@pytest.fixture
def worker(engine: GrpcEngine, sealing: Encryptor) -> Iterator[WorkflowRuntime]:
    pulse = LivenessProbe(lambda _instance: None, "test")
    worker = worker_maker([story], [echo, boom], pulse, [Codec(sealing)])()
    worker.start()
    yield worker
    worker.shutdown()


def opened(sealing: Encryptor, value: Any) -> Any:
    """Return what was sealed in a message's field."""
    return json.loads(sealing.decrypt_text(value.value, PAYLOAD))


def sealed(sealing: Encryptor, value: Any) -> str:
    return sealing.encrypt_text(json.dumps(value), PAYLOAD)


def started(payload: str) -> list[pb.HistoryEvent]:
    """Return the first events of a turn of `story`."""
    return [
        make.new_workflow_started_event(datetime(2026, 11, 21)),  # noqa: DTZ001 - as the SDK has it
        make.new_execution_started_event("story", "order-A1", payload),
    ]


def turn(engine: GrpcEngine, past: list[pb.HistoryEvent], new: list[pb.HistoryEvent]) -> Any:
    """Let the worker take a turn of `story` and return its answer."""
    before = len(engine.answers(pb.WorkflowResponse))
    engine.hand_out(workflowRequest=pb.WorkflowRequest(instanceId="order-A1", pastEvents=past, newEvents=new))
    eventually(lambda: len(engine.answers(pb.WorkflowResponse)) > before)
    return engine.answers(pb.WorkflowResponse)[-1]


def run_activity(engine: GrpcEngine, name: str, payload: str) -> Any:
    """Let the worker run an activity and return its answer."""
    request = pb.ActivityRequest(
        name=name,
        taskId=3,
        workflowInstance=pb.WorkflowInstance(instanceId="order-A1"),
        input=make.get_string_value(payload),
    )
    engine.hand_out(activityRequest=request)
    eventually(lambda: bool(engine.answers(pb.ActivityResponse)))
    return engine.answers(pb.ActivityResponse)[-1]


def test_what_a_client_sends_is_sealed_and_what_it_asks_for_is_opened(
    engine: GrpcEngine, client: DaprWorkflowClient, sealing: Encryptor
) -> None:
    client.schedule_new_workflow("story", input=GIVEN, instance_id="order-A1")
    client.raise_workflow_event("order-A1", "wake-up", data=GIVEN)
    client.rerun_workflow_from_event("order-A1", 1, new_instance_id="order-A2", input=GIVEN)
    assert SECRET.encode() not in engine.on_the_wire()
    assert [opened(sealing, one.input) for one in engine.received] == [GIVEN] * 3
    state = client.get_workflow_state("order-A1", fetch_payloads=True)
    assert state is not None
    assert json.loads(state.serialized_input) == GIVEN


def test_histories_are_read_opened(engine: GrpcEngine, sealing: Encryptor) -> None:
    engine.histories["order-A1"] = [*started(sealed(sealing, GIVEN)), make.new_task_completed_event(1, '{"plain": 1}')]
    events = Client(FakeWorkflowSidecar(1), Codec(sealing)).full_history("order-A1")
    assert events is not None
    view = instance_view("order-A1", events)["events"]
    assert view[1]["input"] == GIVEN
    assert view[2]["result"] == {"plain": 1}, "what was written before encryption stays readable"


def test_the_history_of_a_rerun_is_opened_under_its_new_name(engine: GrpcEngine, sealing: Encryptor) -> None:
    engine.histories["order-A1-again"] = started(sealed(sealing, GIVEN))
    events = Client(FakeWorkflowSidecar(1), Codec(sealing)).full_history("order-A1-again")
    assert events is not None
    assert instance_view("order-A1-again", events)["events"][1]["input"] == GIVEN


@pytest.mark.usefixtures("worker")
def test_an_activity_is_given_and_gives_sealed_data_and_knows_nothing_of_it(
    engine: GrpcEngine, sealing: Encryptor
) -> None:
    answer = run_activity(engine, "echo", sealed(sealing, GIVEN))
    assert opened(sealing, answer.result) == {"echo": GIVEN}
    assert SECRET.encode() not in engine.on_the_wire()


@pytest.mark.usefixtures("worker")
def test_what_a_failure_says_is_sealed(engine: GrpcEngine, sealing: Encryptor) -> None:
    failure = run_activity(engine, "boom", sealed(sealing, GIVEN)).failureDetails
    assert failure.errorType == "ValueError"
    assert sealing.decrypt_text(failure.errorMessage, PAYLOAD) == f"no order of {SECRET}"
    assert "in boom" in sealing.decrypt_text(failure.stackTrace.value, PAYLOAD)
    assert SECRET.encode() not in engine.on_the_wire()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("written", ["sealed", "plain"])
def test_a_workflow_is_replayed_from_sealed_and_from_plain_history(
    engine: GrpcEngine, sealing: Encryptor, written: str
) -> None:
    def kept(value: Any) -> str:
        return sealed(sealing, value) if written == "sealed" else json.dumps(value)

    past = started(kept(GIVEN))
    first = turn(engine, [], past)
    assert opened(sealing, first.actions[0].scheduleTask.input) == GIVEN
    assert sealing.decrypt_text(first.customStatus.value, PAYLOAD) == f"greets {SECRET}"
    past += [make.new_task_scheduled_event(1, "echo"), make.new_task_completed_event(1, kept({"echo": GIVEN}))]
    past.append(make.new_timer_created_event(2, make.OPTIONAL_TIMER_FIRE_AT))
    heard = make.new_event_raised_event("wake-up", kept(GIVEN))
    child = turn(engine, past, [heard]).actions[0].createChildWorkflow
    assert opened(sealing, child.input) == GIVEN
    past += [heard, make.new_child_workflow_created_event(3, "story", "child-1")]
    end = turn(engine, past, [make.new_child_workflow_completed_event(3, kept("done"))]).actions[0].completeWorkflow
    assert opened(sealing, end.result) == {"echo": GIVEN}
    assert SECRET.encode() not in engine.on_the_wire()


@pytest.mark.usefixtures("worker")
def test_changed_data_fail_an_activity_by_name(
    engine: GrpcEngine, sealing: Encryptor, caplog: pytest.LogCaptureFixture
) -> None:
    payload = sealed(sealing, GIVEN)
    failure = run_activity(engine, "echo", payload[:-6] + "AAAA==").failureDetails
    assert failure.errorType == "UnreadablePayloadError"
    told = sealing.decrypt_text(failure.errorMessage, PAYLOAD)
    assert told.startswith("order-A1#3: payload of the workflow engine was changed")
    assert "order-A1#3" in _logged(caplog)


@pytest.mark.usefixtures("worker")
def test_changed_data_anywhere_in_a_history_fail_the_instance_by_name_and_nothing_else(
    engine: GrpcEngine, sealing: Encryptor, caplog: pytest.LogCaptureFixture
) -> None:
    past = started(sealed(sealing, GIVEN))
    past.append(make.new_task_scheduled_event(1, "echo"))
    spoilt = make.new_task_completed_event(1, sealed(sealing, {"echo": GIVEN})[:-6] + "AAAA==")
    answer = turn(engine, past, [spoilt])
    end = answer.actions[0].completeWorkflow
    assert end.workflowStatus == pb.ORCHESTRATION_STATUS_FAILED
    assert end.failureDetails.errorType == "UnreadablePayloadError"
    told = sealing.decrypt_text(end.failureDetails.errorMessage, PAYLOAD)
    assert told.startswith("order-A1: payload of the workflow engine was changed")
    assert "order-A1: " in _logged(caplog)
    answer = run_activity(engine, "echo", sealed(sealing, GIVEN))
    assert opened(sealing, answer.result) == {"echo": GIVEN}, "the others' work goes on"


def test_a_payload_without_its_key_says_so_where_it_would_stand(engine: GrpcEngine) -> None:
    engine.histories["order-A1"] = started(sealed(make_encryptor(FakeKeys("lost")), GIVEN))
    events = Client(FakeWorkflowSidecar(1), Codec(Encryptor())).full_history("order-A1")
    assert events is not None
    shown = instance_view("order-A1", events)["events"][1]["input"]
    assert shown.startswith(f"{UNREADABLE}order-A1: ")
    assert "encrypted with the key 'lost'" in shown


def test_without_encryption_payloads_go_as_they_are(engine: GrpcEngine) -> None:
    client = Client(FakeWorkflowSidecar(1), Codec(Encryptor())).connected()
    client.schedule_new_workflow("story", input=GIVEN, instance_id="order-A1")
    assert json.loads(engine.received[0].input.value) == GIVEN


def test_names_and_ids_are_left_as_they_are(engine: GrpcEngine, client: DaprWorkflowClient) -> None:
    client.schedule_new_workflow("story", input=GIVEN, instance_id="order-A1")
    assert (engine.received[0].name, engine.received[0].instanceId) == ("story", "order-A1")


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what the codec logged as errors."""
    lines = [line for line in caplog.records if line.levelno == logging.ERROR and line.name.endswith("codec")]
    return " ".join(str(vars(line)["cause"]) for line in lines)
