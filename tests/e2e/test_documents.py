"""The walk-through of the README: each command runs in a real shell, and each statement is checked.

For a statement that is not checked here, `leaves` names the test that checks it, or the reason why none does.
"""

from typing import Any

import pytest

from services.orderprocessing.config import OrderProcessingConfig
from tests.e2e.client import Json, Shop
from tests.e2e.polling import holds
from tests.e2e.readme import Section, Shell, titles
from tests.e2e.shopper import Shopper

pytestmark = pytest.mark.usefixtures("ends_open_orders")

DEFAULTS = OrderProcessingConfig(app_port=3000)
SHOES = {"customerId": "1234", "items": ["Vans Old Skool"]}
SHORT_OF_ONE = {"customerId": "1234", "items": ["Vans Old Skool", "Adidas Classic"]}
WORTH_1289 = {"customerId": "1234", "items": ["iPhone"]}
FIRST = "An order, from accepted to delivered"


@pytest.fixture(scope="module", autouse=True)
def unanswered(shop: Shop, ends_open_orders: None) -> dict[str, str]:
    """Orders without a decision, placed first so that no test has to wait long for their ends."""
    return {"customer": shop.place(SHORT_OF_ONE)["id"], "approver": shop.place(WORTH_1289)["id"]}


def test_no_section_is_without_a_test() -> None:
    tested = {"", FIRST, "The shorter form, and an approval", "An item is out of stock", "Encryption", "Traces"}
    tested |= {"Two warehouses and a cancellation", "A service is unavailable", "A process dies", "Workers come and go"}
    assert set(titles()) == tested


def test_feed_page_is_available(shop: Shop, shell: Shell) -> None:
    with Section("", shell) as text:
        text.leaves("This section does the same without a browser.", why="no statement about the system")
        text.leaves(
            "Run the commands in another terminal while the system runs, or send the requests of "
            "[`demo.http`](demo.http) from your editor.",
            why="test_demo_requests.py",
        )
        text.says("Open <http://localhost:3001> as well:")
        assert shell.moved("http://localhost:3001").endswith(shop.address_of("notifications").rpartition(":")[2])
        assert shop.call("notifications", "GET", "/").headers["Content-Type"].startswith("text/html")
        text.leaves("the page shows each event as it arrives.", why="test_notifications.py")


def test_section_order_from_accepted_to_delivered(shopper: Shopper, shell: Shell) -> None:
    with Section(FIRST, shell) as text:
        [first] = text.commands()
        placed = shell.run(first)
        accepted, status = text.says("The response is `202 Accepted`, with the order in its current status: `pending`.")
        assert placed.status_line.lower().endswith(accepted.lower())
        assert placed.body["status"] == status
        text.leaves("From here on, no crash can lose the order.", why="test_durability.py")

        text.says("A moment later,")
        shopper.sees_shipments("A1", "booked")
        [shown] = text.run()
        claims = text.says(
            "shows `processing`: one fulfillment in Warehouse A, payment `success` with its invoice (60.00 + 20 % tax "
            "+ 4.99 shipping = 76.99, written `7699`: amounts are whole cents), shipment `booked` with the courier's "
            "reference."
        )
        assert_booked(shown.body, *claims)

        text.says("You act as the courier:")
        assert [(done.status, done.body["status"]) for done in text.run()] == [(202, "dispatched"), (202, "delivered")]
        shopper.sees("A1", *text.says("The order is `completed`."))
        text.says("To see every step, and what was charged:")
        timeline, ledger = (done.body for done in text.run())
        assert [timeline[0]["type"], timeline[-1]["type"]] == ["order.received", "order.completed"]
        assert ledger["charged"] == 7699

        [status] = text.says(
            "Send the first request again: the response is `202` with the same order, and nothing happens twice."
        )
        again, order = shell.run(first), shopper.shop.order("A1")
        # The workflow may end shortly after the order.
        assert (again.status, again.body | {"workflow": None}) == (int(status), order | {"workflow": None})
        assert shopper.shop.timeline("A1") == timeline
        assert shopper.shop.get("billing", "/ledger", orderId="A1") == ledger
        [status] = text.says("Change the quantity in it: `409`.")
        assert shell.run(first.replace('"quantity": 1', '"quantity": 2')).status == int(status)


def assert_booked(order: Json, status: str, payment: str, total: str, shipment: str) -> None:
    [one] = order["fulfillments"]
    assert (order["status"], one["location"], one["payment"]["status"]) == (status, "Warehouse A", payment)
    assert one["payment"]["invoiceReference"]
    amounts = [one["payment"][name] for name in ("subTotal", "tax", "shipping", "total")]
    assert amounts == [6000, 1200, 499, int(total)]
    assert one["shipment"]["status"] == shipment
    assert one["shipment"]["courierReference"]


def asked(shop: Shop, service: str, path: str, body: Any) -> int:
    headers = shop.what_it_takes(service, "POST", path)
    return shop.call(service, "POST", path, body, headers=headers).status_code


def assert_charged(shop: Shop, order_id: str) -> None:
    assert shop.get("billing", "/ledger", orderId=order_id)["charged"] > 0


def test_section_when_a_part_is_down(shopper: Shopper, shell: Shell) -> None:
    shop, booking = shopper.shop, {"id": "W1:1", "orderId": "W1", "items": [{"sku": "milk", "quantity": 1}]}
    with Section("A service is unavailable", shell) as text:
        deactivate, activate = text.commands()
        text.says("bookings return 503 from now on")
        ended, unbooked = text.says(
            "An order placed in between is charged and tries to book for 30 seconds. If there is still no courier, it "
            "is refunded and released: `failed`, reason `shippingUnavailable`."
        )
        assert (DEFAULTS.booking_timeout, DEFAULTS.charge_timeout) == (30, 30)
        text.says("If you activate shipping in time, the order continues.")
        [uncharged] = text.says(
            "Fraud checks fail in the same way before the charge, with reason `billingUnavailable`:"
        )
        begin, end = text.commands()
        text.says("the fraud check returns 503 from now on")

        shell.run(deactivate)
        assert asked(shop, "shipping", "/bookings", booking) == 503
        reasons = {shop.place(SHOES)["id"]: (unbooked, "refunded")}
        holds(lambda: assert_charged(shop, *reasons))
        shell.run(begin)
        assert asked(shop, "fraud", "/check", {"customerId": "1234", "charge": 1}) == 503
        reasons[shop.place(SHOES)["id"]] = (uncharged, "failed")
        for order_id, expected in reasons.items():
            order = shopper.sees(order_id, ended)
            assert (order["reason"], order["fulfillments"][0]["payment"]["status"]) == expected
        assert_released(shop, *reasons)

        in_time = shop.place(SHOES)["id"]
        shopper.sees(in_time, "processing")
        shell.run(end)
        holds(lambda: assert_charged(shop, in_time))
        shell.run(activate)
        shopper.sees_shipments(in_time, "booked")
        a_limit_declines(text, shopper, shell)


def a_limit_declines(text: Section, shopper: Shopper, shell: Shell) -> None:
    ended, reason = text.says(
        "A spending limit declines charges. Set one, order the shoes for 76.99, and the order is `failed`, reason "
        "`paymentDeclined`."
    )
    limit, reset = text.commands()
    assert shell.run(limit).body["limit"] == 1000
    declined = shopper.sees(shopper.shop.place(SHOES)["id"], ended)
    assert (declined["reason"], declined["fulfillments"][0]["payment"]["total"]) == (reason, 7699)
    text.says("no limit, no maintenance, all totals zero")
    assert shell.run(reset).body == {"limit": 0, "maintenanceMode": False}
    assert shopper.shop.get("fraud", "/tally/1234")["tally"] == 0


def test_section_shorter_form_and_approval(shopper: Shopper, shell: Shell, unanswered: dict[str, str]) -> None:
    with Section("The shorter form, and an approval", shell) as text:
        [first] = text.commands()
        placed, rejected = shell.run(first), shell.run(first).body["id"]
        text.says("Without an `id`, the service generates one and returns it in the body and in `Location`.")
        order_id = placed.body["id"]
        assert placed.headers["location"].endswith(f"/orders/{order_id}")
        _, waiting = text.says("Orders of 1,000.00 or more need approval: `GET` shows `approvalRequired`.")
        assert DEFAULTS.approval_threshold == 100_000
        shopper.sees(order_id, waiting)

        text.says("Replace ID with the order's id in")
        [approve] = text.commands()
        answer = shell.run(approve.replace("ID", order_id))
        status, as_it_was, _, after = text.says(
            "and the order continues. `202` means that the decision is recorded; the workflow acts on it a moment "
            "later. The response therefore still shows `approvalRequired`; the next `GET` shows `processing`."
        )
        assert (answer.status, answer.body["status"]) == (int(status), as_it_was)
        shopper.sees(order_id, after)

        no, ended = text.says("With `false`, or after 24 hours, the order ends as `cancelled`.")
        shopper.sees(rejected, waiting)
        shell.run(approve.replace("ID", rejected).replace("true", no))
        assert shopper.sees(rejected, ended)["reason"] == "approvalRejected"
        assert DEFAULTS.approval_timeout == 24 * 3600
        assert shopper.sees(unanswered["approver"], ended)["reason"] == "approvalExpired"
        _, status = text.says("A `total` that differs from the price of the goods is a `422`.")
        assert shell.run(first.replace("1299.00", "1298.00")).status == int(status)


def test_something_is_missing(shopper: Shopper, shell: Shell, unanswered: dict[str, str]) -> None:
    with Section("An item is out of stock", shell) as text:
        text.says("No warehouse has the Adidas shoe:")
        goods = [one for one in shopper.shop.get("inventory", "/inventory") if one["sku"].startswith("Adidas")]
        assert {stock["onHand"] for one in goods for stock in one["warehouses"]} == {0}
        [first] = text.commands()
        assert [shell.run(one).status for one in (first, first.replace('"B1"', '"B2"'))] == [202, 202]
        waiting, _ = text.says(
            "The order waits in `customerActionRequired`, and `actions` lists what the customer can do."
        )
        for order_id in ("B1", "B2"):
            assert shopper.sees(order_id, waiting)["actions"] == ["amend", "cancel"]

        text.says("Within 30 seconds,")
        assert DEFAULTS.order_action_timeout == 30
        [amend] = text.commands()
        answer = shell.run(amend)
        [as_it_was] = text.says("continues without the item; this response, too, still shows `customerActionRequired`.")
        assert (answer.status, answer.body["status"]) == (202, as_it_was)
        assert shopper.sees("B1", "processing")["fulfillments"][1]["status"] == "cancelled"
        cancel, ended = text.says("With `cancel`, the order ends as `cancelled`.")
        shell.run(amend.replace("B1", "B2").replace("amend", cancel))
        shopper.sees("B2", ended)
        shopper.sees(unanswered["customer"], *text.says("Without an answer, it ends as `timedOut`."))
        text.says("Stock is released in both cases.")
        holds(lambda: assert_released(shopper.shop, "B2", unanswered["customer"]))


def assert_released(shop: Shop, *order_ids: str) -> None:
    for order_id in order_ids:
        parts = shop.get("inventory", f"/reservations/{order_id}")["fulfillments"]
        assert {one["status"] for one in parts} <= {"released", "unavailable"}, parts


def test_section_two_warehouses_and_a_change_of_mind(shopper: Shopper, shell: Shell) -> None:
    shop = shopper.shop
    with Section("Two warehouses and a cancellation", shell) as text:
        [first] = text.commands()
        assert [shell.run(one).status for one in (first, first.replace('"C1"', '"C2"'))] == [202, 202]
        in_a, in_b, *ids = text.says(
            "Only Warehouse A stocks `Vans Old Skool`, and only Warehouse B stocks `Puma Suede Classic`. The order "
            "therefore has two fulfillments, `C1:1` and `C1:2`, which are charged and booked in parallel."
        )
        assert shopper.sees_shipments("C1", "booked", payment="success") == ids
        parts = shop.order("C1")["fulfillments"]
        found = {one["location"]: [item["sku"] for item in one["items"]] for one in parts}
        assert found == {"Warehouse A": [in_a], "Warehouse B": [in_b]}

        text.says("Until the first of them is dispatched, the customer can cancel:")
        [cancel] = text.commands()
        assert shell.run(cancel).status == 202
        [ended] = text.says("Bookings are cancelled, charges refunded, stock released. The order is `cancelled`,")
        parts = shopper.sees("C1", ended)["fulfillments"]
        assert {one["payment"]["status"] for one in parts} == {"refunded"}
        assert {shop.get("shipping", f"/bookings/{one}")["status"] for one in ids} == {"cancelled"}
        assert_released(shop, "C1")
        text.says("and the ledger shows equal charges and refunds.")
        ledger = shop.get("billing", "/ledger", orderId="C1")
        assert ledger["charged"] == ledger["refunded"] > 0

        [status] = text.says("After a dispatch, the response would be `409`.")
        shop.report(shopper.sees_shipments("C2", "booked")[0], "dispatched")
        assert shell.run(cancel.replace("C1", "C2")).status == int(status)
