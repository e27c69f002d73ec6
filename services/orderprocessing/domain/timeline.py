"""The timeline and the pending signals of an order's record. Pure functions."""

from collections.abc import Sequence

from services.common.states import is_final
from services.orderprocessing.domain.order import ORDER_SCOPE, Order, Step

SYSTEM, CUSTOMER, COURIER = "system", "customer", "courier"
"""The actors of steps; approvers are recorded by name."""

CANCEL_REQUESTED = "order.cancelRequested"
EVENT_REFUSED = "order.eventRefused"


def note(
    order: Order,
    now: str,
    kind: str,
    message: str,
    *,
    actor: str = SYSTEM,
    scope: str = ORDER_SCOPE,
    fulfillment_id: str | None = None,
) -> Order:
    """Add a step to the timeline and, like every change of an order, increment `rev`."""
    step = Step(
        seq=len(order.timeline) + 1,
        at=now,
        type=kind,
        message=message,
        actor=actor,
        scope=scope,
        fulfillment_id=fulfillment_id,
    )
    return order.model_copy(update={"timeline": [*order.timeline, step], "updated_at": now, "rev": order.rev + 1})


def add_signals(order: Order, instances: Sequence[str], now: str) -> Order:
    """Add pending signals for workflow instances; a signal that is pending already keeps its time."""
    return order.model_copy(
        update={"pending_signals": dict.fromkeys(instances, now) | order.pending_signals, "rev": order.rev + 1}
    )


def event_refused(order: Order, message: str, now: str) -> Order:
    """Note that an external event was refused, unless the same refusal is the last of them."""
    refusals = [step.message for step in order.timeline if step.type == EVENT_REFUSED]
    return order if refusals[-1:] == [message] else note(order, now, EVENT_REFUSED, message)


def acknowledge(order: Order, instance: str) -> Order:
    """Remove the pending signal of a workflow instance, which has read the record."""
    if instance not in order.pending_signals:
        return order
    pending_signals = {name: since for name, since in order.pending_signals.items() if name != instance}
    return order.model_copy(update={"pending_signals": pending_signals, "rev": order.rev + 1})


def traced(order: Order, trace_id: str | None) -> Order:
    """Record the trace of the order's workflow; a restarted workflow may have another one."""
    if trace_id is None or trace_id == order.trace_id:
        return order
    return order.model_copy(update={"trace_id": trace_id, "rev": order.rev + 1})


def steps_to_announce(order: Order, scope: str, announced: int) -> list[Step]:
    """Return the steps of a scope after number `announced`."""
    return [step for step in order.timeline if step.scope == scope and step.seq > announced]


def last_step(order: Order) -> list[Step]:
    """Return the step that ended the order, none while it is open."""
    return [step for step in order.timeline if is_final(order.status) and step.type == f"order.{order.status.value}"]
