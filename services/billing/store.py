"""Stores invoices and ledgers, and keeps the ledgers consistent with the payment provider.

The provider is called first and the ledger is written after, both by the idempotency key, so that repeating a request
completes it after a crash in between. A refund of a key without an entry records it as voided before it voids it at the
provider: a concurrent charge finds that entry when it writes the ledger, and undoes itself. A ledger has little
contention (a few fulfillments share one), so compare-and-set needs no lock.
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
        """Create the fulfillment's invoice, or return the existing one. Raises the 409 for other content."""
        invoice = domain.make_invoice(request, self._now())
        if self._invoices.create(request.fulfillment_id, invoice):
            return invoice
        return domain.check_same_invoice(self._invoices.get(request.fulfillment_id) or invoice, invoice)

    def find_invoice(self, fulfillment_id: str) -> Invoice | None:
        """Return the fulfillment's invoice, or None."""
        return self._invoices.get(fulfillment_id)

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Charge an invoice once for the request's key. Raises the 409s of `domain.check_payable`."""
        ledger = self._ledgers.get(request.order_id)
        charge = domain.find_charge(ledger, request) or self._charge_now(ledger, request)
        if charge.status is ChargeStatus.VOIDED:
            # With every repeat, because the attempt that the provider accepted may have crashed before this step.
            self._provider.void(_provider_key(request.order_id, request.idempotency_key))
        return domain.charge_answer(charge)

    def refund(self, request: RefundRequest) -> int:
        """Refund the charge of the request's key in full, once, and return its amount in minor units.

        A key without a charge is recorded as voided and returns 0. Raises the 409 for a key of another fulfillment.
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
        """Return the charges and refunds of an order; an unknown order has an empty ledger."""
        return domain.show(order_id, self._ledgers.get(order_id))

    def _charge_now(self, ledger: Ledger | None, request: ChargeRequest) -> Charge:
        order_id, key = request.order_id, request.idempotency_key
        domain.check_payable(ledger, self._invoices.get(request.fulfillment_id), request)
        outcome = self._provider.charge(_provider_key(order_id, key), request.amount, CURRENCY)
        log.info("payment provider responded", extra={"accepted": outcome.accepted, "reference": outcome.reference})
        after = self._ledgers.update(order_id, lambda now: domain.record_charge(now, request, outcome, self._now()))
        return domain.find_charge(after, request) or after.charges[key]

    def _now(self) -> str:
        return rfc3339(self._clock())


def _provider_key(order_id: str, key: str) -> str:
    """Return the provider's key: a caller's key is unique within its order, the provider's among all orders."""
    return f"{order_id}/{key}"
