"""Formats orders and histories as text for a terminal. Pure."""

import json
from collections.abc import Callable, Iterator, Sequence

from services.common.json_models import Json
from services.common.money import CURRENCY

Lines = Callable[[], Iterator[str]]


def order(details: Json, steps: Sequence[Json]) -> Iterator[str]:
    """Yield the lines of an order: its fields, its fulfillments, its timeline."""
    yield f"{details['id']}  {details['status']}{_reason(details)}"
    yield f"  customer   {details['customerId']}"
    yield f"  received   {details['receivedAt']}"
    yield f"  goods      {_goods(details['items'])}, {_money(details['goodsTotal'])}"
    for one in details["fulfillments"] or []:
        yield f"  {one['id']}  {one['status']}{_reason(one)}, {one['location'] or 'nowhere'}: {_goods(one['items'])}"
        if payment := one["payment"]:
            yield f"    payment  {payment['status']}, {_money(payment['total'])}"
        if shipment := one["shipment"]:
            yield f"    shipment {shipment['status']}, {shipment['courierReference'] or 'no courier yet'}"
    workflow = details["workflow"]
    yield f"  workflow   {workflow['instanceId']}  {workflow['status']}" if workflow else "  workflow   no answer"
    yield ""
    for step in steps:
        yield f"  {step['at']}  {step['type']:<28} {step['actor']:<10} {step['message']}"


def history(instances: Sequence[Json]) -> Iterator[str]:
    """Yield the lines of each workflow instance's history, with the input and the result of each step."""
    for instance in instances:
        yield f"{instance['instanceId']}  {instance['workflow']}  {instance['status']}"
        if instance["omitted"]:
            yield f"  … {instance['omitted']} older events are omitted"
        for event in instance["events"]:
            yield f"  {event['at']}  {event['type']:<28} {event['name'] or ''}".rstrip()
            yield from (f"{' ' * 28}{line}" for line in _event_details(event))
        yield ""


def _event_details(event: Json) -> Iterator[str]:
    for field in ("input", "result"):
        if event[field] is not None:
            yield f"{field} {json.dumps(event[field], ensure_ascii=False)}"
    if event["fireAt"]:
        yield f"at {event['fireAt']}"
    if run := event.get("run"):
        yield f"run by {run['worker']} (version {run['workerVersion']}), {_how(run)}, started {run['startedAt']}"
    if event["failure"]:
        yield f"failure {event['failure']['type']}: {event['failure']['message']}"


def _how(run: Json) -> str:
    """Return the number of the try and its duration."""
    return f"try {run['try']}, {run['durationMs']} ms"


def _reason(one: Json) -> str:
    return f" ({one['reason']})" if one["reason"] else ""


def _goods(items: Sequence[Json]) -> str:
    return ", ".join(f"{item['quantity']} x {item['sku']}" for item in items)


def _money(amount: int | None) -> str:
    return "no amount yet" if amount is None else f"{amount / 100:.2f} {CURRENCY}"
