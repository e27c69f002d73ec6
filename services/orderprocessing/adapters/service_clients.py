"""Clients of the other services: one method for each call, all of them idempotent."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

from services.common.dapr.sidecar import RefusedError
from services.orderprocessing.domain.fulfillment_rules import Invoice
from services.orderprocessing.domain.ids import charge_key
from services.orderprocessing.domain.order import Fulfillment, JsonObject, Line, Order
from services.orderprocessing.domain.order_rules import Allotment


class Invoker(Protocol):
    """The part of the sidecar that the clients need."""

    def invoke(self, service: str, method: str, path: str, body: object = None) -> JsonObject:
        """Call another service. Raises TransientError and RefusedError."""


def _items(lines: Sequence[Line]) -> list[JsonObject]:
    return [{"sku": line.sku, "quantity": line.quantity} for line in lines]


class Inventory:
    """The catalogue and the stock."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def prices(self) -> dict[str, int]:
        """Return the unit price of every SKU in minor units."""
        items = self._invoker.invoke("inventory", "GET", "inventory")["items"]
        return {item["sku"]: item["unitPrice"] for item in items}

    def reserve(self, order: Order) -> list[Allotment]:
        """Reserve the order's items and return what each warehouse reserved; a repetition returns the same."""
        body = {"orderId": order.id, "lines": _items(order.items)}
        answer = self._invoker.invoke("inventory", "POST", "reservations", body)
        return [
            Allotment(part["id"], part["location"], [(item["sku"], item["quantity"]) for item in part["items"]])
            for part in answer["fulfillments"]
        ]

    def release(self, order_id: str, fulfillment_id: str | None = None) -> None:
        """Release the reservation of one fulfillment, or of the whole order. The undo of `reserve`."""
        self._end_reservation(order_id, "release", fulfillment_id)

    def commit(self, order_id: str, fulfillment_id: str) -> None:
        """Commit the reservation of a fulfillment: the courier has picked the items up."""
        self._end_reservation(order_id, "commit", fulfillment_id)

    def _end_reservation(self, order_id: str, action: str, fulfillment_id: str | None) -> None:
        body = {"fulfillments": [fulfillment_id]} if fulfillment_id else {}
        self._invoker.invoke("inventory", "POST", f"reservations/{order_id}/{action}", body)


class Billing:
    """Invoices and the ledger."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def invoice(self, order: Order, fulfillment: Fulfillment) -> Invoice:
        """Create the fulfillment's invoice, or return the existing one."""
        items = [
            {"sku": line.sku, "quantity": line.quantity, "unitPrice": line.unit_price} for line in fulfillment.items
        ]
        body = {"fulfillmentId": fulfillment.id, "orderId": order.id, "customerId": order.customer_id, "items": items}
        answer = self._invoker.invoke("billing", "POST", "invoices", body)
        return Invoice(
            sub_total=answer["subTotal"],
            tax=answer["tax"],
            shipping=answer["shipping"],
            total=answer["total"],
            invoice_reference=answer["invoiceReference"],
        )

    def charge(self, order: Order, fulfillment: Fulfillment, invoice: Invoice) -> bool:
        """Charge the invoice once; return whether the charge was accepted."""
        body = {
            "idempotencyKey": charge_key(fulfillment.id),
            "orderId": order.id,
            "fulfillmentId": fulfillment.id,
            "invoiceReference": invoice.invoice_reference,
            "amount": invoice.total,
        }
        return bool(self._invoker.invoke("billing", "POST", "charges", body)["status"] == "success")

    def refund(self, order_id: str, fulfillment_id: str) -> int:
        """Refund a charge, or void it if it never arrived; return the amount. The undo of `charge`."""
        body = {"orderId": order_id, "fulfillmentId": fulfillment_id, "chargeKey": charge_key(fulfillment_id)}
        return int(self._invoker.invoke("billing", "POST", "refunds", body)["refunded"])


class Fraud:
    """The spending limit."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def declines(self, customer_id: str, fulfillment_id: str, amount: int) -> bool:
        """Return whether a charge exceeds the customer's spending limit; an accepted one counts towards it."""
        body = {"customerId": customer_id, "charge": amount}
        return bool(self._invoker.invoke("fraud", "POST", _check_path(fulfillment_id), body)["declined"])

    def reverse(self, fulfillment_id: str) -> None:
        """Stop counting a charge. The undo of `declines`."""
        self._invoker.invoke("fraud", "POST", f"{_check_path(fulfillment_id)}/reverse", {})


def _check_path(fulfillment_id: str) -> str:
    return f"check/{quote(charge_key(fulfillment_id))}"


class Shipping:
    """The courier."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def book(self, order_id: str, fulfillment: Fulfillment) -> str | None:
        """Book the courier once and return its reference, or None if the booking was cancelled before."""
        body = {"id": fulfillment.id, "orderId": order_id, "items": _items(fulfillment.items)}
        try:
            return str(self._invoker.invoke("shipping", "POST", "bookings", body)["courierReference"])
        except RefusedError as error:
            if error.body.get("code") == "bookingCancelled":
                return None
            raise

    def cancel(self, fulfillment_id: str) -> None:
        """Cancel the booking, or void it if it never arrived. The undo of `book`."""
        self._invoker.invoke("shipping", "POST", f"bookings/{quote(fulfillment_id)}/cancel", {})
