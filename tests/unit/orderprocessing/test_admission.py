"""New orders are refused while too many accepted ones wait for the system, and only for the system."""

import threading

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.errors import OverloadedError
from services.common.states import OrderStatus
from services.orderprocessing.api.app import create_app
from services.orderprocessing.application.admission import Backlog
from services.orderprocessing.application.order_queries import OrderQueries
from tests.e2e.polling import eventually
from tests.unit.orderprocessing.world import AT_A, HIGH_VALUE, OUT_OF_STOCK, World

ENOUGH = 3


def waiting(world: World) -> int:
    return OrderQueries(world.orders, world.clock).waiting(ENOUGH)


def accepts(backlog: Backlog) -> bool:
    try:
        backlog.check()
    except OverloadedError:
        return False
    return True


def test_orders_that_are_not_handed_to_a_courier_wait(world: World) -> None:
    for number in range(ENOUGH):
        world.place(AT_A, order_id=f"W{number}")
    assert waiting(world) == ENOUGH
    world.run()
    assert world.order("W0").status == OrderStatus.PROCESSING
    assert waiting(world) == 0


def test_orders_with_the_courier_are_no_backlog(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.orderprocessing.application.order_queries._OPEN_AT_ONCE", 2)
    for number in range(4 * ENOUGH):
        world.place(AT_A, order_id=f"W{number}")
    world.run()
    assert world.orders.orders.open_count() == 4 * ENOUGH
    assert waiting(world) == 0
    for number in range(ENOUGH - 1):
        world.place(AT_A, order_id=f"N{number}")
    assert waiting(world) == ENOUGH - 1


def test_orders_that_wait_for_a_person_are_no_backlog(world: World) -> None:
    for number in range(ENOUGH):
        world.place(HIGH_VALUE, order_id=f"D{number}")
        world.place(AT_A, OUT_OF_STOCK, order_id=f"M{number}")
    assert waiting(world) == ENOUGH
    world.run()
    assert waiting(world) == 0


def test_orders_that_cannot_be_booked_wait(world: World) -> None:
    world.shop.down = {"shipping"}
    for number in range(ENOUGH):
        world.place(AT_A, order_id=f"W{number}")
    world.run(5)
    assert waiting(world) == ENOUGH


def test_over_the_limit_new_orders_are_refused_and_everything_else_is_answered(world: World) -> None:
    backlog = Backlog(OrderQueries(world.orders, world.clock).waiting, ENOUGH)
    client = create_app(world.orders, world.service, world.driver, world.clock, admit=backlog.check).test_client()
    body = {"customerId": "c", "items": [{"sku": AT_A, "quantity": 1}]}
    for _ in range(ENOUGH):
        backlog.refresh()
        assert client.post("/orders", json=body).status_code == 202
    backlog.refresh()
    writes = world.documents.writes
    answer = client.post("/orders", json=body)
    assert (answer.status_code, answer.content_type) == (429, "application/problem+json")
    assert (answer.get_json()["code"], answer.headers["Retry-After"]) == ("backlog", "10")
    assert world.documents.writes == writes
    orders = client.get("/orders").get_json()
    assert client.post(f"/orders/{orders[0]['id']}/action", json={"action": "cancel"}).status_code == 202
    world.run()
    backlog.refresh()
    assert client.post("/orders", json=body).status_code == 202


def test_an_error_of_counting_keeps_the_last_result() -> None:
    answers: list[int | None] = [5, None, 4, None]

    def count(_enough: int) -> int:
        answer = answers.pop(0)
        if answer is None:
            raise TransientError("the store is away")
        return answer

    backlog = Backlog(count, 5)
    seen = []
    for _ in range(4):
        backlog.refresh()
        seen.append(accepts(backlog))
    assert seen == [False, False, True, True]


def test_an_error_of_counting_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    answers: list[int | None] = [None, None, None, 1, None, None]

    def count(_enough: int) -> int:
        answer = answers.pop(0)
        if answer is None:
            raise TransientError("the store is away")
        return answer

    backlog, said = Backlog(count, 5), []
    while answers:
        backlog.refresh()
        said.append(caplog.text.count("could not count the backlog"))
    assert said == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("fault", [TransientError("away"), ZeroDivisionError()])
def test_the_backlog_is_counted_again_after_any_error(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.orderprocessing.application.admission._REFRESH_INTERVAL", 0.01)
    faults, stopping = [fault], threading.Event()

    def count(_enough: int) -> int:
        if faults:
            raise faults.pop()
        return 1

    backlog = Backlog(count, 1)
    thread = threading.Thread(target=backlog.run, args=(stopping,), daemon=True)
    thread.start()
    eventually(lambda: not accepts(backlog))
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
