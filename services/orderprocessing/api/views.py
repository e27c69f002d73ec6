"""An order and a shipment as clients see them."""

from services.common.money import CURRENCY
from services.orderprocessing.domain.ids import order_workflow_id
from services.orderprocessing.domain.order import Fulfillment, JsonObject, Line, Order, Shipment
from services.orderprocessing.domain.order_rules import actions
from services.orderprocessing.domain.states import is_final


def order_view(order: Order, workflow: JsonObject | None) -> JsonObject:
    """Return the whole order; `workflow` is what the engine says, None for the last known state."""
    fulfillments = None
    if order.fulfillments is not None:
        fulfillments = [_fulfillment(one) for one in order.fulfillments]
    return {
        "id": order.id,
        "customerId": order.customer_id,
        "receivedAt": order.received_at,
        "updatedAt": order.updated_at,
        "completedAt": order.completed_at,
        "status": order.status.value,
        "reason": order.reason.value if order.reason else None,
        "items": _goods(order.items),
        "goodsTotal": order.goods_total,
        "currency": CURRENCY,
        "fulfillments": fulfillments,
        "actions": actions(order),
        "deadline": order.deadline,
        "traceId": order.trace_id,
        "workflow": workflow or _last_known(order),
    }


def _last_known(order: Order) -> JsonObject:
    return {
        "instanceId": order_workflow_id(order.id),
        "status": "COMPLETED" if is_final(order.status) else "RUNNING",
        "createdAt": order.received_at,
        "updatedAt": order.updated_at,
        "failure": None,
    }


def _fulfillment(one: Fulfillment) -> JsonObject:
    return {
        "id": one.id,
        "location": one.location,
        "status": one.status.value,
        "reason": one.reason.value if one.reason else None,
        "items": _goods(one.items),
        "payment": one.payment.to_json() if one.payment else None,
        "shipment": _shipment(one.shipment) if one.shipment else None,
    }


def _shipment(shipment: Shipment) -> JsonObject:
    return {
        "id": shipment.id,
        "status": shipment.status.value,
        "courierReference": shipment.courier_reference,
        "updatedAt": shipment.updated_at,
    }


def _goods(lines: list[Line]) -> list[JsonObject]:
    return [{"sku": line.sku, "quantity": line.quantity} for line in lines]


def shipment_view(one: Fulfillment, shipment: Shipment) -> JsonObject:
    """Return one shipment with its goods."""
    return _shipment(shipment) | {"items": _goods(one.items)}


def timeline_view(order: Order) -> list[JsonObject]:
    """Return every step so far, oldest first."""
    return [
        step.model_dump(mode="json", by_alias=True, exclude={"scope"}, exclude_none=True) for step in order.timeline
    ]
