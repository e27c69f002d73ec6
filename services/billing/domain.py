"""The rules of billing: the amounts of an invoice, and the allowed changes of a ledger."""

from services.billing.models import (
    Charge,
    ChargeAnswer,
    ChargeOutcome,
    ChargeRequest,
    ChargeStatus,
    EntryType,
    Invoice,
    InvoiceAnswer,
    InvoiceRequest,
    Ledger,
    LedgerAnswer,
    LedgerEntry,
    PaymentStatus,
    Refund,
    RefundRequest,
)
from services.common.errors import NotAllowedError
from services.common.ids import split_fulfillment_id
from services.common.money import CURRENCY, percent_half_up

TAX_PERCENT = 20
SHIPPING_FIRST_UNIT = 499
SHIPPING_FURTHER_UNIT = 150
# An order has one key for each fulfillment; the limit bounds the document.
MAX_KEYS = 1000

_TAKEN = frozenset({ChargeStatus.SUCCESS, ChargeStatus.REFUNDED})


def make_invoice(request: InvoiceRequest, at: str) -> Invoice:
    """Return the invoice of a fulfillment; `at` is its creation time.

    The unit prices are those at the time the order was accepted, which the customer agreed to, not the current ones.
    """
    goods = sum(line.quantity * line.unit_price for line in request.items)
    units = sum(line.quantity for line in request.items)
    tax = percent_half_up(goods, TAX_PERCENT)
    shipping = SHIPPING_FIRST_UNIT + SHIPPING_FURTHER_UNIT * (units - 1)
    order_id, number = split_fulfillment_id(request.fulfillment_id)
    return Invoice(
        fulfillment_id=request.fulfillment_id,
        order_id=request.order_id,
        customer_id=request.customer_id,
        invoice_reference=f"INV-{order_id}-{number}",
        items=tuple(request.items),
        sub_total=goods,
        tax=tax,
        shipping=shipping,
        total=goods + tax + shipping,
        created_at=at,
    )


def check_same_invoice(existing: Invoice, requested: Invoice) -> Invoice:
    """Return the existing invoice if the requested one has the same content. Raises the 409 otherwise."""
    if existing.model_copy(update={"created_at": requested.created_at}) != requested:
        raise NotAllowedError("invoiceExists", f"{existing.fulfillment_id} has an invoice with other content")
    return existing


def invoice_answer(invoice: Invoice) -> InvoiceAnswer:
    """Return the response to an invoice request."""
    return InvoiceAnswer.model_validate(invoice.model_dump())


def find_charge(ledger: Ledger | None, request: ChargeRequest) -> Charge | None:
    """Return the charge of the key, or None for a new key. Raises the 409 for a key of another charge."""
    charge = ledger.charges.get(request.idempotency_key) if ledger else None
    if charge is None:
        return None
    requested = (request.fulfillment_id, request.invoice_reference, request.amount)
    same = requested == (charge.fulfillment_id, charge.invoice_reference, charge.amount)
    if charge.status is ChargeStatus.VOIDED:  # an earlier refund, which has no invoice and no amount, created it
        same = request.fulfillment_id == charge.fulfillment_id
    if not same:
        raise _key_reused(request.idempotency_key)
    return charge


def check_payable(ledger: Ledger | None, invoice: Invoice | None, request: ChargeRequest) -> None:
    """Raise the 409 for a charge without a matching invoice, or of an invoice that was paid with another key."""
    if invoice is None:
        raise NotAllowedError("invoiceMissing", f"{request.fulfillment_id} has no invoice")
    if invoice.invoice_reference != request.invoice_reference:
        raise NotAllowedError(
            "invoiceMismatch", f"the invoice of {request.fulfillment_id} is {invoice.invoice_reference}"
        )
    if invoice.total != request.amount:
        raise NotAllowedError("amountMismatch", f"the total of {invoice.invoice_reference} is {invoice.total}")
    if ledger and _is_paid(ledger, request.invoice_reference):
        raise NotAllowedError("invoicePaid", f"{invoice.invoice_reference} was paid with another key")
    _check_capacity(ledger)


def record_charge(ledger: Ledger | None, request: ChargeRequest, outcome: ChargeOutcome, at: str) -> Ledger:
    """Return the ledger with the provider's outcome, unchanged if the key has an entry.

    An existing entry takes precedence: it is an earlier write of the same charge, or the void of a concurrent refund. A
    charge for an invoice that another key has paid in the meantime is recorded as voided.
    """
    before = ledger or Ledger()
    if request.idempotency_key in before.charges:
        return before
    status = ChargeStatus.SUCCESS if outcome.accepted else ChargeStatus.DECLINED
    if outcome.accepted and _is_paid(before, request.invoice_reference):
        status = ChargeStatus.VOIDED
    charge = Charge(
        fulfillment_id=request.fulfillment_id,
        status=status,
        at=at,
        invoice_reference=request.invoice_reference,
        amount=request.amount,
        reference=outcome.reference,
        reason=outcome.reason,
    )
    return _with_charge(before, request.idempotency_key, charge)


def charge_answer(charge: Charge) -> ChargeAnswer:
    """Return the response to a charge request; a refunded or voided charge has failed."""
    if charge.status is ChargeStatus.SUCCESS:
        return ChargeAnswer(status=PaymentStatus.SUCCESS, charge_reference=charge.reference)
    reason = charge.reason if charge.status is ChargeStatus.DECLINED else charge.status.value
    return ChargeAnswer(status=PaymentStatus.FAILED, reason=reason)


def void_unless_charged(ledger: Ledger | None, request: RefundRequest, at: str) -> Ledger:
    """Return the ledger with a voided charge for a key without an entry, else unchanged.

    Raises the 409 for a key of another fulfillment.
    """
    before = ledger or Ledger()
    charge = before.charges.get(request.charge_key)
    if charge is not None:
        if charge.fulfillment_id != request.fulfillment_id:
            raise _key_reused(request.charge_key)
        return before
    _check_capacity(ledger)
    voided = Charge(fulfillment_id=request.fulfillment_id, status=ChargeStatus.VOIDED, at=at)
    return _with_charge(before, request.charge_key, voided)


def record_refund(ledger: Ledger | None, key: str, refund: Refund) -> Ledger:
    """Return the ledger with the charge of `key` refunded, unchanged if it is not a successful charge."""
    before = ledger or Ledger()
    charge = before.charges.get(key)
    if charge is None or charge.status is not ChargeStatus.SUCCESS:
        return before
    return _with_charge(before, key, charge.model_copy(update={"status": ChargeStatus.REFUNDED, "refund": refund}))


def refundable(charge: Charge) -> int:
    """Return the amount that a refund of the charge returns, or has returned."""
    return charge.amount if charge.status in _TAKEN else 0


def show(order_id: str, ledger: Ledger | None) -> LedgerAnswer:
    """Return the API representation of an order's ledger, oldest first: charges, also declined ones, and refunds."""
    charges = list(ledger.charges.values()) if ledger else []
    entries = [entry for charge in charges for entry in _entries(charge)]
    return LedgerAnswer(
        order_id=order_id,
        currency=CURRENCY,
        charged=sum(entry.amount for entry in entries if entry.type is EntryType.CHARGE),
        refunded=sum(entry.amount for entry in entries if entry.type is EntryType.REFUND),
        entries=sorted(entries, key=lambda entry: entry.at),
    )


def _entries(charge: Charge) -> list[LedgerEntry]:
    if charge.status is ChargeStatus.VOIDED:
        return []
    amount = refundable(charge)
    charge_entry = LedgerEntry(
        type=EntryType.CHARGE,
        fulfillment_id=charge.fulfillment_id,
        amount=amount,
        at=charge.at,
        reference=charge.reference,
        reason=charge.reason,
    )
    if charge.refund is None:
        return [charge_entry]
    refund_entry = LedgerEntry(
        type=EntryType.REFUND,
        fulfillment_id=charge.fulfillment_id,
        amount=amount,
        at=charge.refund.at,
        reference=charge.refund.reference,
    )
    return [charge_entry, refund_entry]


def _with_charge(ledger: Ledger, key: str, charge: Charge) -> Ledger:
    return ledger.model_copy(update={"charges": {**ledger.charges, key: charge}})


def _is_paid(ledger: Ledger, invoice_reference: str) -> bool:
    return any(
        charge.status is ChargeStatus.SUCCESS and charge.invoice_reference == invoice_reference
        for charge in ledger.charges.values()
    )


def _check_capacity(ledger: Ledger | None) -> None:
    if ledger and len(ledger.charges) >= MAX_KEYS:
        raise NotAllowedError("ledgerFull", f"the order has {MAX_KEYS} charges already")


def _key_reused(key: str) -> Exception:
    return NotAllowedError("keyReused", f"the key {key!r} belongs to another charge")
