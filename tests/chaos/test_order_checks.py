"""The checks detect faults: each test breaks one rule and expects a fault in its column."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.chaos.coverage import BEING_ACCEPTED, Coverage, recovery
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Column
from tests.chaos.order_checks import faults_of
from tests.chaos.order_kinds import (
    CANCELLED,
    COMPLETED,
    EXPIRED,
    ORDER_KINDS,
    REJECTED,
    TIMED_OUT,
    OrderKind,
    allowed_ends,
    contradictions,
)
from tests.chaos.orders import TrackedOrder
from tests.chaos.retrying_calls import Answer
from tests.e2e.client import Json
from tests.e2e.consistency import event_of

PRICES = {"shoes": 1000}
AMOUNTS = {"subTotal": 1000, "tax": 200, "shipping": 499, "total": 1699}
TIMES = {"order.received": 0, "order.processing": 1, "shipment.booked": 2, "order.completed": 5}
STEPS = [
    {"seq": number, "at": f"2030-01-01T00:00:0{second}.000Z", "type": kind, "message": "", "actor": "system"}
    for number, (kind, second) in enumerate(TIMES.items(), 1)
]
START = 1893456000.0
"""2030-01-01 in Unix seconds."""

Break = Callable[[Json], Any]


def kind(name: str) -> OrderKind:
    return next(one for one in ORDER_KINDS if one.name == name)


def answered(status: int, tries: int = 1) -> Answer:
    return Answer(status, {}, tries, 0.0)


def books() -> Json:
    part = {
        "id": "o:1",
        "location": "Warehouse A",
        "status": "completed",
        "reason": None,
        "items": [{"sku": "shoes", "quantity": 1}],
        "payment": {**AMOUNTS, "status": "success", "invoiceReference": "INV-o-1"},
        "shipment": {"status": "delivered", "courierReference": "C1"},
    }
    order = {
        "id": "o",
        "status": "completed",
        "reason": None,
        "actions": [],
        "receivedAt": STEPS[0]["at"],
        "completedAt": STEPS[-1]["at"],
        "workflow": {"status": "COMPLETED"},
        "fulfillments": [part],
    }
    entry = {"type": "charge", "fulfillmentId": "o:1", "amount": 1699}
    return {
        "order": order,
        "timeline": STEPS,
        "feed": [event_of("o", step) for step in STEPS],
        "ledger": {"charged": 1699, "refunded": 0, "entries": [entry]},
        "bookings": {"o:1": {"status": "booked", "courierReference": "C1"}},
        "invoices": {"o:1": {**AMOUNTS, "invoiceReference": "INV-o-1"}},
    }


def evidence(found: Json, name: str = "plain") -> Evidence:
    body = {"items": [{"sku": "shoes", "quantity": 1}]}
    tracked = TrackedOrder("o", kind(name), body, Random(0), sent_at=START - 1, accepted_at=START)
    return Evidence(tracked=tracked, **deepcopy(found))


def unfinished(found: Json) -> None:
    found["order"]["status"] = "processing"


def failed(found: Json) -> None:
    found["order"] |= {"status": "failed", "reason": "billingUnavailable"}


def kept_money(found: Json) -> None:
    found["order"]["fulfillments"][0]["status"] = "cancelled"
    found["bookings"]["o:1"]["status"] = "cancelled"


def booked_again(found: Json) -> None:
    found["bookings"]["o:1"]["courierReference"] = "C2"


def failed_in_part(found: Json) -> None:
    part = {"status": "failed", "reason": "shippingUnavailable", "id": "o:2", "location": "Warehouse B", "items": []}
    found["order"]["fulfillments"].append(deepcopy(found["order"]["fulfillments"][0]) | part)


def paid_for_nothing(found: Json) -> None:
    kept_money(found)
    found["ledger"]["refunded"] = 1699


BROKEN: dict[str, tuple[Column, Break]] = {
    "an order that does not exist": (Column.LOST, lambda found: found.update(order=None)),
    "an order that does not end": (Column.STUCK, unfinished),
    "a workflow that does not end": (
        Column.STUCK,
        lambda found: found["order"].update(workflow={"status": "RUNNING"}),
    ),
    "an end without a reason": (Column.WRONG, failed),
    "a duplicate ledger entry": (
        Column.DOUBLE,
        lambda found: found["ledger"]["entries"].extend(found["ledger"]["entries"]),
    ),
    "a charge that was not refunded": (Column.DOUBLE, kept_money),
    "a shipment that failed without a reason": (Column.WRONG, failed_in_part),
    "items that are not shipped": (Column.WRONG, lambda found: found["order"]["fulfillments"][0].update(items=[])),
    "a payment without a delivery": (Column.DOUBLE, paid_for_nothing),
    "items that were not paid": (Column.WRONG, lambda found: found["ledger"].update(charged=0)),
    "a wrong invoice": (Column.WRONG, lambda found: found["invoices"]["o:1"].update(tax=1)),
    "a courier booked twice": (Column.DOUBLE, booked_again),
    "a delivery without a booking": (Column.WRONG, lambda found: found["bookings"].update({"o:1": None})),
    "a step missing in the feed": (Column.LOST, lambda found: found["feed"].pop()),
    "a step twice in the feed": (Column.DOUBLE, lambda found: found["feed"].append(found["feed"][0])),
    "a step that differs in the feed": (Column.WRONG, lambda found: found["feed"][0].update(type="order.sold")),
    "a step missing in the timeline": (Column.WRONG, lambda found: found["timeline"].pop(1)),
}


def test_correct_order_has_no_fault() -> None:
    assert faults_of(evidence(books()), PRICES) == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rule_is_detected(name: str) -> None:
    column, spoil = BROKEN[name]
    found = deepcopy(books())
    spoil(found)
    assert column in {fault.column for fault in faults_of(evidence(found), PRICES)}


@pytest.mark.parametrize(
    ("name", "answers", "ends"),
    [
        ("plain", {}, {COMPLETED}),
        ("cancelled within seconds", {"cancel": answered(202)}, {CANCELLED}),
        ("cancelled within seconds", {"cancel": answered(409)}, {COMPLETED}),
        ("cancelled within seconds", {"cancel": answered(409, tries=2)}, {COMPLETED, CANCELLED}),
        ("out of stock, amended", {"amend": answered(202)}, {COMPLETED}),
        ("out of stock, amended", {"amend": answered(409)}, {TIMED_OUT}),
        ("out of stock, no decision", {}, {TIMED_OUT}),
        ("high value, approved and rejected at once", {"approve": answered(202), "reject": answered(409)}, {COMPLETED}),
        ("high value, approved and rejected at once", {"approve": answered(409), "reject": answered(202)}, {REJECTED}),
        ("high value, approved", {"approve": answered(409)}, {EXPIRED}),
    ],
)
def test_allowed_ends_follow_from_the_answers_to_decisions(
    name: str, answers: dict[str, Answer], ends: set[Any]
) -> None:
    assert set(allowed_ends(kind(name), answers)) == ends


def test_contradictory_accepted_decisions_are_detected() -> None:
    assert contradictions({"approve": answered(202), "reject": answered(202)})
    assert contradictions({"cancel": answered(202), "dispatched o:1": answered(202)})
    assert not contradictions(
        {"approve": answered(202), "reject": answered(409), "cancel": answered(409), "dispatched o:1": answered(202)}
    )


def test_kill_is_counted_for_the_current_step_of_the_order() -> None:
    coverage = Coverage()
    coverage.add([evidence(books())] * 2, [START - 2, START - 0.5, START + 1.5, START + 1.6, START + 9])
    assert coverage.kills == {BEING_ACCEPTED: 1, "order.processing": 2}
    assert coverage.orders == {BEING_ACCEPTED: 2, "order.processing": 4}


def test_recovery_counts_from_the_last_restart_or_the_receipt_of_the_order() -> None:
    assert recovery(evidence(books()), START + 2, 8) == 3.0
    assert recovery(evidence(books()), START - 100, 8) == 5.0
    assert recovery(evidence(books()), START + 100, 8) == 0.0


def test_recovery_excludes_the_time_until_a_missed_deadline() -> None:
    found = books()
    found["timeline"] = [step | {"type": "order.approvalRequired"} if step["seq"] == 2 else step for step in STEPS]
    assert recovery(evidence(found, "high value, no decision"), START, 3) == 2.0
    assert recovery(replace(evidence(found), tracked=evidence(found).tracked), START, 3) == 5.0


def test_order_that_ended_while_the_clock_was_ahead_needed_no_recovery() -> None:
    assert recovery(evidence(books()), START, 8, now=START + 4.9) == 0.0
    assert recovery(evidence(books()), START, 8, now=START + 5.1) == 5.0
