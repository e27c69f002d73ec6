import threading
from functools import partial
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.load_generator.latency_stats import Latencies, Window, quantile
from services.load_generator.metrics import Figures
from services.load_generator.run import Pace, Run
from services.load_generator.runs import Operations
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from services.web.live.hub import Hub
from tests.unit.orderprocessing.polling import eventually, throughout
from tests.unit.web.fake_orders import FakeOrders
from tests.unit.web.fakes import FakeShop, problem

QUICK = StreamSettings(rate=20, duration=5, dispatch_after=0, deliver_after=0)


class Seconds:
    """A clock that stands until it is moved."""

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


def figures(shop: FakeShop | FakeOrders, hub: Hub | None = None) -> Figures:
    hub = hub or Hub(1)
    hub.connected(True)
    return Figures(Backend(shop), lambda: None, hub)


def has_sent(run: Run) -> bool:
    return run.summary()["sent"] >= 2


def test_quantiles_are_values_that_occurred() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0, 0.5, 0.95, 1)] == [1, 3, 4, 4]
    assert quantile([7], 0.95) == 7


def test_a_window_forgets_what_is_older_than_ten_seconds() -> None:
    clock = Seconds()
    window = Window(clock)
    assert window.spread() is None
    for number in range(100):
        window.add(number)
    assert window.spread() == (50, 95)
    clock.now = 5
    window.add(1000)
    clock.now = 10.1
    assert window.spread() == (1000, 1000)
    clock.now = 20
    assert window.spread() is None


def test_latencies_count_from_the_time_that_the_order_was_received() -> None:
    latencies = Latencies(Seconds())
    for status, second in (("received", 1.0), ("processing", 1.25), ("completed", 4.0), ("reserved", 1.2)):
        latencies.heard("a", status, at(second))
    assert latencies.spreads() == {"processing": (0.25, 0.25), "completed": (3.0, 3.0)}


def test_events_that_come_in_another_order_or_twice_count_the_same() -> None:
    latencies = Latencies(Seconds())
    for status, second in (("completed", 4.0), ("processing", 1.25), ("received", 1.0), ("completed", 4.0)):
        latencies.heard("a", status, at(second))
    latencies.heard("b", "received", at(1.0))
    latencies.heard("b", "completed", at(2.0))
    assert latencies.spreads() == {"processing": (0.25, 0.25), "completed": (3.0, 3.0)}
    latencies.heard("unknown", "completed", at(2.0))
    assert latencies.spreads()["completed"] == (3.0, 3.0)


def test_a_point_counts_what_happened_since_the_last_one() -> None:
    measured = figures(services())
    for order_id in ("a", "b"):
        measured.heard(event(order_id, "received", 1))
    measured.heard(event("a", "completed", 3))
    measured.heard({"type": "shipment.booked", "orderId": "a", "time": at(2)})
    measured._sampled -= 1
    point = measured.sample()
    assert point["received"] == pytest.approx(2, abs=0.3)
    assert point["completed"] == pytest.approx(1, abs=0.2)
    assert (point["failed"], point["latency"]) == (0, {"completed": [2.0, 2.0]})
    assert measured.sample()["received"] == 0


def test_a_point_has_backlogs_and_workers_as_they_were_said_last() -> None:
    measured = figures(services())
    assert "workers" not in measured.sample()
    measured.ask()
    point = measured.sample()
    assert (point["workers"], point["backlog"]) == (2, {"orders": 0, "charge": 1, "shipments": 2})


@pytest.mark.parametrize("refusal", [TransientError("nobody answers"), problem(404, "notFound", "no such figures")])
def test_what_nobody_says_any_more_is_unknown(refusal: Exception) -> None:
    shop = services()
    measured = figures(shop)
    measured.ask()
    shop.on("orderprocessing", "GET", "charge/stats", refusal)
    measured.ask()
    point = measured.sample()
    assert not {"workers", "backlog"} & set(point)


def no_process() -> TransientError:
    return TransientError("orderprocessing answered 500", 500, {"errorCode": "ERR_DIRECT_INVOKE"})


def test_where_there_is_no_process_there_is_known_to_be_no_worker() -> None:
    shop = services()
    measured = figures(shop)
    shop.on("orderprocessing", "GET", "orders/stats", no_process())
    measured.ask()
    point = measured.sample()
    assert point["workers"] == 0
    assert "backlog" not in point


def test_while_another_replica_answers_nobody_says_that_there_is_no_worker() -> None:
    shop = services()
    shop.on("orderprocessing", "GET", "charge/stats", no_process())
    measured = figures(shop)
    measured.ask()
    assert "workers" not in measured.sample()


@pytest.mark.parametrize(("takes", "pause"), [(0.01, 1.0), (0.1, 1.5), (0.5, 7.5), (3.0, 10.0)])
def test_the_longer_an_answer_takes_the_longer_it_holds_and_the_next_question_waits(takes: float, pause: float) -> None:
    clock, shop = Seconds(), services()

    class Slow:
        follow = shop.follow
        page = shop.page

        def invoke(self, *call: Any) -> dict[str, Any]:
            clock.now += takes
            return shop.invoke(*call)

    measured = Figures(Backend(Slow()), lambda: None, Hub(1), clock)
    assert measured.ask() == pytest.approx(pause)
    clock.now += pause + 3 * takes
    assert measured.sample()["workers"] == 2
    clock.now += 3 + 6 * takes
    assert "workers" not in measured.sample()


def test_while_the_feed_is_not_heard_nobody_knows_how_many_orders_there_were() -> None:
    hub = Hub(1)
    measured = figures(services(), hub)
    hub.connected(False)
    point = measured.sample()
    assert (point["received"], point["completed"]) == (None, None)


def test_only_the_last_ten_minutes_are_kept() -> None:
    measured = figures(services())
    for _ in range(700):
        measured.sample()
    history = measured.history()
    assert len(history) == 600
    assert [point["at"] for point in history] == sorted(point["at"] for point in history)


def test_nothing_is_measured_while_nobody_looks() -> None:
    hub, shop, stopping = Hub(2), services(), threading.Event()
    measured = figures(shop, hub)
    measured.start(stopping)
    throughout(0.1, lambda: not shop.asked and not measured.history())
    stream = hub.open(None, "", figures=True)
    eventually(lambda: bool(measured.history()) and bool(shop.asked))
    stream.close()
    stopping.set()


def test_a_page_that_looks_is_told_each_point_with_the_run() -> None:
    orders, hub = FakeOrders(), Hub(1)
    operations = Operations(Backend(orders), hub, Pace(tick=0.01))
    orders.listen = operations.heard
    stream = hub.open(None, "", figures=True)
    pieces = iter(stream)
    assert "event: feed" in next(pieces)
    run = operations.begin(QUICK)
    operations.start()
    told = next(pieces)
    operations.end()
    assert "event: figures" in told
    assert run.name in told
    assert '"posts"' in told


def test_the_second_run_is_counted_from_its_own_beginning() -> None:
    orders, hub = FakeOrders(), Hub(1)
    operations = Operations(Backend(orders), hub, Pace(tick=0.01))
    for _ in range(2):
        run = operations.begin(QUICK)
        eventually(partial(has_sent, run))
        point = operations.figures.sample()
        assert point["sent"] > 0
        assert point["refused"] == 0
        run.end()
    eventually(lambda: "sent" not in operations.figures.sample())


def test_an_event_that_makes_no_sense_is_passed_over() -> None:
    operations = Operations(Backend(FakeOrders()), Hub(1))
    operations.heard({"type": "order.received", "orderId": "a", "time": "yesterday"})
    operations.heard(event("a", "received", 1))
    operations.heard(event("a", "completed", 2))
    assert operations.figures.sample()["latency"] == {"completed": [1.0, 1.0]}
