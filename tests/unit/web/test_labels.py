"""Labels and sentences for customers."""

import pytest

from services.common.clock import rfc3339, utc_now
from services.common.states import OrderStatus, Reason
from services.web.views.filters import customer_badge, money, since, status, time
from services.web.views.labels import label, order_sentence, sentence


@pytest.mark.parametrize("code", OrderStatus)
def test_every_status_has_a_sentence(code: OrderStatus) -> None:
    assert len(sentence({"status": code.value, "reason": None})) > 5


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_own_sentence(reason: Reason) -> None:
    text = sentence({"status": "failed", "reason": reason.value})
    assert text != label(reason.value)
    assert text.endswith(".")


def order(status: str, *actions: str, **more: object) -> dict[str, object]:
    return {"status": status, "reason": None, "actions": list(actions), "completedAt": None, **more}


def steps(*types: str) -> list[dict[str, object]]:
    return [{"type": f"order.{name}", "message": "internal"} for name in ("received", *types)]


@pytest.mark.parametrize(
    ("given", "happened", "text"),
    [
        (order("processing", "cancel"), [], "being paid for, packed and shipped"),
        (order("processing"), ["cancelRequested"], "being cancelled"),
        (order("customerActionRequired"), ["cancelRequested"], "being cancelled"),
        (
            order("cancelled", reason="customerCancelled", completedAt="x"),
            ["cancelRequested"],
            "You cancelled the order",
        ),
        (order("customerActionRequired", "amend", "cancel"), [], "Some items are out of stock"),
        (order("customerActionRequired", "cancel"), [], "All items are out of stock"),
        (order("customerActionRequired", "cancel"), ["amended"], "Some items are out of stock"),
    ],
)
def test_the_status_of_an_order_is_described(given: dict[str, object], happened: list[str], text: str) -> None:
    assert text in order_sentence(given, steps(*happened))


@pytest.mark.parametrize(
    ("code", "kind", "name"),
    [
        ("customerActionRequired", "order", "your answer is needed"),
        ("approvalRequired", "order", "waiting for approval"),
        ("pending", "order", "received"),
        ("pending", "parcel", "reserved"),
        ("unavailable", "parcel", "out of stock"),
        ("success", "payment", "paid"),
        ("refunded", "payment", "refunded"),
        ("processing", "order", "processing"),
    ],
)
def test_customer_badges_have_customer_labels(code: str, kind: str, name: str) -> None:
    assert name in customer_badge(code, kind)


def test_a_retry_message_is_hidden_for_the_first_seconds() -> None:
    assert since("2026-01-01T00:00:00.000Z") == 'data-since="2026-01-01T00:00:00.000Z"'
    now = rfc3339(utc_now())
    assert since(now) == f'data-since="{now}" hidden'


def test_amounts_and_times_carry_values_that_the_browser_can_format() -> None:
    assert money(7699) == '<data class="money" value="7699" data-currency="USD">USD 76.99</data>'
    assert money(None) == time(None) == "-"
    assert time("2026-11-21T10:00:01.234Z") == (
        '<time datetime="2026-11-21T10:00:01.234Z">2026-11-21 10:00:01 UTC</time>'
    )
    assert status("customerActionRequired") == '<span class="badge text-bg-warning">customer action required</span>'


def test_markup_in_values_is_escaped() -> None:
    for shown in (status("<b>"), time('"><b>'), money(1, "<b>")):
        assert "<b>" not in shown
