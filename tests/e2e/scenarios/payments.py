"""Payments declined by the card network and by the spending limit."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.consistency import expected_invoice
from tests.e2e.groups import Group, System
from tests.e2e.scenarios.goods import TOGETHER, parts, payments, shipments, statuses
from tests.e2e.shopper import Shopper

LIMIT = 20_000
TOO_DEAR = 9_000_000
"""With tax above the card limit for one charge (100,000.00)."""


@contextmanager
def fraud_limit(system: System) -> Iterator[None]:
    """Run the scenarios with a spending limit."""
    system.shop.post("fraud", "/limit", {"limit": LIMIT})
    try:
        yield
    finally:
        system.shop.post("fraud", "/limit", {"limit": 0})


LIMITED = Group(fraud_limit)


@TOGETHER.scenario
def order_fails_when_the_card_network_declines_the_payment(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=TOO_DEAR, a=1): 1})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id)
    order = shopper.sees(order_id, "failed")
    assert (order["reason"], payments(order), shipments(order)) == ("paymentDeclined", ["failed"], ["cancelled"])


@TOGETHER.scenario
def public_fraud_check_of_a_later_charge_does_not_affect_its_order(shopper: Shopper) -> None:
    order_id = shopper.new_id()
    check = {"customerId": f"not {shopper.customer_id}", "charge": 1, "chargeId": f"charge-{order_id}:1"}
    assert shopper.shop.post("fraud", "/check", check) == {"declined": False}
    assert shopper.shop.call("fraud", "POST", f"/check/charge-{order_id}:1", check).status_code == 401
    shopper.delivers(shopper.orders({shopper.goods(a=1): 1}, id=order_id))


@TOGETHER.scenario
def declined_fulfillment_does_not_affect_the_others(shopper: Shopper) -> None:
    high_value, cheap = shopper.goods(price=TOO_DEAR, a=1), shopper.goods(b=1)
    order_id = shopper.orders({high_value: 1, cheap: 1})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id)
    order = shopper.delivers(order_id)
    assert statuses(order) == [("failed", "paymentDeclined"), ("completed", None)]
    assert payments(order) == ["failed", "success"]


@LIMITED.scenario
def spending_limit_declines_one_of_two_fulfillments(shopper: Shopper) -> None:
    skus = [shopper.goods(price=9_000, a=1), shopper.goods(price=9_000, b=1)]
    cost = expected_invoice({skus[0]: 1}, shopper.prices)["total"]
    assert cost <= LIMIT < 2 * cost
    order = shopper.delivers(shopper.orders(dict.fromkeys(skus, 1)))
    assert sorted(statuses(order)) == [("completed", None), ("failed", "paymentDeclined")]
    assert sorted(map(str, payments(order))) == ["failed", "success"]


@LIMITED.scenario
def order_above_the_spending_limit_fails(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=17_000, a=1): 1, shopper.goods(price=18_000, b=1): 1})
    order = shopper.sees(order_id, "failed")
    assert order["reason"] == "paymentDeclined"
    assert statuses(order) == [("failed", "paymentDeclined")] * 2


@LIMITED.scenario
def refund_frees_spending_limit(shopper: Shopper) -> None:
    sku = shopper.goods(price=15_000, a=2)
    first = shopper.orders({sku: 1})
    shopper.sees_shipments(first, "booked")
    second = shopper.orders({sku: 1})
    assert shopper.sees(second, "failed")["reason"] == "paymentDeclined"
    shopper.shop.act(first, "cancel")
    shopper.sees(first, "cancelled")
    third = shopper.delivers(shopper.orders({sku: 1}))
    assert parts(third) == [("Warehouse A", "completed", {sku: 1})]
