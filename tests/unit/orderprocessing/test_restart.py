"""Orders whose workflows the engine has lost: started anew, they do what was left to do, and nothing twice."""

from collections.abc import Callable

import pytest

from services.common.states import OrderStatus, Reason
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, OUT_OF_STOCK, World


def lose_the_workflows(world: World) -> None:
    world.driver.instances.clear()


def delivered_meanwhile(world: World) -> None:
    world.place(AT_A)
    world.run()
    lose_the_workflows(world)
    assert [world.report("dispatched"), world.report("delivered")] == [202, 202]


def one_of_two_delivered_meanwhile(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    lose_the_workflows(world)
    assert [world.report("dispatched"), world.report("delivered")] == [202, 202]


def dispatched_meanwhile(world: World) -> None:
    world.place(AT_A)
    world.run()
    lose_the_workflows(world)
    assert world.report("dispatched") == 202


def lost_while_the_stock_could_not_be_handed_over(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.shop.down.add("inventory")
    world.report("dispatched")
    world.run()
    world.report("delivered")
    world.run(5)
    lose_the_workflows(world)
    world.shop.down.clear()


@pytest.mark.parametrize(
    "story",
    [
        delivered_meanwhile,
        one_of_two_delivered_meanwhile,
        dispatched_meanwhile,
        lost_while_the_stock_could_not_be_handed_over,
    ],
    ids=lambda story: story.__name__,
)
def test_a_lost_workflow_is_restarted_and_completes_its_fulfillments(
    world: World, story: Callable[[World], None]
) -> None:
    story(world)
    world.run(20)
    assert world.recover() == 1
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_a_cancelled_order_whose_workflow_is_lost_gives_everything_back_without_waiting_for_its_deadline(
    world: World,
) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.shop.down.add("inventory")
    assert world.cancel() == 202
    world.run(2)  # the end is decided, the release is being tried
    lose_the_workflows(world)
    world.shop.down.clear()
    world.run(16)
    assert world.recover() == 1
    assert world.finish().reason == Reason.CUSTOMER_CANCELLED
    check_over(world)


def test_only_workflows_with_pending_signals_are_signalled(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    world.driver.reachable = False
    world.report("dispatched")
    world.driver.reachable = True
    rung: list[str] = []
    signal = world.driver.signal
    world.driver.signal = lambda instances: (rung.extend(instances), signal(instances))  # type: ignore[func-returns-value]
    world.run(16)
    world.recover()
    assert rung == ["shipment-A1-1"]
