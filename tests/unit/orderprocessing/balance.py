"""What must be true of every order that is over, whatever happened to it."""

from services.common.states import (
    FulfillmentStatus,
    OrderStatus,
    PaymentStatus,
    ShipmentStatus,
    is_final,
)
from services.orderprocessing.domain.order import Order
from tests.unit.orderprocessing.world import World

_ORPHAN_AGE = 301
"""After so many seconds the reconciler takes lines off the lists that a crash has left there."""

COMPLETED = FulfillmentStatus.COMPLETED


def check_over(world: World, *order_ids: str) -> None:
    """Check that these orders, all there are, took nothing but what was delivered, and that everybody was told."""
    world.run(_ORPHAN_AGE)
    world.recover()
    world.recover()  # a line must point nowhere twice
    orders = [world.order(order_id) for order_id in order_ids or ("A1",)]
    for order in orders:
        _check_record(order)
        _check_money(world, order)
        _check_bookings(world, order)
        _check_events(world, order)
    _check_stock(world, orders)
    _check_lists(world, orders)
    world.driver.check_replay()


def _check_record(order: Order) -> None:
    assert is_final(order.status)
    assert order.completed_at
    assert order.pending_signals == {}
    assert order.deadline is None
    assert all(is_final(one.status) for one in order.fulfillments or [])
    assert all(is_final(one.shipment.status) for one in order.fulfillments or [] if one.shipment)
    delivered = [one for one in order.fulfillments or [] if one.status == COMPLETED]
    assert bool(delivered) == (order.status == OrderStatus.COMPLETED)
    assert all(one.shipment and one.shipment.status == ShipmentStatus.DELIVERED for one in delivered)


def _check_money(world: World, order: Order) -> None:
    ledger = world.ledger(order.id)
    paid = sum(one.payment.total or 0 for one in order.fulfillments or [] if one.status == COMPLETED and one.payment)
    assert ledger["charged"] - ledger["refunded"] == paid
    for one in order.fulfillments or []:
        if one.payment and one.status == COMPLETED:
            assert one.payment.status == PaymentStatus.SUCCESS
        elif one.payment:
            assert one.payment.status != PaymentStatus.SUCCESS


def _check_bookings(world: World, order: Order) -> None:
    for one in order.fulfillments or []:
        wanted = {"booked"} if one.status == COMPLETED else {"cancelled", None}
        assert world.booking(one.id) in wanted


def _check_events(world: World, order: Order) -> None:
    told = {}
    for event in world.shop.published:
        if event["subject"] == order.id:
            assert told.setdefault(event["id"], event) == event, "one id, two contents"
    assert {key: event["type"] for key, event in told.items()} == {
        f"{order.id}/{step.seq}": step.type for step in order.timeline
    }
    assert [step.seq for step in order.timeline] == list(range(1, len(order.timeline) + 1))


def _check_stock(world: World, orders: list[Order]) -> None:
    gone: dict[str, int] = {}
    total = 0
    for order in orders:
        for one in order.fulfillments or []:
            if one.status == COMPLETED:
                total += (one.payment.total or 0) if one.payment else 0
                for line in one.items:
                    gone[line.sku] = gone.get(line.sku, 0) + line.quantity
    for sku, (on_hand, reserved) in world.stock().items():
        assert reserved == 0, f"{reserved} of {sku} stay reserved"
        assert on_hand == world.stock_at_start[sku][0] - gone.get(sku, 0)
    assert world.tally() == total


def _check_lists(world: World, orders: list[Order]) -> None:
    lines = world.send("GET", "/orders?limit=1000").get_json()
    assert {line["id"]: line["status"] for line in lines} == {order.id: order.status.value for order in orders}
    assert world.orders.orders.open_count() == 0
    shipments = {line["id"]: line["status"] for line in world.send("GET", "/shipments").get_json()}
    all_shipments = {one.id: one.shipment for order in orders for one in order.fulfillments or [] if one.shipment}
    assert shipments == {key: one.status.value for key, one in all_shipments.items() if one.entry_location is not None}
    assert world.orders.shipments.open_count() == 0
