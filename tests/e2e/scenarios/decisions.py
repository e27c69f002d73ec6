"""Approvals, and cancellations at every stage."""

from tests.e2e.scenarios.goods import TOGETHER, payments, shipments, statuses
from tests.e2e.shopper import Shopper

DEAR = 60_000
"""Two of these are above the approval threshold, one is below."""


@TOGETHER.scenario
def high_value_order_is_delivered_after_its_approval(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=2): 2})
    order = shopper.sees(order_id, "approvalRequired")
    assert (order["actions"], payments(order)) == (["cancel"], ["pending"])
    shopper.shop.approve(order_id)
    shopper.shop.approve(order_id)  # repeating a decision has no effect
    shopper.delivers(order_id)
    assert "order.approved" in {step["type"] for step in shopper.shop.timeline(order_id)}
    shopper.shop.approve(order_id, expect=409)


@TOGETHER.scenario
def order_at_the_threshold_needs_approval_and_below_it_none(shopper: Shopper) -> None:
    at, below = shopper.goods(price=100_000, a=1), shopper.goods(price=99_999, a=1)
    needs, goes_on = shopper.orders({at: 1}), shopper.orders({below: 1})
    # The one with the short deadline first.
    shopper.sees(needs, "approvalRequired")
    shopper.shop.approve(needs)
    shopper.delivers(goes_on)
    shopper.delivers(needs)


@TOGETHER.scenario
def rejected_order_is_cancelled(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=1, b=1): 2})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id, approved=False)
    order = shopper.sees(order_id, "cancelled")
    assert order["reason"] == "approvalRejected"
    assert statuses(order) == [("cancelled", "approvalRejected")] * 2
    shopper.shop.approve(order_id, expect=409)


@TOGETHER.scenario
def order_without_approval_before_the_deadline_is_cancelled(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=2): 2})
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], shipments(order)) == ("approvalExpired", ["cancelled"])


@TOGETHER.scenario
def customer_can_cancel_while_approval_is_pending(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, b=2): 2})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.act(order_id, "cancel")
    shopper.shop.approve(order_id, expect=409)
    assert shopper.sees(order_id, "cancelled")["reason"] == "customerCancelled"


@TOGETHER.scenario
def amended_order_above_the_threshold_needs_approval(shopper: Shopper) -> None:
    high_value, nowhere = shopper.goods(price=DEAR, a=2), shopper.goods()
    order_id = shopper.orders({high_value: 2, nowhere: 1})
    shopper.sees(order_id, "customerActionRequired")
    shopper.shop.approve(order_id, expect=409)
    shopper.shop.act(order_id, "amend")
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id)
    assert statuses(shopper.delivers(order_id)) == [("completed", None), ("cancelled", "notAvailable")]


@TOGETHER.scenario
def amended_order_below_the_threshold_needs_no_approval(shopper: Shopper) -> None:
    high_value = shopper.goods(price=DEAR, a=1)
    order_id = shopper.orders({high_value: 2})
    shopper.sees(order_id, "customerActionRequired")
    shopper.shop.act(order_id, "amend")
    shopper.delivers(order_id)
    assert "order.approvalRequired" not in {step["type"] for step in shopper.shop.timeline(order_id)}


@TOGETHER.scenario
def order_cancelled_at_once_charges_and_reserves_nothing(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.shop.act(order_id, "cancel")
    shopper.shop.act(order_id, "cancel")  # repeating a decision has no effect
    assert shopper.sees(order_id, "cancelled")["reason"] == "customerCancelled"


@TOGETHER.scenario
def cancelled_booked_order_is_refunded_and_released(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1})
    booked = shopper.sees_shipments(order_id, "booked")
    assert shopper.shop.order(order_id)["actions"] == ["cancel"]
    shopper.shop.act(order_id, "cancel")
    order = shopper.sees(order_id, "cancelled")
    assert statuses(order) == [("cancelled", "customerCancelled")] * 2
    assert (payments(order), shipments(order)) == (["refunded"] * 2, ["cancelled"] * 2)
    for shipment in booked:
        assert shopper.shop.get("shipping", f"/bookings/{shipment}")["status"] == "cancelled"
        shopper.shop.report(shipment, "dispatched", expect=409)


@TOGETHER.scenario
def order_cannot_be_cancelled_after_the_first_dispatch(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1})
    first, second = shopper.sees_shipments(order_id, "booked")
    shopper.shop.report(first, "dispatched")
    assert shopper.shop.order(order_id)["actions"] == []
    shopper.shop.act(order_id, "cancel", expect=409)
    shopper.shop.report(second, "dispatched")
    for shipment in (first, second):
        shopper.shop.report(shipment, "delivered")
    assert statuses(shopper.sees(order_id, "completed")) == [("completed", None)] * 2
