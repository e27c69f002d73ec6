"""Activities of a fulfillment's payment."""

from services.common.dapr.sidecar import TransientError
from services.common.states import PaymentStatus, Reason
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.adapters.milestones import log_retried_soon
from services.orderprocessing.domain import fulfillment_rules
from services.orderprocessing.domain.fulfillment_rules import Invoice, Outcome
from services.orderprocessing.domain.ids import charge_workflow_id
from services.orderprocessing.domain.order import Order
from services.orderprocessing.workflows.contracts import Empty, FulfillmentProgress, FulfillmentStep


def charge(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Invoice, screen and charge a fulfillment. Each call has an idempotency key, so all three may be repeated."""
    order = deps.orders.require(request.order_id)
    _, payment, _ = fulfillment_rules.find(order, request.fulfillment_id)
    if payment.status == PaymentStatus.PENDING:
        if order.cancel:
            deps.announce_cancellation(order)
            return FulfillmentProgress(outcome=Outcome.CANCELLED)
        try:
            order = _charge(deps, order, request.fulfillment_id)
        except TransientError as error:
            log_retried_soon("charge", order.id, error)
            return FulfillmentProgress(outcome=Outcome.UNAVAILABLE)
    return _progress(deps, request, order)


def _charge(deps: Dependencies, order: Order, fulfillment_id: str) -> Order:
    fulfillment, _, _ = fulfillment_rules.find(order, fulfillment_id)
    invoice = deps.billing.invoice(order, fulfillment)
    if deps.fraud.declines(order.customer_id, fulfillment_id, invoice.total):
        return _declined(deps, order, fulfillment_id, invoice, "Declined: over the customer's spending limit")
    if not deps.billing.charge(order, fulfillment, invoice):
        return _declined(deps, order, fulfillment_id, invoice, "Declined by the card network")
    return deps.change(order.id, lambda current, now: fulfillment_rules.paid(current, fulfillment_id, invoice, now))


def _declined(deps: Dependencies, order: Order, fulfillment_id: str, invoice: Invoice, message: str) -> Order:
    return deps.change(
        order.id,
        lambda current, now: fulfillment_rules.not_paid(
            current, fulfillment_id, invoice, Reason.PAYMENT_DECLINED, message, now
        ),
    )


def give_up_charge(deps: Dependencies, request: FulfillmentStep) -> FulfillmentProgress:
    """Record that billing or fraud was unavailable until the timeout."""
    message = "Billing could not be reached in time"
    order = deps.change(
        request.order_id,
        lambda current, now: fulfillment_rules.not_paid(
            current, request.fulfillment_id, None, Reason.BILLING_UNAVAILABLE, message, now
        ),
    )
    return _progress(deps, request, order)


def _progress(deps: Dependencies, request: FulfillmentStep, order: Order) -> FulfillmentProgress:
    announced = deps.announce(order, charge_workflow_id(request.fulfillment_id), request.announced)
    _, payment, _ = fulfillment_rules.find(order, request.fulfillment_id)
    outcome = Outcome.DONE if payment.status == PaymentStatus.SUCCESS else Outcome.FAILED
    return FulfillmentProgress(outcome=outcome, announced=announced)


def refund(deps: Dependencies, request: FulfillmentStep) -> Empty:
    """Refund the charge and subtract it from the customer's tally, or void both if they never arrived."""
    amount = deps.billing.refund(request.order_id, request.fulfillment_id)
    deps.fraud.reverse(request.fulfillment_id)
    deps.change(
        request.order_id,
        lambda current, now: fulfillment_rules.refunded(current, request.fulfillment_id, amount, now),
    )
    return Empty()
