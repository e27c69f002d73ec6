"""Approval, and cancelling at every stage."""

from tests.e2e.shopper import Shopper
from tests.e2e.stories.goods import TOGETHER, payments, shipments, statuses

DEAR = 60_000
"""Two of these are above the approval threshold, one is below."""


@TOGETHER.story
def a_dear_order_waits_for_approval_and_is_delivered_once_it_has_it(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=2): 2})
    order = shopper.sees(order_id, "approvalRequired")
    assert (order["actions"], payments(order)) == (["cancel"], ["pending"])
    shopper.shop.approve(order_id)
    shopper.shop.approve(order_id)  # the same answer again does no harm
    shopper.delivers(order_id)
    assert "order.approved" in {step["type"] for step in shopper.shop.timeline(order_id)}
    shopper.shop.approve(order_id, expect=409)


@TOGETHER.story
def an_order_at_the_threshold_needs_approval_and_below_it_none(shopper: Shopper) -> None:
    at, below = shopper.goods(price=100_000, a=1), shopper.goods(price=99_999, a=1)
    needs, goes_on = shopper.orders({at: 1}), shopper.orders({below: 1})
    # First the one whose time is short.
    shopper.sees(needs, "approvalRequired")
    shopper.shop.approve(needs)
    shopper.delivers(goes_on)
    shopper.delivers(needs)


@TOGETHER.story
def a_rejected_order_is_cancelled(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=1, b=1): 2})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id, approved=False)
    order = shopper.sees(order_id, "cancelled")
    assert order["reason"] == "approvalRejected"
    assert statuses(order) == [("cancelled", "approvalRejected")] * 2
    shopper.shop.approve(order_id, expect=409)


@TOGETHER.story
def an_order_that_nobody_approves_in_time_is_cancelled(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, a=2): 2})
    order = shopper.sees(order_id, "cancelled")
    assert (order["reason"], shipments(order)) == ("approvalExpired", ["cancelled"])


@TOGETHER.story
def a_customer_may_cancel_while_the_approver_thinks(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=DEAR, b=2): 2})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.act(order_id, "cancel")
    shopper.shop.approve(order_id, expect=409)
    assert shopper.sees(order_id, "cancelled")["reason"] == "customerCancelled"


@TOGETHER.story
def an_amended_order_that_is_still_dear_needs_approval_too(shopper: Shopper) -> None:
    dear, nowhere = shopper.goods(price=DEAR, a=2), shopper.goods()
    order_id = shopper.orders({dear: 2, nowhere: 1})
    shopper.sees(order_id, "customerActionRequired")
    shopper.shop.approve(order_id, expect=409)
    shopper.shop.act(order_id, "amend")
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id)
    assert statuses(shopper.delivers(order_id)) == [("completed", None), ("cancelled", "notAvailable")]


@TOGETHER.story
def an_order_that_is_cheap_once_amended_needs_no_approval(shopper: Shopper) -> None:
    dear = shopper.goods(price=DEAR, a=1)
    order_id = shopper.orders({dear: 2})
    shopper.sees(order_id, "customerActionRequired")
    shopper.shop.act(order_id, "amend")
    shopper.delivers(order_id)
    assert "order.approvalRequired" not in {step["type"] for step in shopper.shop.timeline(order_id)}


@TOGETHER.story
def an_order_cancelled_at_once_takes_nothing(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.shop.act(order_id, "cancel")
    shopper.shop.act(order_id, "cancel")  # the same answer again does no harm
    assert shopper.sees(order_id, "cancelled")["reason"] == "customerCancelled"


@TOGETHER.story
def a_booked_order_that_is_cancelled_is_refunded_and_released(shopper: Shopper) -> None:
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


@TOGETHER.story
def nothing_can_be_cancelled_once_the_first_shipment_has_left(shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1})
    first, second = shopper.sees_shipments(order_id, "booked")
    shopper.shop.report(first, "dispatched")
    assert shopper.shop.order(order_id)["actions"] == []
    shopper.shop.act(order_id, "cancel", expect=409)
    shopper.shop.report(second, "dispatched")
    for shipment in (first, second):
        shopper.shop.report(shipment, "delivered")
    assert statuses(shopper.sees(order_id, "completed")) == [("completed", None)] * 2
