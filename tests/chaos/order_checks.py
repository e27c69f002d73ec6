"""Checks of one order against its evidence. Pure functions."""

from collections import Counter
from collections.abc import Iterator, Mapping

from tests.chaos.evidence import Evidence
from tests.chaos.faults import Column, Fault
from tests.chaos.order_kinds import allowed_ends, contradictions
from tests.e2e.client import Json
from tests.e2e.consistency import CHARGED, event_of, expected_invoice
from tests.e2e.shopper import FINAL


def faults_of(one: Evidence, prices: Mapping[str, int]) -> list[Fault]:
    """Return the failed checks of an order."""
    about = one.tracked.id
    if one.order is None:
        return [Fault(Column.LOST, about, "was accepted with 202 and does not exist")]
    if one.order["status"] not in FINAL:
        return [Fault(Column.STUCK, about, f"({one.tracked.kind.name}) is {one.order['status']}, {_last(one)}")]
    found: list[tuple[Column, str]] = []
    try:
        for check in (_stuck(one), _ending(one), _parts(one), _money(one, prices), _courier(one), _feed_entries(one)):
            found.extend(check)
    except (KeyError, TypeError) as error:
        found.append((Column.WRONG, f"is malformed: {error!r} in {one.order}"))
    return [Fault(column, about, f"({one.tracked.kind.name}) {text}") for column, text in found]


def _last(one: Evidence) -> str:
    return f"its last step is {one.timeline[-1]}" if one.timeline else "without any step"


def _stuck(one: Evidence) -> Iterator[tuple[Column, str]]:
    order = one.order or {}
    # The reconciler ends a stuck workflow whose order has ended.
    if order["workflow"]["status"] not in {"COMPLETED", "TERMINATED"}:
        yield Column.STUCK, f"is final and its workflow is {order['workflow']}"
    if order["actions"] or order["completedAt"] is None:
        yield Column.WRONG, f"is final with the actions {order['actions']}, completedAt {order['completedAt']}"
    open_parts = [part["id"] for part in order["fulfillments"] or [] if part["status"] not in FINAL]
    if open_parts:
        yield Column.STUCK, f"is final with open fulfillments {open_parts}"


def _ending(one: Evidence) -> Iterator[tuple[Column, str]]:
    order, tracked = one.order or {}, one.tracked
    end, allowed = (order["status"], order["reason"]), allowed_ends(tracked.kind, tracked.answers)
    if end not in allowed:
        said = {what: (answer.status, answer.tries) for what, answer in tracked.answers.items()}
        yield Column.WRONG, f"ended {end}, not {sorted(allowed, key=str)}; answers (status, tries): {said}"
    yield from ((Column.WRONG, text) for text in (*tracked.unexpected_answers, *contradictions(tracked.answers)))
    for part in one.parts:
        dispatched = tracked.answers.get(f"dispatched {part['id']}")
        if dispatched and dispatched.status == 202 and part["status"] != "completed":
            yield Column.WRONG, f"{part['id']} was dispatched and is {part['status']} ({part['reason']})"


def _parts(one: Evidence) -> Iterator[tuple[Column, str]]:
    """Check that a completed order ships all items except those out of stock or not paid."""
    order, kind = one.order or {}, one.tracked.kind
    if order["status"] != "completed":
        return
    sent = Counter[str]()
    for part in order["fulfillments"]:
        sent.update({item["sku"]: item["quantity"] for item in part["items"]})
        end = (part["status"], part["reason"])
        missing = part["location"] is None and kind.lacks_stock
        unpaid = "above card limit" in kind.goods and end == ("failed", "paymentDeclined")
        if end[0] != "completed" and not missing and not unpaid:
            yield Column.WRONG, f"is completed, and its {part['id']} is {end}"
    ordered = {item["sku"]: item["quantity"] for item in one.tracked.body["items"]}
    if sent != ordered:
        yield Column.WRONG, f"ordered {ordered}, its fulfillments have {dict(sent)}"


def _money(one: Evidence, prices: Mapping[str, int]) -> Iterator[tuple[Column, str]]:
    ledger = one.ledger
    charged = sum(part["payment"]["total"] for part in one.parts if part["payment"]["status"] in CHARGED)
    kept = sum(part["payment"]["total"] for part in one.parts if part["status"] == "completed")
    moved = Counter((entry["type"], entry["fulfillmentId"]) for entry in ledger["entries"])
    if any(times > 1 for times in moved.values()):
        yield Column.DOUBLE, f"duplicate ledger entries: {ledger['entries']}"
    if ledger["charged"] - ledger["refunded"] != kept:
        column = Column.DOUBLE if ledger["charged"] - ledger["refunded"] > kept else Column.WRONG
        yield column, f"paid {ledger['charged']} - {ledger['refunded']}, delivered goods worth {kept}"
    for part in one.parts:
        if part["status"] != "completed" and part["payment"]["status"] == "success":
            yield Column.DOUBLE, f"{part['id']} is {part['status']} and paid: {part['payment']}"
    if not charged <= ledger["charged"]:
        yield Column.WRONG, f"its payments add up to {charged}, billing charged {ledger['charged']}"
    for part in one.parts:
        yield from ((Column.WRONG, text) for text in _invoice(part, one.invoices[part["id"]], dict(prices)))


def _invoice(part: Json, invoice: Json | None, prices: dict[str, int]) -> Iterator[str]:
    payment = part["payment"]
    if payment["invoiceReference"] is None:
        if part["status"] == "completed":
            yield f"{part['id']} was delivered without an invoice"
        return
    amounts = expected_invoice({item["sku"]: item["quantity"] for item in part["items"]}, prices)
    if {key: payment[key] for key in amounts} != amounts:
        yield f"the payment {payment} of {part['id']} should be {amounts}"
    if invoice is None or {key: invoice[key] for key in amounts} != amounts:
        yield f"the invoice {invoice} of {part['id']} should be {amounts}"


def _courier(one: Evidence) -> Iterator[tuple[Column, str]]:
    for part in one.parts:
        booking, shipment = one.bookings[part["id"]], part["shipment"]
        if part["status"] != "completed":
            if booking is not None and booking["status"] != "cancelled":
                yield Column.WRONG, f"{part['id']} is {part['status']} and its booking is still active: {booking}"
        elif booking is None or booking["status"] != "booked":
            yield Column.WRONG, f"{part['id']} was delivered and its booking is {booking}"
        elif booking["courierReference"] != shipment["courierReference"]:
            yield Column.DOUBLE, f"{part['id']} was booked as {booking} and delivered as {shipment}"


def _feed_entries(one: Evidence) -> Iterator[tuple[Column, str]]:
    numbers = [step["seq"] for step in one.timeline]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Column.WRONG, f"the steps of its timeline are numbered {numbers}"
    published = {str(event["id"]): event for event in one.feed}
    if len(published) != len(one.feed):
        yield Column.DOUBLE, f"the feed has duplicate steps: {sorted(event['id'] for event in one.feed)}"
    steps = {str(event["id"]): event for event in (event_of(one.tracked.id, step) for step in one.timeline)}
    missing = [steps[key] for key in steps if key not in published]
    if missing:
        yield Column.LOST, f"the feed lacks {missing}"
    other = [event for key, event in published.items() if event != steps.get(key, event)]
    if other or set(published) - set(steps):
        yield Column.WRONG, f"the feed differs from the timeline: {other or sorted(set(published) - set(steps))}"
