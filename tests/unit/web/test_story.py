"""What a customer is told of what happened, and of what it cost."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.web.views.order_history import Sums, step, story, sums

Json = dict[str, Any]


def part(number: int, location: str | None = "Warehouse A", status: str = "success", total: int | None = 100) -> Json:
    payment = {"status": status, "total": total} if location else None
    return {"id": f"A1:{number}", "location": location, "payment": payment}


def order(status: str, *parts: Json, completed: str | None = None) -> Json:
    return {"status": status, "completedAt": completed, "fulfillments": list(parts) or None}


def happened(kind: str, number: int | None = None, actor: str = "system") -> Json:
    about = {"fulfillmentId": f"A1:{number}"} if number else {}
    return {"type": kind, "at": "2026-11-21T10:00:00.000Z", "message": "internal", "actor": actor, **about}


def test_every_step_that_is_documented_has_words_of_its_own_without_amounts() -> None:
    documented = Path("docs/api.md").read_text(encoding="utf-8").partition("Event types:")[2].partition("\n\n")[0]
    types = re.findall(r"`(\w+\.\w+)`", documented)
    assert len(types) == 22
    for kind in types:
        told = step({"type": kind, "message": "Refunded 76.99 USD"}, order("processing"))
        assert told.endswith(".")
        assert not re.search(r"[0-9{}]", told)


def test_a_step_of_another_kind_says_its_message() -> None:
    assert step({"type": "order.wrapped", "message": "Wrapped in paper"}, order("processing")) == "Wrapped in paper"


def test_a_parcel_is_named_where_there_are_others() -> None:
    paid = happened("payment.succeeded", 1)
    assert step(paid, order("processing", part(1), part(2, None))) == "You paid for your parcel."
    two = order("processing", part(1), part(2, "Warehouse B"))
    assert step(paid, two) == "You paid for the parcel from Warehouse A."


def test_that_the_whole_order_is_over_is_said_once() -> None:
    cancelled = [happened("fulfillment.cancelled", number) for number in (1, 2)]
    for status in ("cancelled", "timedOut"):
        over = order(status, part(1), part(2, None))
        told = [one.text for one in story(over, [*cancelled, happened(f"order.{status}")])]
        assert len(told) == 1
    requested = [happened("order.cancelRequested"), *cancelled]
    assert len(story(order("processing", part(1), part(2)), requested)) == 1


def test_what_was_dropped_is_told_as_that() -> None:
    amended = order("processing", part(1), part(2, None))
    [told] = story(amended, [happened("fulfillment.cancelled", 2)])
    assert told.text == "What is out of stock was taken off your order. You pay nothing for it."


def test_who_did_a_step_is_told_where_the_words_do_not_say_so() -> None:
    actors = ("customer", "system", "courier", "Ada")
    told = story(order("processing"), [happened("order.approved", actor=actor) for actor in actors])
    assert [one.who for one in told] == [None, None, None, "Ada"]
    assert len({one.key for one in told}) == 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (order("pending"), Sums(0, 0, True)),
        (order("processing", part(1, total=None, status="pending")), Sums(0, 0, True)),
        (order("processing", part(1), part(2, "Warehouse B", "pending", 50)), Sums(100, 0, True)),
        (order("completed", part(1), part(2, "Warehouse B", "refunded", 50), completed="x"), Sums(150, 50, False)),
        (order("cancelled", part(1, status="pending"), part(2, None), completed="x"), Sums(0, 0, False)),
        (order("failed", part(1, status="failed"), completed="x"), Sums(0, 0, False)),
    ],
    ids=["received", "reserved", "half charged", "half refunded", "never charged", "declined"],
)
def test_what_an_order_cost_is_summed_over_its_parcels(given: Json, expected: Sums) -> None:
    assert sums(given) == expected
    assert sums(given).paid == expected.charged - expected.given_back
