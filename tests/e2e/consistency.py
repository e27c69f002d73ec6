"""Consistency checks after a customer's orders have ended: payments, stock and the event feed."""

from collections import Counter

from tests.e2e.client import Json
from tests.e2e.shopper import FINAL, Shopper

CHARGED = {"success", "refunded"}


def assert_money_agrees(shopper: Shopper) -> None:
    """Check in all services that charges less refunds equal the cost of the delivered fulfillments."""
    kept = 0
    for order in _orders(shopper):
        parts = [one for one in order["fulfillments"] or [] if one["payment"]]
        for one in parts:
            _assert_invoice_is_right(shopper, one)
        charged = sum(one["payment"]["total"] for one in parts if one["payment"]["status"] in CHARGED)
        delivered = sum(one["payment"]["total"] for one in parts if one["status"] == "completed")
        ledger = shopper.shop.get("billing", "/ledger", orderId=order["id"])
        assert (ledger["charged"], ledger["charged"] - ledger["refunded"]) == (charged, delivered), ledger
        moved = Counter((entry["type"], entry["fulfillmentId"]) for entry in ledger["entries"])
        assert set(moved.values()) <= {1}, f"duplicate entries: {ledger['entries']}"
        kept += delivered
    tally = shopper.shop.get("fraud", f"/tally/{shopper.customer_id}")["tally"]
    assert tally == kept, f"fraud counts {tally}, delivered was {kept}"


def _assert_invoice_is_right(shopper: Shopper, one: Json) -> None:
    payment = one["payment"]
    if payment["status"] == "pending" or payment["invoiceReference"] is None:
        assert one["status"] != "completed"
        return
    amounts = expected_invoice({item["sku"]: item["quantity"] for item in one["items"]}, shopper.prices)
    assert {key: payment[key] for key in amounts} == amounts
    invoice = shopper.shop.get("billing", f"/invoices/{one['id']}")
    assert {key: invoice[key] for key in amounts} == amounts
    assert invoice["invoiceReference"] == payment["invoiceReference"]
    assert payment["currency"] == invoice["currency"] == "USD"


def expected_invoice(quantities: dict[str, int], prices: dict[str, int]) -> Json:
    """Return the invoice of a fulfillment by the specification."""
    goods = sum(prices[sku] * quantity for sku, quantity in quantities.items())
    tax = (goods * 20 + 50) // 100
    shipping = 499 + 150 * (sum(quantities.values()) - 1)
    return {"subTotal": goods, "tax": tax, "shipping": shipping, "total": goods + tax + shipping}


def assert_stock_agrees(shopper: Shopper) -> None:
    """Check that no stock is reserved, and that stock decreased by the delivered items only."""
    gone: Counter[tuple[str, str]] = Counter()
    for order in _orders(shopper):
        for one in order["fulfillments"] or []:
            if one["status"] == "completed":
                gone.update({(item["sku"], one["location"]): item["quantity"] for item in one["items"]})
    items = {item["sku"]: item for item in shopper.shop.get("inventory", "/inventory")}
    for sku, start in shopper.start.items():
        for stock in items[sku]["warehouses"]:
            expected = start[stock["location"]] - gone[sku, stock["location"]]
            found = stock["onHand"], stock["reserved"], stock["available"]
            assert found == (expected, 0, expected), f"{sku}: {stock}"


def assert_feed_agrees(shopper: Shopper) -> None:
    """Check that the feed has each timeline entry of each order exactly once."""
    for order_id in shopper.placed:
        steps, events = shopper.shop.timeline(order_id), shopper.shop.feed(order_id)
        assert [step["seq"] for step in steps] == list(range(1, len(steps) + 1))
        listed = sorted((event_of(order_id, step) for step in steps), key=_by_id)
        assert sorted(events, key=_by_id) == listed


def assert_feed_is_newest_first(shopper: Shopper) -> None:
    """Check that the feed is sorted, newest first."""
    for order_id in shopper.placed:
        listed = [f"{event['time']} {event['type']}" for event in shopper.shop.feed(order_id)]
        times = [line.split()[0] for line in listed]
        assert times == sorted(times, reverse=True), listed


def event_of(order_id: str, step: Json) -> Json:
    """Return the expected event of a timeline entry."""
    event = {key: step[key] for key in ("type", "message", "actor", "fulfillmentId") if key in step}
    return event | {"id": f"{order_id}/{step['seq']}", "orderId": order_id, "time": step["at"]}


def _by_id(event: Json) -> str:
    return str(event["id"])


def _orders(shopper: Shopper) -> list[Json]:
    orders = [shopper.shop.order(order_id) for order_id in shopper.placed]
    for order in orders:
        assert order["status"] in FINAL, f"{order['id']} is still {order['status']}"
        assert order["actions"] == [], order
        assert order["workflow"]["status"] == "COMPLETED", order["workflow"]
        assert order["completedAt"] is not None
    return orders
