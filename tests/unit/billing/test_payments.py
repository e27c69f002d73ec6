from concurrent.futures import ThreadPoolExecutor

import pytest

from services.billing.provider import CARD_LIMIT
from tests.unit.billing.builders import KEY, TOTAL, Billing, charge, invoice, line, refund

SUCCESS = {"status": "success", "chargeReference": f"CH-A1/{KEY}", "reason": None}
VOIDED = {"status": "failed", "chargeReference": None, "reason": "voided"}


def test_a_repeated_charge_is_made_once() -> None:
    billing = Billing().invoiced()
    assert [billing.post("/charges", charge()) for _ in range(3)] == [(200, SUCCESS)] * 3
    assert billing.network.balance == TOTAL
    assert billing.ledger() == {
        "orderId": "A1",
        "currency": "USD",
        "charged": TOTAL,
        "refunded": 0,
        "entries": [
            {
                "type": "charge",
                "fulfillmentId": "A1:1",
                "amount": TOTAL,
                "at": "2026-11-21T09:00:00.000Z",
                "reference": f"CH-A1/{KEY}",
                "reason": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fulfillmentId": "A1:2"}, "invoiceMissing"),
        ({"invoiceReference": "INV-A1-9"}, "invoiceMismatch"),
        ({"amount": TOTAL + 1}, "amountMismatch"),
    ],
)
def test_only_what_was_invoiced_is_charged(changes: dict[str, object], code: str) -> None:
    billing = Billing().invoiced()
    status, problem = billing.post("/charges", charge(**changes))
    assert (status, problem["code"]) == (409, code)
    assert billing.network.balance == 0
    assert billing.ledger()["entries"] == []


def test_a_key_used_for_another_charge_is_a_conflict() -> None:
    billing = Billing().invoiced().invoiced(fulfillmentId="A1:2")
    billing.post("/charges", charge())
    other = charge(fulfillmentId="A1:2", invoiceReference="INV-A1-2")
    for body in (other, charge(amount=1)):
        status, problem = billing.post("/charges", body)
        assert (status, problem["code"]) == (409, "keyReused")
    assert billing.network.balance == TOTAL


def test_the_same_key_in_two_orders_is_two_charges() -> None:
    billing = Billing().invoiced().invoiced(fulfillmentId="B2:1", orderId="B2")
    billing.post("/charges", charge())
    billing.post("/charges", charge(fulfillmentId="B2:1", orderId="B2", invoiceReference="INV-B2-1"))
    assert billing.network.balance == 2 * TOTAL


def test_an_invoice_is_not_paid_twice_with_two_keys() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    status, problem = billing.post("/charges", charge(idempotencyKey="other"))
    assert (status, problem["code"]) == (409, "invoicePaid")
    assert billing.network.balance == TOTAL


def test_a_declined_charge_is_recorded_and_moves_nothing() -> None:
    large = [line("iPhone", 1, CARD_LIMIT)]
    billing = Billing().invoiced(items=large)
    total = billing.post("/invoices", invoice(items=large))[1]["total"]
    declined = {"status": "failed", "chargeReference": None, "reason": "cardDeclined"}
    assert [billing.post("/charges", charge(amount=total)) for _ in range(2)] == [(200, declined)] * 2
    shown = billing.ledger()
    assert (shown["charged"], shown["refunded"]) == (0, 0)
    assert [(e["type"], e["amount"], e["reason"]) for e in shown["entries"]] == [("charge", 0, "cardDeclined")]
    assert billing.post("/refunds", refund()) == (200, {"refunded": 0})


def test_a_refund_returns_the_whole_charge_once() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    billing.clock.advance(1)
    assert [billing.post("/refunds", refund()) for _ in range(3)] == [(200, {"refunded": TOTAL})] * 3
    assert billing.network.balance == 0
    shown = billing.ledger()
    assert (shown["charged"], shown["refunded"]) == (TOTAL, TOTAL)
    assert [entry["type"] for entry in shown["entries"]] == ["charge", "refund"]
    assert shown["entries"][1]["at"] == "2026-11-21T09:00:01.000Z"


def test_a_late_duplicate_of_a_refunded_charge_is_rejected() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    billing.post("/refunds", refund())
    late = {"status": "failed", "chargeReference": None, "reason": "refunded"}
    assert billing.post("/charges", charge()) == (200, late)
    assert billing.network.balance == 0


def test_after_a_refund_the_invoice_can_be_paid_with_a_new_key() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    billing.post("/refunds", refund())
    assert billing.post("/charges", charge(idempotencyKey="second"))[1]["status"] == "success"
    assert billing.network.balance == TOTAL


def test_a_refund_that_comes_first_voids_the_key() -> None:
    billing = Billing().invoiced()
    assert [billing.post("/refunds", refund()) for _ in range(2)] == [(200, {"refunded": 0})] * 2
    assert [billing.post("/charges", charge()) for _ in range(2)] == [(200, VOIDED)] * 2
    assert billing.network.taken == {}
    assert billing.ledger()["entries"] == []


def test_a_refund_names_the_fulfillment_of_the_charge() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    status, problem = billing.post("/refunds", refund(fulfillmentId="A1:2"))
    assert (status, problem["code"]) == (409, "keyReused")
    assert billing.network.balance == TOTAL


def test_a_voided_key_of_another_fulfillment_is_a_conflict() -> None:
    billing = Billing().invoiced()
    billing.post("/refunds", refund(fulfillmentId="A1:2"))
    assert billing.post("/charges", charge())[0] == 409


def test_a_charge_undoes_itself_after_a_concurrent_refund() -> None:
    billing = Billing().invoiced()
    seen: list[tuple[int, object]] = []
    billing.network.after_accepting = lambda: seen.append(billing.post("/refunds", refund()))
    assert billing.post("/charges", charge()) == (200, VOIDED)
    assert seen == [(200, {"refunded": 0})]
    assert billing.network.balance == 0
    assert billing.ledger()["charged"] == 0


def test_a_charge_accepted_after_its_key_was_voided_undoes_itself() -> None:
    billing = Billing().invoiced()

    def refund_and_forget() -> None:
        billing.post("/refunds", refund())
        # The network takes the money after all, as one does that sees the void before the charge.
        billing.network.voided.clear()
        billing.network.given_back.clear()

    billing.network.after_accepting = refund_and_forget
    assert billing.post("/charges", charge()) == (200, VOIDED)
    assert billing.network.balance == 0


def test_a_charge_undoes_itself_after_another_key_has_paid() -> None:
    billing = Billing().invoiced()
    seen: list[tuple[int, object]] = []
    other = charge(idempotencyKey="other")
    billing.network.after_accepting = lambda: seen.append(billing.post("/charges", other))
    assert billing.post("/charges", charge()) == (200, VOIDED)
    assert seen == [(200, SUCCESS | {"chargeReference": "CH-A1/other"})]
    assert billing.network.balance == TOTAL
    assert billing.ledger()["charged"] == TOTAL


def test_a_crash_after_the_network_accepted_is_repaired_by_the_repeat() -> None:
    billing = Billing().invoiced()
    billing.documents.fail_writes_of = lambda key: key == "ledger/A1"
    assert billing.post("/charges", charge())[0] == 503
    billing.documents.fail_writes_of = lambda _key: False
    assert billing.post("/charges", charge()) == (200, SUCCESS)
    assert (billing.network.balance, billing.ledger()["charged"]) == (TOTAL, TOTAL)


def test_a_crash_after_the_network_accepted_is_undone_by_a_refund_without_a_repeat() -> None:
    billing = Billing().invoiced()
    billing.documents.fail_writes_of = lambda key: key == "ledger/A1"
    assert billing.post("/charges", charge())[0] == 503
    billing.documents.fail_writes_of = lambda _key: False
    assert billing.post("/refunds", refund()) == (200, {"refunded": 0})
    assert billing.network.balance == 0


def test_a_crash_between_the_overtaken_charge_and_its_undo_is_repaired_by_the_repeat() -> None:
    billing = Billing().invoiced()

    def refund_then_lose_the_network() -> None:
        billing.post("/refunds", refund())
        billing.network.voided.clear()
        billing.network.given_back.clear()
        billing.network.reachable = False

    billing.network.after_accepting = refund_then_lose_the_network
    assert billing.post("/charges", charge())[0] == 503
    assert billing.network.balance == TOTAL
    billing.network.reachable = True
    assert billing.post("/charges", charge()) == (200, VOIDED)
    assert billing.network.balance == 0


def test_a_crash_after_the_network_refunded_is_repaired_by_the_repeat() -> None:
    billing = Billing().invoiced()
    billing.post("/charges", charge())
    billing.documents.fail_writes_of = lambda key: key == "ledger/A1"
    assert billing.post("/refunds", refund())[0] == 503
    assert (billing.network.balance, billing.ledger()["refunded"]) == (0, 0)
    billing.documents.fail_writes_of = lambda _key: False
    assert billing.post("/refunds", refund()) == (200, {"refunded": TOTAL})
    assert (billing.network.balance, billing.ledger()["refunded"]) == (0, TOTAL)


@pytest.mark.parametrize("charged_before", [True, False])
def test_a_refund_while_the_network_is_down_is_done_by_the_repeat(charged_before: bool) -> None:
    billing = Billing().invoiced()
    if charged_before:
        billing.post("/charges", charge())
    billing.network.reachable = False
    assert billing.post("/refunds", refund())[0] == 503
    billing.network.reachable = True
    assert billing.post("/refunds", refund()) == (200, {"refunded": TOTAL if charged_before else 0})
    assert billing.network.balance == 0
    assert billing.post("/charges", charge())[1]["status"] == "failed"


def test_nothing_is_recorded_while_the_network_is_down() -> None:
    billing = Billing().invoiced()
    billing.network.reachable = False
    answer = billing.client.post("/charges", json=charge())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    billing.network.reachable = True
    assert billing.post("/charges", charge()) == (200, SUCCESS)


def test_concurrent_duplicate_charges_are_each_made_once() -> None:
    billing = Billing()
    bodies = []
    for n in range(1, 6):
        billing.invoiced(fulfillmentId=f"A1:{n}")
        bodies.append(charge(idempotencyKey=f"k{n}", fulfillmentId=f"A1:{n}", invoiceReference=f"INV-A1-{n}"))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda body: billing.post("/charges", body), bodies * 4))
    assert {status for status, _ in answers} == {200}
    assert {answer["status"] for _, answer in answers} == {"success"}
    assert billing.network.balance == 5 * TOTAL
    assert (billing.ledger()["charged"], len(billing.ledger()["entries"])) == (5 * TOTAL, 5)


def test_a_charge_and_its_refund_at_the_same_time_end_with_nothing_taken() -> None:
    for _ in range(30):
        billing = Billing().invoiced()
        with ThreadPoolExecutor(4) as pool:
            charged = [pool.submit(billing.post, "/charges", charge()) for _ in range(2)]
            refunded = [pool.submit(billing.post, "/refunds", refund()) for _ in range(2)]
        statuses = [future.result()[0] for future in (*charged, *refunded)]
        assert statuses == [200] * 4
        assert billing.network.balance == 0
        shown = billing.ledger()
        assert shown["charged"] == shown["refunded"]


def test_the_ledger_of_an_unknown_order_is_empty() -> None:
    empty = {"orderId": "none", "currency": "USD", "charged": 0, "refunded": 0, "entries": []}
    assert Billing().ledger("none") == empty
