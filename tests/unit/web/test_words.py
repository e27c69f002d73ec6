"""What a customer reads."""

import pytest

from services.common.clock import rfc3339, utc_now
from services.orderprocessing.domain.states import OrderStatus, Reason
from services.web.views.filters import badge, money, since, status, time
from services.web.views.labels import name_of, order_sentence, sentence


@pytest.mark.parametrize("code", OrderStatus)
def test_every_status_has_words(code: OrderStatus) -> None:
    assert len(sentence({"status": code.value, "reason": None})) > 5


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_of_its_own(reason: Reason) -> None:
    told = sentence({"status": "failed", "reason": reason.value})
    assert told != name_of(reason.value)
    assert told.endswith(".")


def order(status: str, *actions: str, **more: object) -> dict[str, object]:
    return {"status": status, "reason": None, "actions": list(actions), "completedAt": None, **more}


def steps(*types: str) -> list[dict[str, object]]:
    return [{"type": f"order.{one}", "message": "internal"} for one in ("received", *types)]


@pytest.mark.parametrize(
    ("given", "happened", "told"),
    [
        (order("processing", "cancel"), [], "being paid for, packed and sent"),
        (order("processing"), ["cancelRequested"], "being cancelled"),
        (order("customerActionRequired"), ["cancelRequested"], "being cancelled"),
        (order("cancelled", reason="customerCancelled", completedAt="x"), ["cancelRequested"], "You cancelled it"),
        (order("customerActionRequired", "amend", "cancel"), [], "Some of it is out of stock"),
        (order("customerActionRequired", "cancel"), [], "Nothing of it is in stock"),
        (order("customerActionRequired", "cancel"), ["amended"], "Some of it is out of stock"),
    ],
)
def test_an_order_says_how_it_stands(given: dict[str, object], happened: list[str], told: str) -> None:
    assert told in order_sentence(given, steps(*happened))


@pytest.mark.parametrize(
    ("code", "of", "name"),
    [
        ("customerActionRequired", "order", "your answer is needed"),
        ("approvalRequired", "order", "waiting for approval"),
        ("pending", "order", "received"),
        ("pending", "parcel", "reserved"),
        ("unavailable", "parcel", "out of stock"),
        ("success", "payment", "paid"),
        ("refunded", "payment", "paid back"),
        ("processing", "order", "processing"),
    ],
)
def test_a_badge_for_the_customer_is_in_his_words(code: str, of: str, name: str) -> None:
    assert name in badge(code, of)


def test_words_for_what_lasts_are_hidden_while_it_is_young() -> None:
    assert since("2026-01-01T00:00:00.000Z") == 'data-since="2026-01-01T00:00:00.000Z"'
    now = rfc3339(utc_now())
    assert since(now) == f'data-since="{now}" hidden'


def test_amounts_times_and_statuses_are_written_so_that_the_browser_can_write_them_anew() -> None:
    assert money(7699) == '<data class="money" value="7699" data-currency="USD">USD 76.99</data>'
    assert money(None) == time(None) == "-"
    assert time("2026-11-21T10:00:01.234Z") == (
        '<time datetime="2026-11-21T10:00:01.234Z">2026-11-21 10:00:01 UTC</time>'
    )
    assert status("customerActionRequired") == '<span class="badge text-bg-warning">customer action required</span>'


def test_foreign_text_stays_text() -> None:
    for shown in (status("<b>"), time('"><b>'), money(1, "<b>")):
        assert "<b>" not in shown
