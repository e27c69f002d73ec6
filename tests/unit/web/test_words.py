"""What a customer reads."""

import re
from pathlib import Path

import pytest

from services.orderprocessing.states import OrderStatus, Reason
from services.web.filters import money, status, time
from services.web.words import name_of, order_sentence, parcel_steps, sentence, step


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


def test_every_step_that_is_documented_has_words_of_its_own_without_amounts() -> None:
    documented = Path("docs/api.md").read_text(encoding="utf-8").partition("Event types:")[2].partition("\n\n")[0]
    types = re.findall(r"`(\w+\.\w+)`", documented)
    assert len(types) == 22
    for kind in types:
        told = step({"type": kind, "message": "Refunded 76.99 USD"})
        assert told.endswith(".")
        assert not re.search(r"[0-9]", told)


def test_a_step_of_another_kind_says_its_message() -> None:
    assert step({"type": "order.wrapped", "message": "Wrapped in paper"}) == "Wrapped in paper"


def part(status: str, payment: str | None, shipment: str | None) -> dict[str, object]:
    return {
        "status": status,
        "payment": payment and {"status": payment},
        "shipment": shipment and {"status": shipment},
    }


@pytest.mark.parametrize(
    ("given", "states"),
    [
        (part("pending", None, None), "done now waiting waiting waiting"),
        (part("processing", "pending", None), "done now waiting waiting waiting"),
        (part("processing", "success", "pending"), "done done now waiting waiting"),
        (part("processing", "success", "booked"), "done done done now waiting"),
        (part("processing", "success", "dispatched"), "done done done done now"),
        (part("completed", "success", "delivered"), "done done done done done"),
        (part("failed", "failed", None), "done failed waiting waiting waiting"),
        (part("cancelled", "refunded", "cancelled"), "done done failed waiting waiting"),
    ],
)
def test_a_parcel_shows_how_far_it_has_come(given: dict[str, object], states: str) -> None:
    assert [step.state for step in parcel_steps(given)] == states.split()


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
