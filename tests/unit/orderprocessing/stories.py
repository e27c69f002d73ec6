"""Stories that a sweep plays again and again, disturbed at another point each time."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.states import OrderStatus
from tests.unit.orderprocessing.world import AT_A, AT_B, HIGH_VALUE, OUT_OF_STOCK, World


@dataclass(frozen=True)
class Story:
    """Something that happens to one order, from an order that was just placed to its end."""

    place: Callable[[World], object]
    go_on: Callable[[World], object]
    ends: OrderStatus


def _until(world: World, does: Callable[[], int]) -> None:
    """Try until it is accepted, as a person does who gets a 503 or comes too early, or until the order is over."""
    for _ in range(100):
        world.run()
        if does() == 202 or world.order().completed_at:
            return
        world.run(1)
        world.recover()
    raise AssertionError("never accepted")


def _amend(world: World) -> None:
    _until(world, lambda: world.act("amend"))
    world.finish()


def _approve(world: World) -> None:
    _until(world, world.approve)
    world.finish()


def _cancel_when_booked(world: World) -> None:
    _until(world, world.cancel)
    world.finish()


def _shipping_never_works(world: World) -> None:
    world.settle("shipping", "shipping/deactivate")
    world.finish()


def _fraud_declines(world: World) -> None:
    world.settle("fraud", "limit", limit=8000)
    world.finish()


STORIES = {
    "two parcels": Story(lambda w: w.place(AT_A, AT_B), World.finish, OrderStatus.COMPLETED),
    "amended": Story(lambda w: w.place(AT_A, OUT_OF_STOCK), _amend, OrderStatus.COMPLETED),
    "approved": Story(lambda w: w.place(HIGH_VALUE), _approve, OrderStatus.COMPLETED),
    "cancelled when booked": Story(lambda w: w.place(AT_A, AT_B), _cancel_when_booked, OrderStatus.CANCELLED),
    "no answer": Story(lambda w: w.place(AT_A, OUT_OF_STOCK), World.finish, OrderStatus.TIMED_OUT),
    "no courier": Story(lambda w: w.place(AT_A, AT_B), _shipping_never_works, OrderStatus.FAILED),
    "one declined": Story(lambda w: w.place(AT_A, AT_B), _fraud_declines, OrderStatus.COMPLETED),
}
