"""The rules of one fulfillment of an order: payment, booking, delivery and undo. Pure functions.

Each function returns the changed order, or the same object where there is nothing to do.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import NotAllowedError
from services.common.records import EntryLocation
from services.common.states import (
    FulfillmentStatus,
    IllegalMoveError,
    PaymentStatus,
    Reason,
    ShipmentStatus,
    check_move,
    is_final,
)
from services.orderprocessing.domain.ids import charge_workflow_id, shipment_workflow_id
from services.orderprocessing.domain.order import Fulfillment, Order, Payment, Shipment
from services.orderprocessing.domain.timeline import COURIER, SYSTEM, acknowledge, note


class Outcome(StrEnum):
    """The outcome of a step of a fulfillment."""

    DONE = "done"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    WAITING = "waiting"


@dataclass(frozen=True)
class Invoice:
    """Billing's invoice of a fulfillment, in minor units."""

    sub_total: int
    tax: int
    shipping: int
    total: int
    invoice_reference: str


def undo_scope(fulfillment_id: str) -> str:
    """Return the scope of the steps that undo a fulfillment."""
    return f"undo-{fulfillment_id}"


def replace(order: Order, changed: Fulfillment) -> Order:
    """Replace a fulfillment of the order."""
    fulfillments = [changed if part.id == changed.id else part for part in order.fulfillments or []]
    return order.model_copy(update={"fulfillments": fulfillments})


def find(order: Order, fulfillment_id: str) -> tuple[Fulfillment, Payment, Shipment]:
    """Return a fulfillment that is in stock, with its payment and shipment. Raises LookupError."""
    fulfillment = order.fulfillment(fulfillment_id)
    if fulfillment is None or fulfillment.payment is None or fulfillment.shipment is None:
        raise LookupError(f"order {order.id} has no fulfillment {fulfillment_id} in stock")
    return fulfillment, fulfillment.payment, fulfillment.shipment


def closed(fulfillment: Fulfillment, status: FulfillmentStatus, reason: Reason | None, now: str) -> Fulfillment:
    """End a fulfillment without a delivery, and cancel its shipment."""
    check_move(fulfillment.status, status)
    shipment = fulfillment.shipment
    if shipment and not is_final(shipment.status):
        shipment = _moved(shipment, ShipmentStatus.CANCELLED, now)
    return fulfillment.model_copy(update={"status": status, "reason": reason, "shipment": shipment})


def _moved(shipment: Shipment, status: ShipmentStatus, now: str, **changes: object) -> Shipment:
    check_move(shipment.status, status)
    return shipment.model_copy(update={"status": status, "updated_at": now, **changes})


def paid(order: Order, fulfillment_id: str, invoice: Invoice, now: str) -> Order:
    """Record the charge, and start the shipment."""
    after = _payment(order, fulfillment_id, PaymentStatus.SUCCESS, invoice, None, "Payment received", now)
    if after is order:
        return order
    fulfillment, _, shipment = find(after, fulfillment_id)
    return replace(after, fulfillment.model_copy(update={"shipment": shipment.model_copy(update={"started_at": now})}))


def not_paid(
    order: Order, fulfillment_id: str, invoice: Invoice | None, reason: Reason, message: str, now: str
) -> Order:
    """Record that the payment failed, and the reason."""
    return _payment(order, fulfillment_id, PaymentStatus.FAILED, invoice, reason, message, now)


def _payment(
    order: Order,
    fulfillment_id: str,
    status: PaymentStatus,
    invoice: Invoice | None,
    reason: Reason | None,
    message: str,
    now: str,
) -> Order:
    fulfillment, payment, _ = find(order, fulfillment_id)
    if payment.status != PaymentStatus.PENDING or is_final(fulfillment.status):
        return order
    check_move(payment.status, status)
    amounts = vars(invoice) if invoice else {}
    changed = payment.model_copy(update={"status": status, **amounts})
    order = replace(order, fulfillment.model_copy(update={"payment": changed, "reason": reason}))
    kind = "payment.succeeded" if status == PaymentStatus.SUCCESS else "payment.failed"
    scope = charge_workflow_id(fulfillment_id)
    return note(order, now, kind, message, scope=scope, fulfillment_id=fulfillment_id)


def booked(
    order: Order, fulfillment_id: str, entry_location: EntryLocation, courier_reference: str | None, now: str
) -> Order:
    """Record the shipment's entry location and, if there is a reference, the courier's booking."""
    order = listed(order, fulfillment_id, entry_location)
    fulfillment, _, shipment = find(order, fulfillment_id)
    if courier_reference is None or fulfillment.reason is not None or shipment.status != ShipmentStatus.PENDING:
        # With a reason, the booking was given up in the meantime. This one came late, and the undo cancels it.
        return order
    shipment = _moved(shipment, ShipmentStatus.BOOKED, now, courier_reference=courier_reference)
    order = replace(order, fulfillment.model_copy(update={"shipment": shipment}))
    message = f"Courier booked, reference {courier_reference}"
    return _shipment_step(order, "shipment.booked", message, fulfillment_id, now)


def listed(order: Order, fulfillment_id: str, entry_location: EntryLocation) -> Order:
    """Record the shipment's entry location in the index of shipments."""
    fulfillment, _, shipment = find(order, fulfillment_id)
    if shipment.entry_location is not None:
        return order
    fulfillment = fulfillment.model_copy(
        update={"shipment": shipment.model_copy(update={"entry_location": entry_location})}
    )
    return replace(order, fulfillment).model_copy(update={"rev": order.rev + 1})


def not_booked(order: Order, fulfillment_id: str, now: str) -> Order:
    """Record that no courier could be booked in time."""
    fulfillment, _, shipment = find(order, fulfillment_id)
    if order.cancel or fulfillment.reason is not None or shipment.status != ShipmentStatus.PENDING:
        return order
    order = replace(order, fulfillment.model_copy(update={"reason": Reason.SHIPPING_UNAVAILABLE}))
    return _shipment_step(order, "shipment.failed", "No courier could be booked in time", fulfillment_id, now)


def courier_reports(order: Order, fulfillment_id: str, status: ShipmentStatus, now: str) -> Order:
    """Apply the courier's report; a repeated report changes nothing. Raises NotAllowedError and LookupError."""
    fulfillment, _, shipment = find(order, fulfillment_id)
    if shipment.status == status:
        return order
    if order.cancel or fulfillment.reason is not None or is_final(fulfillment.status):
        raise NotAllowedError("notAllowed", f"the shipment is {shipment.status.value} and its order takes no reports")
    try:
        shipment = _moved(shipment, status, now)
    except IllegalMoveError as error:
        raise NotAllowedError("notAllowed", f"the shipment cannot move: {error}") from error
    order = replace(order, fulfillment.model_copy(update={"shipment": shipment}))
    if status == ShipmentStatus.DELIVERED:
        check_move(fulfillment.status, FulfillmentStatus.COMPLETED)
        delivered = fulfillment.model_copy(update={"shipment": shipment, "status": FulfillmentStatus.COMPLETED})
        order = replace(order, delivered)
    message = f"The courier has {status.value} the goods"
    return _shipment_step(order, f"shipment.{status.value}", message, fulfillment_id, now, COURIER)


def handed_over(order: Order, fulfillment_id: str) -> Order:
    """Record that the stock was handed over, and acknowledge the signal of the courier's report."""
    fulfillment, _, shipment = find(order, fulfillment_id)
    if shipment.has_left and not shipment.handed_over:
        changed = shipment.model_copy(update={"handed_over": True})
        order = replace(order, fulfillment.model_copy(update={"shipment": changed})).model_copy(
            update={"rev": order.rev + 1}
        )
    return acknowledge(order, shipment_workflow_id(fulfillment_id))


def refunded(order: Order, fulfillment_id: str, amount: int, now: str) -> Order:
    """Record the refund."""
    fulfillment, payment, _ = find(order, fulfillment_id)
    if payment.status != PaymentStatus.SUCCESS:
        return order
    check_move(payment.status, PaymentStatus.REFUNDED)
    changed = payment.model_copy(update={"status": PaymentStatus.REFUNDED})
    order = replace(order, fulfillment.model_copy(update={"payment": changed}))
    message = f"Refunded {amount / 100:.2f} {payment.currency}"
    return note(
        order, now, "payment.refunded", message, scope=undo_scope(fulfillment_id), fulfillment_id=fulfillment_id
    )


def undone(order: Order, fulfillment_id: str, now: str) -> Order:
    """End a fulfillment that will not be delivered, after all its steps have been undone."""
    fulfillment, payment, _ = find(order, fulfillment_id)
    if is_final(fulfillment.status):
        return order
    if payment.status == PaymentStatus.SUCCESS:
        # A late try has recorded the charge. The refund before this has refunded it nevertheless.
        order = refunded(order, fulfillment_id, payment.total or 0, now)
        fulfillment, _, _ = find(order, fulfillment_id)
    # The fulfillment's own failure takes precedence over a cancellation of the order.
    status = FulfillmentStatus.FAILED if fulfillment.reason else FulfillmentStatus.CANCELLED
    reason = fulfillment.reason or Reason.CUSTOMER_CANCELLED
    order = replace(order, closed(fulfillment, status, reason, now))
    message = "Failed, everything given back" if fulfillment.reason else "Cancelled, everything given back"
    scope = undo_scope(fulfillment_id)
    return note(order, now, f"fulfillment.{status.value}", message, scope=scope, fulfillment_id=fulfillment_id)


def _shipment_step(order: Order, kind: str, message: str, fulfillment_id: str, now: str, actor: str = SYSTEM) -> Order:
    scope = shipment_workflow_id(fulfillment_id)
    return note(order, now, kind, message, actor=actor, scope=scope, fulfillment_id=fulfillment_id)
