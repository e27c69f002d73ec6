import threading
from functools import partial
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.load_generator.latency_stats import LatencyWindow, StatusLatencies, quantile
from services.load_generator.run import Run, RunLimits
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from services.web.live.generator import LoadGenerator
from services.web.live.hub import Hub
from services.web.live.metrics import Metrics
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.web.fake_orders import FakeOrders
from tests.unit.web.fakes import FakeShop, problem

QUICK = StreamSettings(rate=20, duration=5, dispatch_after=0, deliver_after=0)


class FakeClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def at(second: float) -> str:
    return f"2026-11-21T10:00:{second:06.3f}Z"


def event(order_id: str, status: str, second: float) -> dict[str, Any]:
    return {"type": f"order.{status}", "orderId": order_id, "time": at(second)}


def services(**more: Any) -> FakeShop:
    shop = FakeShop()
    for number, kind in enumerate(("orders", "charge", "shipments")):
        shop.on("orderprocessing", "GET", f"{kind}/stats", {"workerCount": 2, "backlog": number, **more})
    return shop


def metrics_of(shop: FakeShop | FakeOrders, hub: Hub | None = None) -> Metrics:
    hub = hub or Hub(1)
    hub.set_connected(True)
    return Metrics(Backend(shop), lambda: None, hub)


def has_sent(run: Run) -> bool:
    return run.summary()["sent"] >= 2


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0, 0.5, 0.95, 1)] == [1, 3, 4, 4]
    assert quantile([7], 0.95) == 7


def test_a_window_drops_values_older_than_ten_seconds() -> None:
    clock = FakeClock()
    window = LatencyWindow(clock)
    assert window.percentiles() is None
    for number in range(100):
        window.add(number)
    assert window.percentiles() == (50, 95)
    clock.now = 5
    window.add(1000)
    clock.now = 10.1
    assert window.percentiles() == (1000, 1000)
    clock.now = 20
    assert window.percentiles() is None


def test_latencies_start_when_the_order_was_received() -> None:
    latencies = StatusLatencies(FakeClock())
    for status, second in (("received", 1.0), ("processing", 1.25), ("completed", 4.0), ("reserved", 1.2)):
        latencies.on_event("a", status, at(second))
    assert latencies.percentiles() == {"processing": (0.25, 0.25), "completed": (3.0, 3.0)}


def test_the_order_and_repetition_of_events_do_not_matter() -> None:
    latencies = StatusLatencies(FakeClock())
    for status, second in (("completed", 4.0), ("processing", 1.25), ("received", 1.0), ("completed", 4.0)):
        latencies.on_event("a", status, at(second))
    latencies.on_event("b", "received", at(1.0))
    latencies.on_event("b", "completed", at(2.0))
    assert latencies.percentiles() == {"processing": (0.25, 0.25), "completed": (3.0, 3.0)}
    latencies.on_event("unknown", "completed", at(2.0))
    assert latencies.percentiles()["completed"] == (3.0, 3.0)


def test_a_point_has_the_rates_since_the_last_one() -> None:
    metrics = metrics_of(services())
    for order_id in ("a", "b"):
        metrics.on_event(event(order_id, "received", 1))
    metrics.on_event(event("a", "completed", 3))
    metrics.on_event({"type": "shipment.booked", "orderId": "a", "time": at(2)})
    metrics._sampled_at -= 1
    point = metrics.sample()
    assert point["received"] == pytest.approx(2, abs=0.3)
    assert point["completed"] == pytest.approx(1, abs=0.2)
    assert (point["failed"], point["latency"]) == (0, {"completed": [2.0, 2.0]})
    assert metrics.sample()["received"] == 0


def test_a_point_has_the_backlogs_and_workers_of_the_last_poll() -> None:
    metrics = metrics_of(services())
    assert "workers" not in metrics.sample()
    metrics.poll()
    point = metrics.sample()
    assert (point["workers"], point["backlog"]) == (2, {"orders": 0, "charge": 1, "shipments": 2})


def test_the_state_of_each_worker_accompanies_the_points_until_it_is_unknown() -> None:
    shop = services()
    metrics = metrics_of(shop)
    assert metrics.live_state() == {"run": None, "workerStates": None}
    worker = {"name": "host-1", "version": "v1", "status": "running", "since": at(1), "lastSeenAt": at(2)}
    shop.on("orderprocessing", "GET", "workers", [worker])
    metrics.poll()
    assert metrics.live_state()["workerStates"] == [["host-1", at(1), "running"]]
    assert "workerStates" not in metrics.sample()
    shop.on("orderprocessing", "GET", "workers", TransientError("connection failed"))
    metrics.poll()
    assert metrics.live_state()["workerStates"] is None


@pytest.mark.parametrize(
    "refusal", [TransientError("connection failed"), problem(404, "notFound", "no such statistics")]
)
def test_backlogs_and_workers_are_unknown_after_a_failed_poll(refusal: Exception) -> None:
    shop = services()
    metrics = metrics_of(shop)
    metrics.poll()
    shop.on("orderprocessing", "GET", "charge/stats", refusal)
    metrics.poll()
    point = metrics.sample()
    assert not {"workers", "backlog"} & set(point)


def test_while_the_api_is_down_the_number_of_workers_is_unknown_and_not_zero() -> None:
    shop = services()
    metrics = metrics_of(shop)
    no_process = TransientError("orderprocessing answered 500", 500, {"errorCode": "ERR_DIRECT_INVOKE"})
    for path in ("orders/stats", "charge/stats", "shipments/stats", "workers"):
        shop.on("orderprocessing", "GET", path, no_process)
    metrics.poll()
    assert not {"workers", "backlog"} & set(metrics.sample())
    assert metrics.live_state()["workerStates"] is None


def test_while_the_api_answers_without_workers_their_number_is_zero() -> None:
    metrics = metrics_of(services(workerCount=0))
    metrics.poll()
    assert metrics.sample()["workers"] == 0


@pytest.mark.parametrize(("takes", "pause"), [(0.01, 1.0), (0.1, 1.5), (0.5, 7.5), (3.0, 10.0)])
def test_slow_answers_are_polled_less_often_and_expire_later(takes: float, pause: float) -> None:
    clock, shop = FakeClock(), services()

    class Slow:
        follow = shop.follow
        page = shop.page

        def invoke(self, *call: Any) -> dict[str, Any]:
            clock.now += takes
            return shop.invoke(*call)

    metrics = Metrics(Backend(Slow()), lambda: None, Hub(1), clock)
    assert metrics.poll() == pytest.approx(pause)
    clock.now += pause + 3 * takes
    assert metrics.sample()["workers"] == 2
    clock.now += 3 + 6 * takes
    assert "workers" not in metrics.sample()


def test_rates_are_unknown_while_the_feed_is_disconnected() -> None:
    hub = Hub(1)
    metrics = metrics_of(services(), hub)
    hub.set_connected(False)
    point = metrics.sample()
    assert (point["received"], point["completed"]) == (None, None)


def test_only_the_last_ten_minutes_are_kept() -> None:
    metrics = metrics_of(services())
    for _ in range(700):
        metrics.sample()
    history = metrics.history()
    assert len(history) == 600
    assert [point["at"] for point in history] == sorted(point["at"] for point in history)


def test_nothing_is_measured_while_no_page_shows_metrics() -> None:
    hub, shop, stopping = Hub(2), services(), threading.Event()
    metrics = metrics_of(shop, hub)
    metrics.start(stopping)
    throughout(0.1, lambda: not shop.asked and not metrics.history())
    stream = hub.open(None, "", metrics=True)
    eventually(lambda: bool(metrics.history()) and bool(shop.asked))
    stream.close()
    stopping.set()


def test_a_page_receives_each_point_with_the_run() -> None:
    orders, hub = FakeOrders(), Hub(1)
    load_generator = LoadGenerator(Backend(orders), hub, RunLimits(check_every=0.01))
    orders.listen = load_generator.on_event
    stream = hub.open(None, "", metrics=True)
    pieces = iter(stream)
    assert "event: feed" in next(pieces)
    run = load_generator.start_run(QUICK)
    load_generator.start()
    text = next(pieces)
    load_generator.shut_down()
    assert "event: figures" in text
    assert run.name in text
    assert '"posts"' in text


def test_the_rates_of_a_second_run_start_at_zero() -> None:
    orders, hub = FakeOrders(), Hub(1)
    load_generator = LoadGenerator(Backend(orders), hub, RunLimits(check_every=0.01))
    for _ in range(2):
        run = load_generator.start_run(QUICK)
        eventually(partial(has_sent, run))
        point = load_generator.metrics.sample()
        assert point["sent"] > 0
        assert point["refused"] == 0
        run.end()
    eventually(lambda: "sent" not in load_generator.metrics.sample())


def test_an_invalid_event_is_skipped() -> None:
    load_generator = LoadGenerator(Backend(FakeOrders()), Hub(1))
    load_generator.on_event({"type": "order.received", "orderId": "a", "time": "yesterday"})
    load_generator.on_event(event("a", "received", 1))
    load_generator.on_event(event("a", "completed", 2))
    assert load_generator.metrics.sample()["latency"] == {"completed": [1.0, 1.0]}
