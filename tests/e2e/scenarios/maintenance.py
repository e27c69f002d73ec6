"""Temporary outages of services, within the retry deadline and beyond it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.groups import Group, System
from tests.e2e.polling import eventually
from tests.e2e.scenarios.goods import payments, shipments, statuses
from tests.e2e.shopper import Shopper


@contextmanager
def fraud_in_maintenance(system: System) -> Iterator[None]:
    """Run the scenarios while fraud returns 503."""
    system.shop.post("fraud", "/maintenance", {})
    try:
        yield
    finally:
        system.shop.post("fraud", "/maintenance", {"enabled": False})


@contextmanager
def shipping_in_maintenance(system: System) -> Iterator[None]:
    """Run the scenarios while shipping returns 503."""
    system.shop.post("shipping", "/shipping/deactivate", {})
    try:
        yield
    finally:
        system.shop.post("shipping", "/shipping/activate", {})


@contextmanager
def billing_stopped(system: System) -> Iterator[None]:
    """Run the scenarios while the billing process is stopped: its port is open, but it does not answer."""
    pid = system.stack.pid("billing")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
    # When it continues, it closes idle connections. A first request on one of them may fail.
    eventually(lambda: system.shop.is_ready("billing"))


FRAUD_DOWN = Group(fraud_in_maintenance)
SHIPPING_DOWN = Group(shipping_in_maintenance)
BILLING_STOPPED = Group(billing_stopped)


@FRAUD_DOWN.scenario
def order_fails_when_fraud_is_down_beyond_the_deadline(shopper: Shopper) -> None:
    order = shopper.sees(shopper.orders({shopper.goods(a=1): 1}), "failed")
    assert (order["reason"], payments(order)) == ("billingUnavailable", ["failed"])


@FRAUD_DOWN.scenario
def customer_can_cancel_while_fraud_is_down(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    _sees_invoice(shopper, order_id)
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], shipments(order)) == ("customerCancelled", ["cancelled"])


@FRAUD_DOWN.last_scenario
def order_continues_when_fraud_recovers_before_the_deadline(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    _sees_invoice(shopper, order_id)
    assert payments(shopper.shop.order(order_id)) == ["pending"]
    shopper.shop.post("fraud", "/maintenance", {"enabled": False})
    shopper.delivers(order_id)


def _sees_invoice(shopper: Shopper, order_id: str) -> None:
    """Wait for the payment attempt: the invoice is created before the fraud check."""
    eventually(lambda: shopper.shop.call("billing", "GET", f"/invoices/{order_id}:1").ok)


@SHIPPING_DOWN.scenario
def order_is_refunded_and_released_when_shipping_is_down_beyond_the_deadline(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1})
    order = shopper.sees(order_id, "failed")
    assert order["reason"] == "shippingUnavailable"
    assert statuses(order) == [("failed", "shippingUnavailable")] * 2
    assert (payments(order), shipments(order)) == (["refunded"] * 2, ["cancelled"] * 2)


@SHIPPING_DOWN.scenario
def customer_can_cancel_while_shipping_is_down(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "pending")
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], payments(order)) == ("customerCancelled", ["refunded"])


@SHIPPING_DOWN.last_scenario
def order_continues_when_shipping_recovers_before_the_deadline(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "pending")
    shopper.shop.post("shipping", "/shipping/activate", {})
    shopper.delivers(order_id)


@BILLING_STOPPED.scenario
def order_fails_when_billing_hangs_and_is_not_charged_later(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    eventually(lambda: payments(_reserved(shopper, order_id)) == ["failed"])
    assert shopper.shop.order(order_id)["status"] == "processing"  # compensation waits for billing


def _reserved(shopper: Shopper, order_id: str) -> dict[str, object]:
    order = shopper.shop.order(order_id)
    assert order["fulfillments"], "nothing is reserved yet"
    return order
