"""Services that are away for a while: back within the deadline, or not."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.groups import Group, System
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper
from tests.e2e.stories.goods import payments, shipments, statuses


@contextmanager
def fraud_in_maintenance(system: System) -> Iterator[None]:
    """Tell the stories while fraud answers 503."""
    system.shop.post("fraud", "/maintenance", {})
    try:
        yield
    finally:
        system.shop.post("fraud", "/maintenance", {"enabled": False})


@contextmanager
def shipping_in_maintenance(system: System) -> Iterator[None]:
    """Tell the stories while shipping answers 503."""
    system.shop.post("shipping", "/shipping/deactivate", {})
    try:
        yield
    finally:
        system.shop.post("shipping", "/shipping/activate", {})


@contextmanager
def billing_stopped(system: System) -> Iterator[None]:
    """Tell the stories while billing's process does nothing: its port is open, and nobody answers."""
    pid = system.stack.pid("billing")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
    # Waking up, it closes connections that were idle for too long: a first request on one of them may fail.
    eventually(lambda: system.shop.is_ready("billing"))


FRAUD_DOWN = Group(fraud_in_maintenance)
SHIPPING_DOWN = Group(shipping_in_maintenance)
BILLING_STOPPED = Group(billing_stopped)


@FRAUD_DOWN.story
def a_payment_that_cannot_be_screened_in_time_fails_the_order(shopper: Shopper) -> None:
    order = shopper.sees(shopper.orders({shopper.goods(a=1): 1}), "failed")
    assert (order["reason"], payments(order)) == ("billingUnavailable", ["failed"])


@FRAUD_DOWN.story
def a_customer_need_not_wait_for_fraud_to_cancel(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    _sees_invoice(shopper, order_id)
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], shipments(order)) == ("customerCancelled", ["cancelled"])


@FRAUD_DOWN.last_story
def an_order_goes_on_when_fraud_is_back_in_time(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    _sees_invoice(shopper, order_id)
    assert payments(shopper.shop.order(order_id)) == ["pending"]
    shopper.shop.post("fraud", "/maintenance", {"enabled": False})
    shopper.delivers(order_id)


def _sees_invoice(shopper: Shopper, order_id: str) -> None:
    """Wait until the order's payment was tried: the invoice comes before the screening."""
    eventually(lambda: shopper.shop.call("billing", "GET", f"/invoices/{order_id}:1").ok)


@SHIPPING_DOWN.story
def an_order_without_a_courier_in_time_is_refunded_and_released(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1})
    order = shopper.sees(order_id, "failed")
    assert order["reason"] == "shippingUnavailable"
    assert statuses(order) == [("failed", "shippingUnavailable")] * 2
    assert (payments(order), shipments(order)) == (["refunded"] * 2, ["cancelled"] * 2)


@SHIPPING_DOWN.story
def a_customer_need_not_wait_for_shipping_to_cancel(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "pending")
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], payments(order)) == ("customerCancelled", ["refunded"])


@SHIPPING_DOWN.last_story
def an_order_goes_on_when_shipping_is_back_in_time(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "pending")
    shopper.shop.post("shipping", "/shipping/activate", {})
    shopper.delivers(order_id)


@BILLING_STOPPED.story
def an_order_whose_billing_hangs_fails_and_nothing_is_charged_later(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    eventually(lambda: payments(_reserved(shopper, order_id)) == ["failed"])
    assert shopper.shop.order(order_id)["status"] == "processing"  # giving back waits for billing


def _reserved(shopper: Shopper, order_id: str) -> dict[str, object]:
    order = shopper.shop.order(order_id)
    assert order["fulfillments"], "nothing is reserved yet"
    return order
