"""The engine's client, and the calls of the other services."""

import threading
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowHistoryEventType, WorkflowStatus

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.states import FulfillmentStatus
from services.orderprocessing.adapters.service_clients import Shipping
from services.orderprocessing.domain.ids import new_order_id
from services.orderprocessing.domain.order import Fulfillment
from services.orderprocessing.engine import engine as engine_module
from services.orderprocessing.engine import workflow_client
from services.orderprocessing.engine.engine import Engine
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.registry import WORKFLOWS, bound_activities
from services.orderprocessing.workflows.policies import Timeouts
from services.orderprocessing.workflows.versions import version_of
from tests.fakes import FakeClock, FakeSidecar
from tests.unit.orderprocessing.polling import eventually
from tests.unit.orderprocessing.workflow_client import FakeWorkflowClient, Refusal
from tests.unit.orderprocessing.workflow_sidecar import FakeWorkflowSidecar
from tests.unit.orderprocessing.world import WORKER, World

TIMEOUTS = Timeouts(charge=3, booking=4, longest_try=6)


@pytest.fixture
def client() -> FakeWorkflowClient:
    return FakeWorkflowClient()


@pytest.fixture
def engine(client: FakeWorkflowClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(workflow_client, "DaprWorkflowClient", client.connect)
    engine = Engine(FakeWorkflowSidecar(1), TIMEOUTS)
    yield engine
    engine.stop()


def test_an_order_is_started_with_its_timeouts(engine: Engine, client: FakeWorkflowClient) -> None:
    engine.start("A1")
    run = {"orderId": "A1", "chargeTimeout": 3.0, "bookingTimeout": 4.0, "longestTry": 6.0}
    assert client.started == [("order_workflow", run, "order-A1")]


def test_an_order_that_runs_already_may_be_started_again(engine: Engine, client: FakeWorkflowClient) -> None:
    client.error = Refusal(grpc.StatusCode.ALREADY_EXISTS)
    engine.start("A1")


def test_signals_are_sent_and_an_instance_that_has_ended_is_no_error(
    engine: Engine, client: FakeWorkflowClient
) -> None:
    engine.signal(["order-A1", "charge-A1-1"])
    assert sorted(client.signalled) == [("charge-A1-1", "wake-up"), ("order-A1", "wake-up")]
    for error in (Refusal(grpc.StatusCode.NOT_FOUND), Refusal(grpc.StatusCode.UNKNOWN, "no such instance exists")):
        client.error = error
        engine.signal(["order-A1"])


def test_a_signal_that_fails_does_not_hold_back_the_others(engine: Engine, client: FakeWorkflowClient) -> None:
    client.error, client.rejects = Refusal(grpc.StatusCode.INTERNAL), "charge-A1-1"
    with pytest.raises(TransientError, match="charge-A1-1"):
        engine.signal(["charge-A1-1", "shipment-A1-1"])
    assert client.signalled == [("shipment-A1-1", "wake-up")]


def test_an_unavailable_engine_is_a_transient_error_and_gets_the_messages_when_it_is_back(
    engine: Engine, client: FakeWorkflowClient
) -> None:
    client.error = Refusal(grpc.StatusCode.UNAVAILABLE)
    calls = (lambda: engine.start("A1"), lambda: engine.signal(["order-A1"]), lambda: engine.workflow_state("A1"))
    for call in calls:
        with pytest.raises(TransientError):
            call()
    client.error = None
    eventually(lambda: bool(client.started and client.signalled))
    assert [one[2] for one in client.started] == ["order-A1"]
    assert client.signalled == [("order-A1", "wake-up")]


_AT = datetime(2126, 11, 21)  # noqa: DTZ001 - as the SDK gives it, and not too long ago
_RESULT_BEFORE_ITS_CAUSE = [
    SimpleNamespace(
        event_type=WorkflowHistoryEventType.TASK_COMPLETED, event_id=-1, task_scheduled_id=3, timestamp=_AT
    ),
    SimpleNamespace(
        event_type=WorkflowHistoryEventType.TIMER_FIRED, event_id=-1, task_scheduled_id=None, timestamp=_AT
    ),
    SimpleNamespace(
        event_type=WorkflowHistoryEventType.TASK_SCHEDULED, event_id=3, task_scheduled_id=None, timestamp=_AT
    ),
]


@pytest.mark.parametrize(
    ("status", "stuck"), [(None, False), (WorkflowStatus.COMPLETED, False), (WorkflowStatus.RUNNING, True)]
)
def test_only_a_running_instance_can_be_stuck(
    engine: Engine, client: FakeWorkflowClient, status: WorkflowStatus | None, stuck: bool
) -> None:
    client.history = _RESULT_BEFORE_ITS_CAUSE
    client.state = SimpleNamespace(runtime_status=status) if status else None
    assert engine.is_stuck("order-A1") is stuck


def test_terminating_an_order_terminates_its_children(engine: Engine, client: FakeWorkflowClient) -> None:
    engine.terminate("A1")
    assert client.terminated == [("order-A1", True)]


def test_a_missing_workflow_is_not_stuck_and_needs_no_termination(engine: Engine, client: FakeWorkflowClient) -> None:
    client.error = Refusal(grpc.StatusCode.NOT_FOUND)
    assert not engine.is_stuck("order-A1")
    engine.terminate("A1")


def test_an_unavailable_engine_neither_answers_nor_terminates(engine: Engine, client: FakeWorkflowClient) -> None:
    client.error = Refusal(grpc.StatusCode.UNAVAILABLE)
    for call in (lambda: engine.is_stuck("order-A1"), lambda: engine.terminate("A1")):
        with pytest.raises(TransientError):
            call()


def test_after_an_outage_the_engine_is_connected_anew(engine: Engine, client: FakeWorkflowClient) -> None:
    client.error = Refusal(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(TransientError):
        engine.is_running("A1")
    client.error = Refusal(grpc.StatusCode.INTERNAL)
    with pytest.raises(TransientError):
        engine.is_running("A1")
    client.error = None
    assert not engine.is_running("A1")
    assert client.connections == 2


def test_the_state_of_a_workflow_is_shown(engine: Engine, client: FakeWorkflowClient) -> None:
    assert engine.workflow_state("A1") is None
    client.state = SimpleNamespace(
        instance_id="order-A1",
        runtime_status=SimpleNamespace(name="FAILED"),
        created_at=datetime(2026, 11, 21, 9),  # noqa: DTZ001 - as the SDK gives it
        last_updated_at=datetime(2026, 11, 21, 10),  # noqa: DTZ001
        failure_details=SimpleNamespace(error_type="ValueError"),
    )
    assert engine.workflow_state("A1") == {
        "instanceId": "order-A1",
        "status": "FAILED",
        "createdAt": "2026-11-21T09:00:00.000Z",
        "updatedAt": "2026-11-21T10:00:00.000Z",
        "failure": "ValueError",
    }


def test_histories_of_existing_instances_are_returned(engine: Engine, client: FakeWorkflowClient) -> None:
    client.messages = {"order-A1": [], "shipment-A1-1": []}
    told = engine.history(["order-A1", "charge-A1-1", "shipment-A1-1"])
    assert [one["instanceId"] for one in told] == ["order-A1", "shipment-A1-1"]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_history_that_the_engine_does_not_return_is_a_transient_error(
    engine: Engine, client: FakeWorkflowClient, code: grpc.StatusCode
) -> None:
    client.error = Refusal(code)
    with pytest.raises(TransientError):
        engine.history(["order-A1"])


def test_reading_histories_has_a_timeout(
    engine: Engine, client: FakeWorkflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_HISTORY_TIMEOUT", 0.05)
    answered = threading.Event()
    monkeypatch.setattr(client, "get_instance_history", lambda _instance: answered.wait() and [])
    try:
        with pytest.raises(TransientError):
            engine.history(["order-A1"])
    finally:
        answered.set()


def test_the_installed_sdk_has_what_histories_are_read_with_and_interceptors_are_put_into() -> None:
    sdk = DaprWorkflowClient(host="127.0.0.1", port="1")
    inner = getattr(sdk, workflow_client._INNER_CLIENT)
    assert callable(inner.get_instance_history)
    asked: list[str] = []

    class Notes(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            asked.append(details.method)
            return continuation(details, request)

    workflow_client._join(sdk, Notes())
    with pytest.raises(grpc.RpcError):
        sdk.terminate_workflow("order-A1")
    assert [method.rpartition("/")[2] for method in asked] == ["TerminateInstance"]


@pytest.mark.parametrize(
    ("connected", "elsewhere", "count"), [(2, 0, 2), (0, 0, 0), (2, 3, 5), (0, 3, 3), (None, 3, 0)]
)
def test_workers_of_all_sidecars_are_counted(connected: int | None, elsewhere: int, count: int) -> None:
    timeouts = Timeouts(charge=1, booking=1, longest_try=1)
    assert Engine(FakeWorkflowSidecar(connected), timeouts, None, lambda: elsewhere).workers() == count


def test_without_a_sidecar_nothing_starts() -> None:
    engine = Engine(FakeWorkflowSidecar(None), Timeouts(charge=1, booking=1, longest_try=1))
    with pytest.raises(TransientError):
        engine.start("A1")
    engine.stop()


def test_a_cancelled_booking_is_distinguished_from_other_refusals() -> None:
    sidecar, code = FakeSidecar(), ["bookingCancelled"]

    def refuse(_method: str, _path: str, _body: object) -> dict[str, Any]:
        raise RefusedError("shipping", 409, {"code": code[0]})

    sidecar.answers["shipping"] = refuse
    one = Fulfillment(id="A1:1", location="Warehouse A", status=FulfillmentStatus.PROCESSING, items=[])
    assert Shipping(sidecar).book("A1", one) is None
    code[0] = "bookingExists"
    with pytest.raises(RefusedError):
        Shipping(sidecar).book("A1", one)


def test_ids_sort_by_time_and_have_the_shape_of_an_order_id() -> None:
    clock = FakeClock()
    ids = []
    for _ in range(50):
        clock.advance(0.001)
        ids.append(new_order_id(clock()))
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {19}


def test_every_workflow_and_activity_has_the_name_that_it_is_called_by(world: World) -> None:
    names = [activity.__name__ for activity in bound_activities(world.deps, ActivityRecorder(WORKER))]
    assert len(set(names)) == len(names) == 14
    assert [one.__name__ for one in WORKFLOWS] == ["order_workflow", "charge_workflow", "shipment_workflow"]


def test_each_workflow_has_exactly_one_latest_version() -> None:
    declared = [version_of(workflow) for workflow in WORKFLOWS]
    latest = [version.workflow for version in declared if version and version.is_latest]
    assert sorted(latest) == ["charge_workflow", "order_workflow", "shipment_workflow"]
    assert None not in declared


def test_a_stalled_instance_is_running_and_is_left_to_the_engine(
    engine: Engine, client: FakeWorkflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.history = _RESULT_BEFORE_ITS_CAUSE
    client.state = SimpleNamespace(runtime_status=WorkflowStatus.STALLED)
    assert engine.is_running("A1")
    assert not engine.is_stuck("order-A1")
    assert "a workflow is stalled" in caplog.text


def test_the_sdk_is_configured_with_the_address_and_the_token_of_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAPR_API_TIMEOUT_SECONDS", "DAPR_HTTP_PORT", "DAPR_GRPC_PORT", "DAPR_API_TOKEN"):
        monkeypatch.setattr(settings, name, None)
    config = ServiceConfig(app_port=1, dapr_http_port=2, call_timeout=3, dapr_api_token="sesame", app_api_token="x")
    workflow_client.configure_sdk(config, 4)
    told = (
        settings.DAPR_HTTP_PORT,
        settings.DAPR_GRPC_PORT,
        settings.DAPR_API_TIMEOUT_SECONDS,
        settings.DAPR_API_TOKEN,
    )
    assert told == (2, 4, 3, "sesame")
