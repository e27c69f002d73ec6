"""The other services as activities see them: one method for each call, every one of them idempotent by its key."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

from services.common.dapr.sidecar import RefusedError
from services.orderprocessing.domain.fulfillment_rules import Invoice
from services.orderprocessing.domain.ids import charge_key
from services.orderprocessing.domain.order import Fulfillment, JsonObject, Line, Order
from services.orderprocessing.domain.order_rules import Allotment


class Invoker(Protocol):
    """The part of the sidecar that is needed here."""

    def invoke(self, service: str, method: str, path: str, body: object = None) -> JsonObject:
        """Call another service. Raises TransientError and RefusedError."""


def _goods(lines: Sequence[Line]) -> list[JsonObject]:
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
        """Reserve the order's goods and return what each warehouse keeps; the same for the same order."""
        body = {"orderId": order.id, "lines": _goods(order.items)}
        answer = self._invoker.invoke("inventory", "POST", "reservations", body)
        return [
            Allotment(one["id"], one["location"], [(item["sku"], item["quantity"]) for item in one["items"]])
            for one in answer["fulfillments"]
        ]

    def release(self, order_id: str, fulfillment_id: str | None = None) -> None:
        """Give back what is reserved for one fulfillment, or for the whole order. The undo of `reserve`."""
        self._settle(order_id, "release", fulfillment_id)

    def commit(self, order_id: str, fulfillment_id: str) -> None:
        """Take the goods off the books: the courier has them."""
        self._settle(order_id, "commit", fulfillment_id)

    def _settle(self, order_id: str, what: str, fulfillment_id: str | None) -> None:
        body = {"fulfillments": [fulfillment_id]} if fulfillment_id else {}
        self._invoker.invoke("inventory", "POST", f"reservations/{order_id}/{what}", body)


class Billing:
    """Invoices and the ledger."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def invoice(self, order: Order, one: Fulfillment) -> Invoice:
        """Make the fulfillment's invoice, or return the one that was made."""
        items = [{"sku": line.sku, "quantity": line.quantity, "unitPrice": line.unit_price} for line in one.items]
        body = {"fulfillmentId": one.id, "orderId": order.id, "customerId": order.customer_id, "items": items}
        answer = self._invoker.invoke("billing", "POST", "invoices", body)
        return Invoice(
            sub_total=answer["subTotal"],
            tax=answer["tax"],
            shipping=answer["shipping"],
            total=answer["total"],
            invoice_reference=answer["invoiceReference"],
        )

    def charge(self, order: Order, one: Fulfillment, invoice: Invoice) -> bool:
        """Charge the invoice once; tell whether the charge was accepted."""
        body = {
            "idempotencyKey": charge_key(one.id),
            "orderId": order.id,
            "fulfillmentId": one.id,
            "invoiceReference": invoice.invoice_reference,
            "amount": invoice.total,
        }
        return bool(self._invoker.invoke("billing", "POST", "charges", body)["status"] == "success")

    def refund(self, order_id: str, fulfillment_id: str) -> int:
        """Give a charge back, or forbid it if it never came; return the amount. The undo of `charge`."""
        body = {"orderId": order_id, "fulfillmentId": fulfillment_id, "chargeKey": charge_key(fulfillment_id)}
        return int(self._invoker.invoke("billing", "POST", "refunds", body)["refunded"])


class Fraud:
    """The spending limit."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    def declines(self, customer_id: str, fulfillment_id: str, amount: int) -> bool:
        """Ask whether the charge is too much for the customer; an accepted one counts from then on."""
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

    def book(self, order_id: str, one: Fulfillment) -> str | None:
        """Book the courier once and return its reference; None when the booking was called off before."""
        body = {"id": one.id, "orderId": order_id, "items": _goods(one.items)}
        try:
            return str(self._invoker.invoke("shipping", "POST", "bookings", body)["courierReference"])
        except RefusedError as error:
            if error.body.get("code") == "bookingCancelled":
                return None
            raise

    def cancel(self, fulfillment_id: str) -> None:
        """Call the booking off, or forbid it if it never came. The undo of `book`."""
        self._invoker.invoke("shipping", "POST", f"bookings/{quote(fulfillment_id)}/cancel", {})
