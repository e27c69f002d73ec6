"""Items from one warehouse, from two, and out of stock: delivered, amended, cancelled, timed out."""

from tests.e2e.client import Json
from tests.e2e.groups import Group
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

TOGETHER = Group()
"""All scenarios without a switch, including those of other modules."""


def parts(order: Json) -> list[tuple[str | None, str, dict[str, int]]]:
    """Return an order's fulfillments as location, status and quantities."""
    return [
        (one["location"], one["status"], {item["sku"]: item["quantity"] for item in one["items"]})
        for one in order["fulfillments"]
    ]


def statuses(order: Json) -> list[tuple[str, str | None]]:
    """Return the status and the reason of each fulfillment."""
    return [(one["status"], one["reason"]) for one in order["fulfillments"]]


def payments(order: Json) -> list[str | None]:
    """Return the payment status of each fulfillment, None without a payment."""
    return [one["payment"] and one["payment"]["status"] for one in order["fulfillments"]]


def shipments(order: Json) -> list[str | None]:
    """Return the shipment status of each fulfillment, None without a shipment."""
    return [one["shipment"] and one["shipment"]["status"] for one in order["fulfillments"]]


@TOGETHER.scenario
def items_in_stock_are_delivered(shopper: Shopper) -> None:
    sku = shopper.goods(price=1999, a=5)
    order = shopper.delivers(shopper.orders({sku: 2}))
    assert (order["reason"], order["goodsTotal"]) == (None, 3998)
    assert parts(order) == [("Warehouse A", "completed", {sku: 2})]
    assert (payments(order), shipments(order)) == (["success"], ["delivered"])
    assert order["completedAt"] >= order["receivedAt"]


@TOGETHER.scenario
def items_from_two_warehouses_go_in_two_shipments_and_the_last_completes_the_order(shopper: Shopper) -> None:
    in_a, in_b = shopper.goods(a=2), shopper.goods(b=2)
    order_id = shopper.orders({in_a: 1, in_b: 2})
    first, second = shopper.sees_shipments(order_id, "booked")
    shopper.shop.report(first, "dispatched")
    shopper.shop.report(second, "dispatched")
    shopper.shop.report(second, "delivered")
    order = shopper.sees(order_id, "processing")
    assert [one[:2] for one in parts(order)] == [("Warehouse A", "processing"), ("Warehouse B", "completed")]
    shopper.shop.report(first, "delivered")
    order = shopper.sees(order_id, "completed")
    assert parts(order) == [("Warehouse A", "completed", {in_a: 1}), ("Warehouse B", "completed", {in_b: 2})]


@TOGETHER.scenario
def line_is_split_when_no_warehouse_has_enough(shopper: Shopper) -> None:
    sku = shopper.goods(a=3, b=2)
    order = shopper.delivers(shopper.orders({sku: 5}))
    assert parts(order) == [("Warehouse A", "completed", {sku: 3}), ("Warehouse B", "completed", {sku: 2})]


@TOGETHER.scenario
def line_is_not_split_when_one_warehouse_has_enough(shopper: Shopper) -> None:
    sku = shopper.goods(a=1, b=9)
    order = shopper.delivers(shopper.orders({sku: 4}))
    assert parts(order) == [("Warehouse B", "completed", {sku: 4})]


@TOGETHER.scenario
def amended_order_continues_without_the_items_out_of_stock(shopper: Shopper) -> None:
    here, out_of_stock = shopper.goods(a=4), shopper.goods(b=1)
    order_id = shopper.orders({here: 1, out_of_stock: 3})
    order = shopper.sees(order_id, "customerActionRequired")
    assert order["actions"] == ["amend", "cancel"]
    assert [one[:2] for one in parts(order)] == [
        ("Warehouse A", "pending"),
        ("Warehouse B", "pending"),
        (None, "unavailable"),
    ]
    shopper.shop.act(order_id, "amend")
    order = shopper.delivers(order_id)
    assert statuses(order) == [("completed", None), ("completed", None), ("cancelled", "notAvailable")]
    assert parts(order)[2] == (None, "cancelled", {out_of_stock: 2})
    assert payments(order) == ["success", "success", None]


@TOGETHER.scenario
def order_with_items_out_of_stock_can_be_cancelled(shopper: Shopper) -> None:
    here, nowhere = shopper.goods(a=4), shopper.goods()
    order_id = shopper.orders({here: 1, nowhere: 1})
    shopper.sees(order_id, "customerActionRequired")
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert order["reason"] == "customerCancelled"
    assert [status for status, _ in statuses(order)] == ["cancelled", "cancelled"]
    shopper.shop.act(order_id, "cancel", expect=409)


@TOGETHER.scenario
def order_with_items_out_of_stock_times_out_without_a_decision(shopper: Shopper) -> None:
    here, nowhere = shopper.goods(a=4), shopper.goods()
    order_id = shopper.orders({here: 1, nowhere: 1})
    assert shopper.sees(order_id, "customerActionRequired")["deadline"]
    order = shopper.sees(order_id, "timedOut")
    assert order["reason"] == "customerTimedOut"
    assert payments(order) == ["pending", None]
    shopper.shop.act(order_id, "amend", expect=409)


@TOGETHER.scenario
def order_with_all_items_out_of_stock_can_only_be_cancelled(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(): 1, shopper.goods(): 2})
    order = shopper.sees(order_id, "customerActionRequired")
    assert (order["actions"], [one[:2] for one in parts(order)]) == (["cancel"], [(None, "unavailable")])
    shopper.shop.act(order_id, "amend", expect=409)
    shopper.shop.act(order_id, "cancel")
    assert shopper.sees(order_id, "cancelled")["reason"] == "customerCancelled"


@TOGETHER.scenario
def order_with_all_items_out_of_stock_times_out_without_a_decision(shopper: Shopper) -> None:
    order = shopper.sees(shopper.orders({shopper.goods(): 1}), "timedOut")
    assert order["reason"] == "customerTimedOut"


@TOGETHER.scenario
def last_items_go_to_as_many_orders_as_they_suffice_for(shopper: Shopper) -> None:
    sku = shopper.goods(a=2)
    order_ids = [shopper.orders({sku: 1}) for _ in range(4)]
    missing = [order_id for order_id in order_ids if _gets_nothing(shopper, order_id)]
    assert len(missing) == 2
    # Cancels before the deliveries, which take longer than the deadline of the decision.
    for order_id in missing:
        shopper.shop.act(order_id, "cancel")
    for order_id in missing:
        shopper.sees(order_id, "cancelled")
    for order_id in set(order_ids) - set(missing):
        shopper.delivers(order_id)


@TOGETHER.scenario
def items_of_a_cancelled_order_are_available_again(shopper: Shopper) -> None:
    sku = shopper.goods(b=1)
    first = shopper.orders({sku: 1})
    shopper.sees_shipments(first, "booked")
    shopper.shop.act(first, "cancel")
    shopper.sees(first, "cancelled")
    shopper.delivers(shopper.orders({sku: 1}))


def _gets_nothing(shopper: Shopper, order_id: str) -> bool:
    found = eventually(lambda: [one for one in [shopper.shop.order(order_id)] if one["fulfillments"]])
    return bool(found[0]["fulfillments"][0]["location"] is None)
