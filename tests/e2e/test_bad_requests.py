"""Invalid requests are rejected with a problem document and the right status, and have no effect."""

from typing import Any

import pytest

from tests.e2e.bad_requests import BAD_REQUESTS, Bad
from tests.e2e.client import Shop
from tests.e2e.polling import holds
from tests.e2e.shopper import Shopper


@pytest.fixture(scope="module")
def victim(shop: Shop) -> str:
    """A booked order that no invalid request may change."""
    shopper = Shopper(shop)
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    return order_id


@pytest.fixture(scope="module")
def state_before(shop: Shop, victim: str) -> dict[str, Any]:
    """The visible state, once it is stable."""
    holds(lambda: _assert_at_rest(shop, victim))
    return visible_state(shop, victim)


def _assert_at_rest(shop: Shop, victim: str) -> None:
    waiting = {"pending", "customerActionRequired", "approvalRequired"}
    lines = shop.get("orderprocessing", "/orders", limit=1000)
    assert not [line for line in lines if line["status"] in waiting]
    assert len(shop.feed(victim)) == len(shop.timeline(victim))


def visible_state(shop: Shop, order_id: str) -> dict[str, Any]:
    """Return the visible state of every service."""
    places = {
        "inventory": ("/inventory", f"/reservations/{order_id}"),
        "fraud": ("/settings", "/tally/c"),
        "shipping": ("/shipping/settings", f"/bookings/{order_id}:1"),
        "billing": (f"/ledger?orderId={order_id}", f"/invoices/{order_id}:1"),
        "notifications": ("/events?limit=1000", "/events/dead"),
        "orderprocessing": ("/orders?limit=1000", "/shipments?limit=1000", f"/orders/{order_id}/timeline"),
    }
    return {path: shop.get(service, path) for service, paths in places.items() for path in paths}


def send(shop: Shop, bad: Bad, order_id: str) -> tuple[int, str, str]:
    """Send an invalid request and return the status, content type and text of the response."""
    data = bad.data.replace(b"{order}", order_id.encode()) if bad.data else bad.data
    headers = bad.headers | shop.what_it_takes(bad.service, bad.method, bad.path)
    if bad.content_type and data is not None:
        headers["Content-Type"] = bad.content_type
    path = bad.path.replace("{order}", order_id)
    answer = shop.call(bad.service, bad.method, path, data=data, headers=headers)
    return answer.status_code, answer.headers.get("Content-Type", ""), answer.text


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=str)
def test_invalid_request_is_rejected_with_a_problem_that_names_the_reason(
    shop: Shop, victim: str, state_before: dict[str, Any], bad: Bad
) -> None:
    status, content_type, text = send(shop, bad, victim)
    assert (status, content_type) == (bad.status, "application/problem+json"), text
    for name in bad.names:
        assert name in text
    assert "Traceback" not in text
    assert "services/" not in text


def test_invalid_requests_change_nothing(shop: Shop, victim: str, state_before: dict[str, Any]) -> None:
    for bad in BAD_REQUESTS:
        send(shop, bad, victim)
    assert visible_state(shop, victim) == state_before
