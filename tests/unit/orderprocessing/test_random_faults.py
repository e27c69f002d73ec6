"""Several orders at once while everything goes wrong at random; afterwards all of them balance. A seed is a storm."""

import random

import pytest

from services.common.dapr.sidecar import TransientError
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, AT_B, AT_BOTH, HIGH_VALUE, OUT_OF_STOCK, World

SERVICES = ["inventory", "billing", "fraud", "shipping", "broker"]


class Storm:
    """Crashes, restarts, outages, hasty people and couriers, activities in any order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        pick = self.chance.choice
        self.world = World(
            charge_timeout=pick([1, 30]),
            booking_timeout=pick([1, 30]),
            order_action_timeout=pick([2, 30]),
            approval_timeout=pick([5, 600]),
        )
        self.orders = [self._place(number) for number in range(self.chance.randint(1, 4))]
        self.people = self.world.elsewhere()
        self.faults = pick([0, 0.02, 0.1])
        self.raging = True
        self.world.driver.choose = self.chance.randrange
        self.world.driver.runs_of_each_activity = pick([1, 2])
        self.world.points.at_each(self._blow)

    def rage(self) -> None:
        """Let it go on for some time, then end well."""
        for _ in range(100):
            self.world.run(self.chance.choice([0, 0.3, 1, 5]))
            self._courier()
        self.raging = False
        self.world.shop.down.clear()
        for order_id in self.orders:
            self.world.finish(order_id)

    def _place(self, number: int) -> str:
        skus = self.chance.sample([AT_A, AT_B, AT_BOTH, OUT_OF_STOCK, HIGH_VALUE], self.chance.randint(1, 4))
        return self.world.place(*skus, order_id=f"S{number}")

    def _blow(self) -> None:
        if not self.raging:
            return
        where = self.chance.random()
        if where < self.faults:
            raise TransientError("a gust")
        if where < self.faults + 0.03:
            self._people()
        elif where < self.faults + 0.04:
            self.world.restart()
            raise TransientError("the process died")
        elif where < self.faults + 0.05:
            self.world.shop.down ^= {self.chance.choice(SERVICES)}

    def _people(self) -> None:
        order_id = self.chance.choice(self.orders)
        approval = {"approver": "Chris", "approved": self.chance.random() < 0.7}
        report = {"status": self.chance.choice(["dispatched", "delivered"])}
        path, body = self.chance.choice(
            [
                (f"/orders/{order_id}/action", {"action": "cancel"}),
                (f"/orders/{order_id}/action", {"action": "amend"}),
                (f"/orders/{order_id}/approve", approval),
                (f"/shipments/{order_id}:{self.chance.randint(1, 3)}/status", report),
            ]
        )
        assert self.people.post(path, json=body).status_code in {202, 404, 409}

    def _courier(self) -> None:
        if self.chance.random() < 0.5:
            self.world.work(self.chance.choice(self.orders))


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_after_random_faults_every_order_ends_and_balances(first: int) -> None:
    for seed in range(first, first + 10):
        storm = Storm(seed)
        storm.rage()
        try:
            check_over(storm.world, *storm.orders)
        except AssertionError as error:
            raise AssertionError(f"storm {seed}") from error
