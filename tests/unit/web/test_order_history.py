"""The history and the cost of an order for its customer."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.web.views.order_history import OrderTotals, order_history, step_sentence, totals

Json = dict[str, Any]


def part(number: int, location: str | None = "Warehouse A", status: str = "success", total: int | None = 100) -> Json:
    payment = {"status": status, "total": total} if location else None
    return {"id": f"A1:{number}", "location": location, "payment": payment}


def order(status: str, *parts: Json, completed: str | None = None) -> Json:
    return {"status": status, "completedAt": completed, "fulfillments": list(parts) or None}


def timeline_step(kind: str, number: int | None = None, actor: str = "system") -> Json:
    about = {"fulfillmentId": f"A1:{number}"} if number else {}
    return {"type": kind, "at": "2026-11-21T10:00:00.000Z", "message": "internal", "actor": actor, **about}


def test_every_documented_step_has_its_own_sentence_without_amounts() -> None:
    documented = Path("docs/api.md").read_text(encoding="utf-8").partition("Event types:")[2].partition("\n\n")[0]
    types = re.findall(r"`(\w+\.\w+)`", documented)
    assert len(types) == 23
    for kind in types:
        text = step_sentence({"type": kind, "message": "Refunded 76.99 USD"}, order("processing"))
        assert text.endswith(".")
        assert not re.search(r"[0-9{}]", text)


def test_an_unknown_step_shows_its_message() -> None:
    assert (
        step_sentence({"type": "order.wrapped", "message": "Wrapped in paper"}, order("processing"))
        == "Wrapped in paper"
    )


def test_a_parcel_is_named_if_there_are_several() -> None:
    paid = timeline_step("payment.succeeded", 1)
    assert step_sentence(paid, order("processing", part(1), part(2, None))) == "You paid for your parcel."
    two = order("processing", part(1), part(2, "Warehouse B"))
    assert step_sentence(paid, two) == "You paid for the parcel from Warehouse A."


def test_the_cancellation_of_an_order_is_shown_once() -> None:
    cancelled = [timeline_step("fulfillment.cancelled", number) for number in (1, 2)]
    for status in ("cancelled", "timedOut"):
        over = order(status, part(1), part(2, None))
        texts = [entry.text for entry in order_history(over, [*cancelled, timeline_step(f"order.{status}")])]
        assert len(texts) == 1
    requested = [timeline_step("order.cancelRequested"), *cancelled]
    assert len(order_history(order("processing", part(1), part(2)), requested)) == 1


def test_removed_items_are_shown_as_such() -> None:
    amended = order("processing", part(1), part(2, None))
    [entry] = order_history(amended, [timeline_step("fulfillment.cancelled", 2)])
    assert entry.text == "We removed the items that are out of stock from your order. You do not pay for them."


def test_the_actor_is_shown_if_the_sentence_does_not_name_one() -> None:
    actors = ("customer", "system", "courier", "Ada")
    entries = order_history(order("processing"), [timeline_step("order.approved", actor=actor) for actor in actors])
    assert [entry.actor for entry in entries] == [None, None, None, "Ada"]
    assert len({entry.key for entry in entries}) == 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (order("pending"), OrderTotals(0, 0, True)),
        (order("processing", part(1, total=None, status="pending")), OrderTotals(0, 0, True)),
        (order("processing", part(1), part(2, "Warehouse B", "pending", 50)), OrderTotals(100, 0, True)),
        (
            order("completed", part(1), part(2, "Warehouse B", "refunded", 50), completed="x"),
            OrderTotals(150, 50, False),
        ),
        (order("cancelled", part(1, status="pending"), part(2, None), completed="x"), OrderTotals(0, 0, False)),
        (order("failed", part(1, status="failed"), completed="x"), OrderTotals(0, 0, False)),
    ],
    ids=["received", "reserved", "half charged", "half refunded", "never charged", "declined"],
)
def test_the_cost_is_summed_over_the_parcels(given: Json, expected: OrderTotals) -> None:
    assert totals(given) == expected
    assert totals(given).paid == expected.charged - expected.refunded
