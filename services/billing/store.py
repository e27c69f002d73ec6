"""Keeps invoices and ledgers, and the ledgers in step with the payment provider.

The provider is asked first and the ledger written after, both keyed by the idempotency key: whatever falls
between them is repaired by the same request again. A refund of a key that has no entry marks it void before
it voids it at the provider, so a charge that is on its way finds the mark when it comes to write, and takes
itself back. Ledgers are not hot (a handful of fulfillments share one), so compare-and-set needs no lock in
front.
"""

from services.billing import domain
from services.billing.models import (
    Charge,
    ChargeAnswer,
    ChargeRequest,
    ChargeStatus,
    Invoice,
    InvoiceRequest,
    Ledger,
    LedgerAnswer,
    Refund,
    RefundRequest,
)
from services.billing.provider import PaymentProvider
from services.common.clock import Clock, rfc3339
from services.common.logs import get_logger
from services.common.money import CURRENCY
from services.common.storage.documents import Documents, Records

log = get_logger(__name__)


class BillingStore:
    """Invoices by fulfillment and ledgers by order. Every method may raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock, provider: PaymentProvider) -> None:
        self._invoices = Records(documents, "invoice", Invoice)
        self._ledgers = Records(documents, "ledger", Ledger)
        self._clock, self._provider = clock, provider

    def invoice(self, request: InvoiceRequest) -> Invoice:
        """Make the fulfillment's invoice, or return the one it has. Raises the 409 for other content."""
        made = domain.make_invoice(request, self._now())
        if self._invoices.create(request.fulfillment_id, made):
            return made
        return domain.same_invoice(self._invoices.get(request.fulfillment_id) or made, made)

    def find_invoice(self, fulfillment_id: str) -> Invoice | None:
        """Return the fulfillment's invoice, or None."""
        return self._invoices.get(fulfillment_id)

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Charge an invoice once for the request's key. Raises the 409s of `domain.check_payable`."""
        ledger = self._ledgers.get(request.order_id)
        charge = domain.find_charge(ledger, request) or self._charge_now(ledger, request)
        if charge.status is ChargeStatus.VOIDED:
            # On every repeat: the attempt that the provider accepted may have died before it came here.
            self._provider.void(_provider_key(request.order_id, request.idempotency_key))
        return domain.charge_answer(charge)

    def refund(self, request: RefundRequest) -> int:
        """Give the charge of the request's key back in full, once, and return its amount in minor units.

        A key without a charge gets a void mark and 0. Raises the 409 for a key of another fulfillment.
        """
        order_id, key = request.order_id, request.charge_key
        provider_key = _provider_key(order_id, key)
        ledger = self._ledgers.update(order_id, lambda now: domain.void_unless_charged(now, request, self._now()))
        charge = ledger.charges[key]
        if charge.status is ChargeStatus.VOIDED:
            self._provider.void(provider_key)
        elif charge.status is ChargeStatus.SUCCESS and charge.reference:
            reference = self._provider.refund(charge.reference, charge.amount, provider_key)
            refund = Refund(reference=reference, at=self._now())
            self._ledgers.update(order_id, lambda now: domain.record_refund(now, key, refund))
            log.info("refunded", extra={"amount": charge.amount, "reference": reference})
        return domain.refundable(charge)

    def ledger(self, order_id: str) -> LedgerAnswer:
        """Return what was charged and refunded for an order; an unknown order has an empty ledger."""
        return domain.show(order_id, self._ledgers.get(order_id))

    def _charge_now(self, ledger: Ledger | None, request: ChargeRequest) -> Charge:
        order_id, key = request.order_id, request.idempotency_key
        domain.check_payable(ledger, self._invoices.get(request.fulfillment_id), request)
        outcome = self._provider.charge(_provider_key(order_id, key), request.amount, CURRENCY)
        log.info("charge answered", extra={"accepted": outcome.accepted, "reference": outcome.reference})
        after = self._ledgers.update(order_id, lambda now: domain.record_charge(now, request, outcome, self._now()))
        return domain.find_charge(after, request) or after.charges[key]

    def _now(self) -> str:
        return rfc3339(self._clock())


def _provider_key(order_id: str, key: str) -> str:
    """A key is the caller's and counts within its order; the provider's keys are shared by all orders."""
    return f"{order_id}/{key}"
