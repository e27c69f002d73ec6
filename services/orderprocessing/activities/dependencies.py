"""The dependencies of activities. Each activity ends by changing the record and then publishing the change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.common.encryption.encrypted_events import Publisher
from services.common.states import ShipmentStatus
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.service_clients import Billing, Fraud, Inventory, Shipping
from services.orderprocessing.domain.ids import event_id
from services.orderprocessing.domain.order import Order, Step
from services.orderprocessing.domain.order_rules import Policy
from services.orderprocessing.domain.timeline import CANCEL_REQUESTED, EVENT_REFUSED, last_step, steps_to_announce

PUBSUB = "orders"
TOPIC = "order-events"


class Decisions(Protocol):
    """The decisions of customers, approvers and couriers: the use cases of the API.

    They raise NotAllowedError, and LookupError for an unknown order.
    """

    def act(self, order_id: str, action: str) -> Order:
        """Apply the customer's decision."""

    def approve(self, order_id: str, approver: str, approved: bool) -> Order:
        """Apply the approver's decision."""

    def report(self, order_id: str, shipment_id: str, status: ShipmentStatus) -> Order:
        """Apply the courier's report."""


@dataclass(frozen=True)
class Dependencies:
    """The services, the repository and the broker, as activities use them."""

    orders: OrderRepository
    inventory: Inventory
    billing: Billing
    fraud: Fraud
    shipping: Shipping
    publisher: Publisher
    policy: Policy
    decisions: Decisions

    def change(self, order_id: str, change: Callable[[Order, str], Order]) -> Order:
        """Change an order's record by a domain function, which also gets the current time."""
        return self.orders.update(order_id, lambda order: change(order, self.orders.now()))

    def announce(self, order: Order, scope: str, announced: int) -> int:
        """Publish the steps of a scope after number `announced`, and return the last one's number.

        The event's id is derived from the step, so publishing again after a crash is harmless.
        """
        steps = steps_to_announce(order, scope, announced)
        self._publish(order, steps)
        return steps[-1].seq if steps else announced

    def announce_with_end(self, order: Order, scope: str, announced: int) -> int:
        """Publish the same steps, and the order's end if it has ended."""
        steps = steps_to_announce(order, scope, announced)
        self._publish(order, steps + last_step(order))
        return steps[-1].seq if steps else announced

    def announce_cancellation(self, order: Order) -> None:
        """Publish the customer's cancellation at once, before everything is undone."""
        self._publish(order, [step for step in order.timeline if step.type == CANCEL_REQUESTED])

    def announce_refusals(self, order: Order) -> None:
        """Publish the refusals of external events, which no later step of a workflow may publish."""
        self._publish(order, [step for step in order.timeline if step.type == EVENT_REFUSED])

    def _publish(self, order: Order, steps: Sequence[Step]) -> None:
        if steps:
            self.publisher.publish(PUBSUB, TOPIC, [cloud_event(order, step) for step in steps])


def cloud_event(order: Order, step: Step) -> dict[str, Any]:
    """Return the CloudEvent of a step."""
    data = {"orderId": order.id, "message": step.message, "actor": step.actor}
    if step.fulfillment_id:
        data["fulfillmentId"] = step.fulfillment_id
    return {
        "specversion": "1.0",
        "id": event_id(order.id, step.seq),
        "type": step.type,
        "source": "orderprocessing",
        "subject": order.id,
        "time": step.at,
        "datacontenttype": "application/json",
        "data": data,
    }
