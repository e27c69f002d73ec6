"""Ends open orders of earlier tests, so that they do not affect other tests."""

from tests.e2e.client import Json, Shop
from tests.e2e.polling import holds
from tests.e2e.shopper import FINAL

_NEXT = {"booked": "dispatched", "dispatched": "delivered"}


def ids_of_orders(shop: Shop) -> set[str]:
    """Return the ids of the newest thousand orders."""
    return {line["id"] for line in shop.get("orderprocessing", "/orders", limit=1000)}


def end_all_orders_but(shop: Shop, others: set[str]) -> None:
    """Cancel the open orders except `others`. Deliver those that can no longer be cancelled."""
    remaining = ids_of_orders(shop) - others

    def none_is_open() -> None:
        for order_id in sorted(remaining):
            order = shop.order(order_id)
            if order["status"] in FINAL:
                remaining.remove(order_id)
            else:
                _push(shop, order)
        assert not remaining

    holds(none_is_open)


def _push(shop: Shop, order: Json) -> None:
    if "cancel" in order["actions"]:
        shop.call("orderprocessing", "POST", f"/orders/{order['id']}/action", {"action": "cancel"})
        return
    for one in order["fulfillments"] or []:
        if one["shipment"] and (status := _NEXT.get(one["shipment"]["status"])):
            shop.call("orderprocessing", "POST", f"/shipments/{one['id']}/status", {"status": status})
