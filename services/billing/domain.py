"""The rules of billing: what an invoice comes to, and how a ledger may change."""

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
# An order has one key for each fulfillment; this keeps a stray caller from growing the document.
MAX_KEYS = 1000

_TAKEN = frozenset({ChargeStatus.SUCCESS, ChargeStatus.REFUNDED})


def make_invoice(request: InvoiceRequest, at: str) -> Invoice:
    """Return the invoice of a fulfillment, `at` being the time it is made.

    The unit prices are the catalogue's at the time when the order was accepted: what the customer agreed to,
    whatever the catalogue says by now.
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


def same_invoice(kept: Invoice, made: Invoice) -> Invoice:
    """Return the kept invoice if the one made now says the same. Raises the 409 otherwise."""
    if kept.model_copy(update={"created_at": made.created_at}) != made:
        raise NotAllowedError("invoiceExists", f"{kept.fulfillment_id} has an invoice with other content")
    return kept


def invoice_answer(invoice: Invoice) -> InvoiceAnswer:
    """Return what the maker of an invoice is told."""
    return InvoiceAnswer.model_validate(invoice.model_dump())


def find_charge(ledger: Ledger | None, request: ChargeRequest) -> Charge | None:
    """Return what became of the key, or None for a new one. Raises the 409 for a key used otherwise."""
    charge = ledger.charges.get(request.idempotency_key) if ledger else None
    if charge is None:
        return None
    asked = (request.fulfillment_id, request.invoice_reference, request.amount)
    same = asked == (charge.fulfillment_id, charge.invoice_reference, charge.amount)
    if charge.status is ChargeStatus.VOIDED:  # a refund that came first knew no invoice and no amount
        same = request.fulfillment_id == charge.fulfillment_id
    if not same:
        raise _key_reused(request.idempotency_key)
    return charge


def check_payable(ledger: Ledger | None, invoice: Invoice | None, request: ChargeRequest) -> None:
    """Refuse to charge what was not invoiced, or was paid with another key, by a 409."""
    if invoice is None:
        raise NotAllowedError("invoiceMissing", f"{request.fulfillment_id} has no invoice")
    if invoice.invoice_reference != request.invoice_reference:
        raise NotAllowedError(
            "invoiceMismatch", f"the invoice of {request.fulfillment_id} is {invoice.invoice_reference}"
        )
    if invoice.total != request.amount:
        raise NotAllowedError("amountMismatch", f"{invoice.invoice_reference} comes to {invoice.total}")
    if ledger and _is_paid(ledger, request.invoice_reference):
        raise NotAllowedError("invoicePaid", f"{invoice.invoice_reference} was paid with another key")
    _check_room(ledger)


def record_charge(ledger: Ledger | None, request: ChargeRequest, outcome: ChargeOutcome, at: str) -> Ledger:
    """Return the ledger with the provider's outcome, or unchanged if the key has an entry already.

    What is recorded stands: an earlier write of the same charge, or the void of a refund that overtook it. A
    charge that another key overtook in paying the same invoice is recorded as voided.
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
    return _with(before, request.idempotency_key, charge)


def charge_answer(charge: Charge) -> ChargeAnswer:
    """Return what the caller of a charge is told; one that was undone is not a success any more."""
    if charge.status is ChargeStatus.SUCCESS:
        return ChargeAnswer(status=PaymentStatus.SUCCESS, charge_reference=charge.reference)
    reason = charge.reason if charge.status is ChargeStatus.DECLINED else charge.status.value
    return ChargeAnswer(status=PaymentStatus.FAILED, reason=reason)


def void_unless_charged(ledger: Ledger | None, request: RefundRequest, at: str) -> Ledger:
    """Return the ledger with a void mark for a key that nothing is recorded for, else unchanged.

    Raises the 409 for a key of another fulfillment.
    """
    before = ledger or Ledger()
    charge = before.charges.get(request.charge_key)
    if charge is not None:
        if charge.fulfillment_id != request.fulfillment_id:
            raise _key_reused(request.charge_key)
        return before
    _check_room(ledger)
    mark = Charge(fulfillment_id=request.fulfillment_id, status=ChargeStatus.VOIDED, at=at)
    return _with(before, request.charge_key, mark)


def record_refund(ledger: Ledger | None, key: str, refund: Refund) -> Ledger:
    """Return the ledger with the charge of `key` refunded, or unchanged if it is not a charge that stands."""
    before = ledger or Ledger()
    charge = before.charges.get(key)
    if charge is None or charge.status is not ChargeStatus.SUCCESS:
        return before
    return _with(before, key, charge.model_copy(update={"status": ChargeStatus.REFUNDED, "refund": refund}))


def refundable(charge: Charge) -> int:
    """Return how much a refund of the charge gives back, or gave back already."""
    return charge.amount if charge.status in _TAKEN else 0


def show(order_id: str, ledger: Ledger | None) -> LedgerAnswer:
    """Return an order's ledger as it is shown, oldest first: charges, declined ones too, and refunds."""
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
    first = LedgerEntry(
        type=EntryType.CHARGE,
        fulfillment_id=charge.fulfillment_id,
        amount=amount,
        at=charge.at,
        reference=charge.reference,
        reason=charge.reason,
    )
    if charge.refund is None:
        return [first]
    back = LedgerEntry(
        type=EntryType.REFUND,
        fulfillment_id=charge.fulfillment_id,
        amount=amount,
        at=charge.refund.at,
        reference=charge.refund.reference,
    )
    return [first, back]


def _with(ledger: Ledger, key: str, charge: Charge) -> Ledger:
    return ledger.model_copy(update={"charges": {**ledger.charges, key: charge}})


def _is_paid(ledger: Ledger, invoice_reference: str) -> bool:
    return any(
        charge.status is ChargeStatus.SUCCESS and charge.invoice_reference == invoice_reference
        for charge in ledger.charges.values()
    )


def _check_room(ledger: Ledger | None) -> None:
    if ledger and len(ledger.charges) >= MAX_KEYS:
        raise NotAllowedError("ledgerFull", f"the order has {MAX_KEYS} charges already")


def _key_reused(key: str) -> Exception:
    return NotAllowedError("keyReused", f"the key {key!r} belongs to another charge")
