"""The order workflow from placing to paying: reserving, amending, approving, timing out."""

import pytest

from services.common.states import FulfillmentStatus, OrderStatus, PaymentStatus, Reason, ShipmentStatus
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, AT_BOTH, CUSTOMER, HIGH_VALUE, OUT_OF_STOCK, World


def statuses(world: World) -> list[str]:
    return [one.status.value for one in world.order().fulfillments or []]


def kinds(world: World) -> list[str]:
    return [step["type"] for step in world.send("GET", "/orders/A1/timeline").get_json()]


def priced(world: World, sku: str, unit_price: int) -> None:
    """Sell a SKU at this price, with plenty in stock."""
    world.shop.call("inventory", "PUT", f"inventory/{sku}", {"unitPrice": unit_price})
    body = {"warehouse": "Warehouse A", "quantity": 1000}
    assert world.shop.call("inventory", "POST", f"inventory/{sku}/restock", body).status_code == 200
    world.stock_at_start = world.stock()


def test_an_order_is_reserved_charged_booked_and_delivered(world: World) -> None:
    world.place(AT_A)
    assert world.order().status == OrderStatus.PENDING
    world.run()
    assert world.order().status == OrderStatus.PROCESSING
    assert world.report("dispatched") == 202
    assert world.report("delivered") == 202
    world.run()
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.COMPLETED, None)
    payment = order.fulfillments[0].payment
    assert (payment.sub_total, payment.tax, payment.shipping, payment.total) == (6000, 1200, 499, 7699)
    assert payment.invoice_reference == "INV-A1-1"
    assert kinds(world) == [
        "order.received",
        "order.reserved",
        "order.processing",
        "payment.succeeded",
        "shipment.booked",
        "shipment.dispatched",
        "shipment.delivered",
        "order.completed",
    ]
    check_over(world)


def test_where_nothing_goes_wrong_every_event_is_published_just_once_and_in_time(world: World) -> None:
    world.place(AT_A)
    world.run()
    assert [event["type"] for event in world.shop.published] == kinds(world)
    world.finish()
    assert [event["type"] for event in world.shop.published] == kinds(world)
    received = world.shop.published[0]
    assert received["id"] == "A1/1"
    assert (received["specversion"], received["source"], received["subject"]) == ("1.0", "orderprocessing", "A1")
    assert received["data"] == {"orderId": "A1", "message": "Order received", "actor": "customer"}


def test_an_order_of_two_warehouses_is_two_fulfillments_that_go_their_own_ways(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    assert [(one.id, one.location) for one in world.order().fulfillments] == [
        ("A1:1", "Warehouse A"),
        ("A1:2", "Warehouse B"),
    ]
    world.report("dispatched", "A1:2")
    world.report("delivered", "A1:2")
    world.run(3600)
    assert statuses(world) == ["processing", "completed"]
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_what_is_missing_asks_the_customer_who_amends_and_gets_the_rest(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    assert statuses(world) == ["pending", "unavailable"]
    assert world.shown()["status"] == "customerActionRequired"
    assert world.shown()["actions"] == ["amend", "cancel"]
    assert world.act("amend") == 202
    assert world.shown()["actions"] == ["cancel"]
    assert world.finish().status == OrderStatus.COMPLETED
    assert statuses(world) == ["completed", "cancelled"]
    assert world.order().fulfillments[1].reason == Reason.NOT_AVAILABLE
    check_over(world)


def test_what_is_missing_asks_the_customer_who_cancels(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    assert world.cancel() == 202
    world.run()
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    assert statuses(world) == ["cancelled", "cancelled"]
    assert order.fulfillments[0].shipment.status == ShipmentStatus.CANCELLED
    check_over(world)


def test_a_customer_who_does_not_answer_in_time_loses_the_order_and_not_before(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run(29.999)
    assert world.order().status == OrderStatus.CUSTOMER_ACTION_REQUIRED
    world.run(0.002)
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.TIMED_OUT, Reason.CUSTOMER_TIMED_OUT)
    assert world.act("amend") == 409
    check_over(world)


def test_when_nothing_is_available_amending_is_not_offered(world: World) -> None:
    world.place(OUT_OF_STOCK)
    world.run()
    assert statuses(world) == ["unavailable"]
    assert world.shown()["actions"] == ["cancel"]
    assert world.act("amend") == 409
    assert world.cancel() == 202
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_when_nothing_is_available_and_nobody_answers_the_order_times_out(world: World) -> None:
    world.place(OUT_OF_STOCK)
    assert world.finish().status == OrderStatus.TIMED_OUT
    check_over(world)


def test_a_high_value_order_waits_for_an_approval(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run(3600)
    assert world.shown()["status"] == "approvalRequired"
    assert world.ledger()["charged"] == 0
    assert world.approve() == 202
    assert world.approve() in {202, 409}
    assert world.finish().status == OrderStatus.COMPLETED
    approved = [
        step for step in world.send("GET", "/orders/A1/timeline").get_json() if step["type"] == "order.approved"
    ]
    assert [step["actor"] for step in approved] == ["Chris"]
    check_over(world)


def test_a_rejected_order_is_cancelled(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run()
    assert world.approve(approved=False) == 202
    assert world.approve(approved=True) == 409
    world.run()
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.APPROVAL_REJECTED)
    check_over(world)


def test_an_order_that_nobody_approves_in_a_day_is_cancelled(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run(24 * 3600 - 1)
    assert world.order().status == OrderStatus.APPROVAL_REQUIRED
    world.run(2)
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.APPROVAL_EXPIRED)
    assert world.approve() == 409
    check_over(world)


def test_a_customer_may_cancel_while_an_approval_is_waited_for(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run()
    assert world.cancel() == 202
    assert world.approve() == 409
    world.run()
    assert world.order().reason == Reason.CUSTOMER_CANCELLED
    check_over(world)


def test_the_approval_threshold_applies_to_what_remains_of_an_amended_order(world: World) -> None:
    world.place(HIGH_VALUE, OUT_OF_STOCK)
    world.run()
    world.act("amend")
    world.run()
    assert world.order().status == OrderStatus.APPROVAL_REQUIRED
    world.approve()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_dropped_items_do_not_count_towards_the_approval_threshold(world: World) -> None:
    world.place(AT_A, Adidas_UltraBoost=100)  # 12,000.00 of shoes that nobody has
    world.run()
    world.act("amend")
    world.run()
    assert world.order().status == OrderStatus.PROCESSING


@pytest.mark.parametrize(("unit_price", "status"), [(99_999, "processing"), (100_000, "approvalRequired")])
def test_the_approval_threshold_is_exactly_a_thousand(world: World, unit_price: int, status: str) -> None:
    priced(world, "gold", unit_price)
    world.place("gold")
    world.run()
    assert world.order().status.value == status


def test_an_order_cancelled_before_anything_happened_takes_nothing(world: World) -> None:
    world.place(AT_A)
    assert world.cancel() == 202
    assert world.finish().status == OrderStatus.CANCELLED
    assert world.order().fulfillments is None
    check_over(world)


def test_an_order_waits_for_an_inventory_that_is_down_and_is_announced_meanwhile(world: World) -> None:
    world.place(AT_BOTH)
    world.shop.down = {"inventory"}
    world.run(600)
    assert world.order().status == OrderStatus.PENDING
    assert [event["type"] for event in world.shop.published][:1] == ["order.received"]
    world.shop.down = set()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_may_be_cancelled_while_inventory_is_down(world: World) -> None:
    world.place(AT_BOTH)
    world.shop.down = {"inventory"}
    world.run(60)
    assert world.cancel() == 202
    world.run(60)
    world.shop.down = set()
    assert world.finish().status == OrderStatus.CANCELLED
    check_over(world)


def test_an_order_continues_while_the_broker_is_down_and_its_events_are_published_later(world: World) -> None:
    world.place(AT_A)
    world.shop.down = {"broker"}
    world.run(300)
    assert world.shop.published == []
    world.shop.down = set()
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_prices_are_those_of_the_time_when_the_order_was_accepted(world: World) -> None:
    world.place(AT_A)
    world.shop.call("inventory", "PUT", f"inventory/{AT_A}", {"unitPrice": 9_999})
    order = world.finish()
    assert order.fulfillments[0].payment.sub_total == 6000
    assert order.fulfillments[0].payment.status == PaymentStatus.SUCCESS
    check_over(world)


def test_many_orders_of_one_customer_at_once_all_balance(world: World) -> None:
    ids = [world.place(AT_A, AT_B, order_id=f"B{number}") for number in range(10)]
    world.cancel("B3")
    world.run()
    world.cancel("B7")
    for order_id in ids:
        world.finish(order_id)
    check_over(world, *ids)
    ended = {order_id: world.order(order_id).status.value for order_id in ids}
    assert [order_id for order_id in ids if ended[order_id] != "completed"] == ["B3", "B7"]
    lines = world.send("GET", f"/orders?customerId={CUSTOMER}").get_json()
    assert {line["id"]: line["status"] for line in lines} == ended


def test_a_split_line_is_sent_by_both_warehouses(world: World) -> None:
    world.shop.call("inventory", "PUT", "inventory/rare", {"unitPrice": 1000})
    for warehouse in ("Warehouse A", "Warehouse B"):
        world.shop.call("inventory", "POST", "inventory/rare/restock", {"warehouse": warehouse, "quantity": 3})
    world.stock_at_start = world.stock()
    world.place(rare=5)
    world.run()
    fulfillments = world.order().fulfillments
    assert [(one.location, one.items[0].quantity) for one in fulfillments] == [("Warehouse A", 3), ("Warehouse B", 2)]
    assert all(one.status == FulfillmentStatus.PROCESSING for one in fulfillments)
    world.finish()
    assert world.stock()["rare"] == (1, 0)
    check_over(world)
