"""Reports of the courier: early, repeated and out of order; and the list of pending shipments."""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.client import Shop
from tests.e2e.polling import holds
from tests.e2e.scenarios.goods import TOGETHER
from tests.e2e.shopper import Shopper


def pending_shipments(shop: Shop) -> set[str]:
    """Return the ids of shipments that are neither delivered nor cancelled."""
    pages = shop.pages("orderprocessing", "/shipments/pending", limit=1000)
    return {one["id"] for page in pages for one in page}


@TOGETHER.scenario
def report_before_the_booking_is_rejected_without_effect(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=60_000, a=2): 2})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.report(f"{order_id}:1", "dispatched", expect=409)
    shopper.shop.report(f"{order_id}:1", "delivered", expect=409)
    shopper.shop.approve(order_id)
    shopper.delivers(order_id)


@TOGETHER.scenario
def delivery_before_the_dispatch_is_rejected(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    [shipment] = shopper.sees_shipments(order_id, "booked")
    shopper.shop.report(shipment, "delivered", expect=409)
    assert shopper.shop.get("orderprocessing", f"/shipments/{shipment}")["status"] == "booked"
    shopper.delivers(order_id)


@TOGETHER.scenario
def repeated_report_counts_once(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    [shipment] = shopper.sees_shipments(order_id, "booked")
    with ThreadPoolExecutor(5) as pool:
        for status in ("dispatched", "delivered"):
            list(pool.map(lambda said: shopper.shop.report(shipment, said), [status] * 5))
    shopper.sees(order_id, "completed")
    shopper.shop.report(shipment, "delivered")
    shopper.shop.report(shipment, "dispatched", expect=409)
    types = [step["type"] for step in shopper.shop.timeline(order_id)]
    assert types.count("shipment.dispatched") == types.count("shipment.delivered") == 1


@TOGETHER.scenario
def order_shows_each_report_at_once_and_the_lists_follow(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    [shipment] = shopper.sees_shipments(order_id, "booked")
    assert shipment in pending_shipments(shopper.shop)
    for status in ("dispatched", "delivered"):
        shopper.shop.report(shipment, status)
        assert shopper.shop.order(order_id)["fulfillments"][0]["shipment"]["status"] == status
    shopper.sees(order_id, "completed")
    holds(lambda: _assert_delivered(shopper.shop, shipment, order_id))


def _assert_delivered(shop: Shop, shipment: str, order_id: str) -> None:
    assert shipment not in pending_shipments(shop)
    [listed] = [
        one for page in shop.pages("orderprocessing", "/shipments", limit=1000) for one in page if one["id"] == shipment
    ]
    assert (listed["status"], listed["orderId"]) == ("delivered", order_id)
