"""Charging, shipping and giving back: what each branch leaves behind."""

from datetime import timedelta

import pytest

from services.common.states import OrderStatus, Reason, ShipmentStatus
from tests.points import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, HIGH_VALUE, World


def outcomes(world: World) -> list[tuple[str, str | None, str | None]]:
    """Return (status, reason, payment's status) of each fulfillment."""
    shown = world.shown()["fulfillments"]
    return [(one["status"], one["reason"], one["payment"] and one["payment"]["status"]) for one in shown]


def stop_shipping(world: World) -> None:
    world.settle("shipping", "shipping/deactivate")


def test_a_declined_payment_fails_its_fulfillment_and_the_other_goes_on(world: World) -> None:
    world.settle("fraud", "limit", limit=8000)  # enough for the parcel of 76.99, not for that of 142.99
    world.place(AT_A, AT_B)
    assert world.finish().status == OrderStatus.COMPLETED
    assert outcomes(world) == [("completed", None, "success"), ("failed", "paymentDeclined", "failed")]
    check_over(world)


def test_an_order_of_which_every_payment_is_declined_fails(world: World) -> None:
    world.settle("fraud", "limit", limit=1)
    world.place(AT_A, AT_B)
    order = world.finish()
    assert (order.status, order.reason) == (OrderStatus.FAILED, Reason.PAYMENT_DECLINED)
    assert outcomes(world) == [("failed", "paymentDeclined", "failed")] * 2
    check_over(world)


def test_a_card_that_is_declined_does_not_count_against_the_spending_limit(world: World) -> None:
    world.place(**{HIGH_VALUE: 100})  # 154,680.00 plus shipping is more than the card network takes
    world.run()
    world.approve()
    order = world.finish()
    assert (order.status, order.reason) == (OrderStatus.FAILED, Reason.PAYMENT_DECLINED)
    assert world.tally() == 0
    check_over(world)


def test_the_public_fraud_check_of_a_coming_charge_does_no_harm_to_its_order(world: World) -> None:
    world.settle("fraud", "check", customerId="other", charge=1, chargeId="charge-A1:1")
    world.place(AT_A)
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_charge_waits_for_fraud_in_maintenance_and_happens_once(world: World) -> None:
    world.settle("fraud", "maintenance")
    world.place(AT_A)
    world.run(25)
    assert outcomes(world) == [("processing", None, "pending")]
    world.settle("fraud", "maintenance", enabled=False)
    world.run(6)
    assert outcomes(world) == [("processing", None, "success")]
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


@pytest.mark.parametrize("service", ["billing", "fraud"])
def test_a_charge_that_is_not_possible_for_thirty_seconds_fails(world: World, service: str) -> None:
    world.place(AT_A)
    world.shop.down = {service}
    world.run(29)
    assert outcomes(world) == [("processing", None, "pending")]
    world.run(2)
    assert outcomes(world)[0][2] == "failed"
    world.shop.down = set()
    order = world.finish()
    assert (order.status, order.reason) == (OrderStatus.FAILED, Reason.BILLING_UNAVAILABLE)
    check_over(world)


def test_a_charge_whose_answer_never_came_is_refunded(world: World) -> None:
    world.place(AT_A)
    world.points.at("after billing charges", crash, nth=range(1, 1000))
    order = world.finish()
    assert order.reason == Reason.BILLING_UNAVAILABLE
    assert world.ledger()["charged"] == world.ledger()["refunded"] == 7699
    check_over(world)


def test_without_a_courier_for_thirty_seconds_everything_is_given_back(world: World) -> None:
    stop_shipping(world)
    world.place(AT_A, AT_B)
    world.run(29)
    assert outcomes(world) == [("processing", None, "success")] * 2
    world.run(2)
    order = world.order()
    assert (order.status, order.reason) == (OrderStatus.FAILED, Reason.SHIPPING_UNAVAILABLE)
    assert outcomes(world) == [("failed", "shippingUnavailable", "refunded")] * 2
    assert world.ledger()["refunded"] == 7699 + 14299
    check_over(world)


def test_a_courier_that_is_back_in_time_is_booked(world: World) -> None:
    stop_shipping(world)
    world.place(AT_A)
    world.run(27)
    assert world.booking() is None
    world.settle("shipping", "shipping/activate")
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


@pytest.mark.parametrize("down", ["billing", "fraud", "shipping"])
def test_downtime_of_the_engine_does_not_count_towards_the_timeout(world: World, down: str) -> None:
    world.shop.down = {down}
    world.place("Vans Old Skool")
    world.run(5)
    world.clock.now += timedelta(minutes=2)
    world.run(3)
    assert not world.order().completed_at
    world.shop.down = set()
    assert world.finish().status == OrderStatus.COMPLETED


@pytest.mark.parametrize("down", ["billing", "fraud", "shipping"])
def test_a_cancellation_ends_the_waiting_for_a_service_at_once(world: World, down: str) -> None:
    world.place(AT_A)
    world.shop.down = {down}
    world.run(10)
    assert world.cancel() == 202
    assert world.shown()["actions"] == []
    asked_before = world.driver.asked.count("charge") + world.driver.asked.count("book")
    world.run()
    asked_after = world.driver.asked.count("charge") + world.driver.asked.count("book")
    assert asked_after == asked_before + 1
    world.shop.down = set()
    order = world.finish()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.CUSTOMER_CANCELLED)
    check_over(world)


def test_a_booked_order_that_is_cancelled_is_refunded_released_and_called_off(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    assert world.booking("A1:1") == world.booking("A1:2") == "booked"
    assert world.cancel() == 202
    assert world.report("dispatched") == 409
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    assert outcomes(world) == [("cancelled", "customerCancelled", "refunded")] * 2
    assert world.booking("A1:1") == world.booking("A1:2") == "cancelled"
    check_over(world)


def test_after_the_first_dispatch_the_customer_may_not_cancel(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    world.report("dispatched", "A1:1")
    assert world.shown()["actions"] == []
    assert world.cancel() == 409
    world.run()
    assert world.cancel() == 409
    assert world.finish().status == OrderStatus.COMPLETED
    assert world.cancel() == 409
    check_over(world)


def test_a_repeated_cancellation_is_one_cancellation(world: World) -> None:
    world.place(AT_A)
    world.run()
    assert (world.cancel(), world.cancel()) == (202, 202)
    world.run()
    assert world.cancel() == 409
    types = [step.type for step in world.order().timeline]
    assert types.count("order.cancelRequested") == 1
    check_over(world)


def test_early_repeated_and_disordered_reports_of_the_courier_do_no_harm(world: World) -> None:
    world.place(AT_A)
    world.settle("shipping", "shipping/deactivate")
    world.run()
    assert [world.report("dispatched"), world.report("delivered")] == [409, 409]
    world.settle("shipping", "shipping/activate")
    world.run(10)
    assert world.report("delivered") == 409
    assert [world.report("dispatched"), world.report("dispatched")] == [202, 202]
    world.run()
    assert [world.report("delivered"), world.report("delivered"), world.report("dispatched")] == [202, 202, 409]
    world.run()
    assert world.order().status == OrderStatus.COMPLETED
    assert [step.type for step in world.order().timeline].count("shipment.delivered") == 1
    check_over(world)


def test_both_reports_before_the_workflow_wakes_are_both_seen(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.report("dispatched")
    world.report("delivered")
    world.run()
    assert world.order().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_list_is_never_ahead_of_its_record(world: World) -> None:
    """Who acts upon a list at once, as a courier does, is not refused."""
    course = list(ShipmentStatus)

    def look() -> None:
        for line in world.send("GET", "/shipments").get_json():
            [one] = world.order(line["orderId"]).fulfillments or []
            assert one.shipment is not None
            assert course.index(line["status"]) <= course.index(one.shipment.status)

    world.place(AT_A)
    world.points.at_each(look)
    assert world.finish().status == OrderStatus.COMPLETED
