"""The queries, figures and views of orders and shipments."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.orderprocessing.world import AT_A, AT_B, CUSTOMER, HIGH_VALUE, OUT_OF_STOCK, World


def pages(world: World, path: str) -> Iterator[list[dict[str, Any]]]:
    """Follow the links from page to page."""
    following: str | None = path
    while following:
        answer = world.send("GET", following)
        assert answer.status_code == 200, answer.get_json()
        yield answer.get_json()
        link = re.fullmatch(r'<http://localhost(/.*)>; rel="next"', answer.headers.get("Link", ""))
        following = link and link[1]


def all_ids(world: World, path: str) -> list[str]:
    return [line["id"] for page in pages(world, path) for line in page]


def placed(world: World, count: int, prefix: str = "P") -> list[str]:
    """Place orders a second apart; return their ids, newest first."""
    ids = []
    for number in range(count):
        world.clock.advance(1)
        ids.append(world.place("milk", order_id=f"{prefix}{number}"))
    return ids[::-1]


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    body = dict(answer.get_json())
    assert body["status"] == status
    assert {"type", "title", "detail", "code"} <= body.keys()
    assert "Traceback" not in str(body)
    return body


def test_orders_are_listed_newest_first_with_what_a_list_needs(world: World) -> None:
    ids = placed(world, 7)
    lines = world.send("GET", "/orders").get_json()
    assert [line["id"] for line in lines] == ids
    assert lines[0] == {
        "id": "P6",
        "status": "pending",
        "receivedAt": "2026-11-21T09:00:07.000Z",
        "customerId": CUSTOMER,
        "goodsTotal": 400,
        "currency": "USD",
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_follow_each_other_without_gap_or_repetition(world: World, limit: int) -> None:
    ids = placed(world, 7)
    for query in (f"limit={limit}", f"limit={limit}&status=pending", f"limit={limit}&customerId={CUSTOMER}"):
        assert all_ids(world, f"/orders?{query}") == ids
        assert all(len(page) <= limit for page in pages(world, f"/orders?{query}"))


def test_a_status_gives_the_orders_that_have_it(world: World) -> None:
    world.place(AT_A, order_id="done")
    world.finish("done")
    world.place(AT_A, OUT_OF_STOCK, order_id="asks")
    world.place(HIGH_VALUE, order_id="dear")
    world.run()
    world.place(AT_A, order_id="new")
    wanted = {
        "completed": ["done"],
        "customerActionRequired": ["asks"],
        "approvalRequired": ["dear"],
        "pending": ["new"],
        "processing": [],
        "failed": [],
        "cancelled": [],
        "timedOut": [],
    }
    for status, ids in wanted.items():
        assert all_ids(world, f"/orders?status={status}") == ids
        assert all_ids(world, f"/orders?status={status}&customerId={CUSTOMER}") == ids


def test_a_customer_gives_the_orders_of_that_customer(world: World) -> None:
    world.place("milk", order_id="mine")
    world.send("POST", "/orders", {"id": "theirs", "customer": "Zoë | 1||2", "items": ["milk"]})
    assert all_ids(world, "/orders?customerId=1234") == ["mine"]
    lines = world.app.test_client().get("/orders", query_string={"customerId": "Zoë | 1||2"}).get_json()
    assert [line["id"] for line in lines] == ["theirs"]
    assert world.send("GET", "/orders?customerId=").get_json() == []


def test_ids_give_just_those_orders_that_exist(world: World) -> None:
    placed(world, 3)
    assert all_ids(world, "/orders?ids=P2,nobody,P0,,a||b,%00") == ["P2", "P0"]
    assert all_ids(world, "/orders?ids=") == []
    assert all_ids(world, "/orders?ids=" + ",".join(["P1"] + ["x"] * 999)) == ["P1"]
    problem(world.send("GET", "/orders?ids=" + ",".join(["x"] * 1001)), 422)


@pytest.mark.parametrize("wrong", ["limit=0", "status=lost"])
def test_a_wrong_parameter_is_refused_also_beside_ids(world: World, wrong: str) -> None:
    problem(world.send("GET", f"/orders?ids=P1&{wrong}"), 422)


@pytest.mark.parametrize("path", ["/orders", "/shipments", "/shipments/pending"])
@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={limit}" for limit in ("0", "-1", "1001", "1.5", "x", "", "1e2", "%D9%A3", "9" * 400)),
        *(
            f"cursor={cursor}"
            for cursor in ("x", "AAAA", "W10", "%00", "%ff", "é", "W251bGxd", "WzEsMiwzLDRd", "a" * 5000)
        ),
    ],
)
def test_a_wrong_limit_or_cursor_is_named(world: World, path: str, query: str) -> None:
    placed(world, 2)
    assert problem(world.send("GET", f"{path}?{query}"), 422)["errors"][0]["field"] in {"limit", "cursor"}


def test_a_wrong_status_is_named(world: World) -> None:
    for status in ("", "Pending", "gone", "%00"):
        assert problem(world.send("GET", f"/orders?status={status}"), 422)["errors"][0]["field"] == "status"


def test_an_order_is_shown_with_its_parcels(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    world.act("amend")
    world.finish()
    shown = world.shown()
    first, second = shown["fulfillments"]
    assert (shown["status"], shown["actions"], shown["reason"]) == ("completed", [], None)
    assert first["payment"] == {
        "subTotal": 6000,
        "tax": 1200,
        "shipping": 499,
        "total": 7699,
        "currency": "USD",
        "status": "success",
        "invoiceReference": "INV-A1-1",
    }
    assert (first["shipment"]["id"], first["shipment"]["status"]) == ("A1:1", "delivered")
    assert set(first["shipment"]) == {"id", "status", "courierReference", "updatedAt"}
    assert (second["location"], second["payment"], second["shipment"]) == (None, None, None)
    assert shown["workflow"]["instanceId"] == "order-A1"
    assert set(shown["workflow"]) == {"instanceId", "status", "createdAt", "updatedAt", "failure"}


def test_an_order_is_shown_as_last_known_while_the_engine_is_down(world: World) -> None:
    world.place(AT_A)
    world.run()
    known = world.shown()
    world.driver.reachable = False
    assert known["workflow"]["status"] == "RUNNING"
    assert world.shown() == known | {"workflow": None}


def test_a_workflow_that_the_engine_has_deleted_is_shown_as_the_order_knows_it(world: World) -> None:
    world.place(AT_A)
    world.finish()
    world.driver.instances.clear()
    assert world.shown()["workflow"]["status"] == "COMPLETED"


def test_the_timeline_lists_steps_and_actors_oldest_first(world: World) -> None:
    world.place(HIGH_VALUE)
    world.run()
    world.approve()
    world.finish()
    steps = world.send("GET", "/orders/A1/timeline").get_json()
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    actors = {step["type"]: step["actor"] for step in steps}
    assert actors["order.received"] == "customer"
    assert actors["order.approved"] == "Chris"
    assert actors["shipment.delivered"] == "courier"
    assert actors["payment.succeeded"] == "system"
    assert all({"at", "type", "message", "actor"} <= step.keys() for step in steps)


def test_shipments_are_listed_and_the_pending_ones_apart(world: World) -> None:
    world.place(AT_A, AT_B)
    world.run()
    world.report("dispatched", "A1:1")
    world.report("delivered", "A1:1")
    lines = {line["id"]: line for line in world.send("GET", "/shipments").get_json()}
    assert lines["A1:1"].keys() == {"id", "status", "orderId", "updatedAt"}
    assert {key: line["status"] for key, line in lines.items()} == {"A1:1": "delivered", "A1:2": "booked"}
    assert all_ids(world, "/shipments/pending?limit=1") == ["A1:2"]
    assert sorted(all_ids(world, "/shipments?limit=1")) == ["A1:1", "A1:2"]


def test_a_shipment_is_shown_with_its_goods(world: World) -> None:
    world.place(AT_A)
    world.run()
    shown = world.send("GET", "/shipments/A1:1").get_json()
    assert (shown["id"], shown["status"]) == ("A1:1", "booked")
    assert shown["items"] == [{"sku": AT_A, "quantity": 1}]
    assert shown["courierReference"].startswith("CR-")


def test_the_figures_count_what_is_open(world: World) -> None:
    for number in range(3):
        world.place(AT_A, AT_B, order_id=f"F{number}")
    world.settle("fraud", "maintenance")
    world.run()
    assert world.send("GET", "/orders/stats").get_json() == {"workerCount": 1, "backlog": 3, "completeRate": 0}
    assert world.send("GET", "/charge/stats").get_json() == {"workerCount": 1, "backlog": 6}
    world.settle("fraud", "maintenance", enabled=False)
    world.run(10)
    assert world.send("GET", "/charge/stats").get_json()["backlog"] == 0
    assert world.send("GET", "/shipments/stats").get_json() == {"workerCount": 1, "backlog": 6}
    for number in range(3):
        world.finish(f"F{number}")
    assert world.send("GET", "/orders/stats").get_json() == {"workerCount": 1, "backlog": 0, "completeRate": 0.1}
    world.clock.advance(31)
    assert world.send("GET", "/orders/stats").get_json()["completeRate"] == 0


@pytest.mark.parametrize("order_id", ["nobody", "A1:1", "%00", "%ff", "a%7C%7Cb", "x" * 500, "é"])
def test_an_order_that_does_not_exist_is_a_404_everywhere(world: World, order_id: str) -> None:
    problem(world.send("GET", f"/orders/{order_id}"), 404)
    problem(world.send("GET", f"/orders/{order_id}/timeline"), 404)
    problem(world.send("POST", f"/orders/{order_id}/action", {"action": "cancel"}), 404)
    problem(world.send("POST", f"/orders/{order_id}/approve", {"approver": "Chris", "approved": True}), 404)


@pytest.mark.parametrize("shipment_id", ["nobody", "A1", "A1:2", "A1:0", "A1:", ":1", "A1:99999", "A1:1:1", "%00:1"])
def test_a_shipment_that_does_not_exist_is_a_404(world: World, shipment_id: str) -> None:
    world.place(AT_A)
    world.run()
    problem(world.send("GET", f"/shipments/{shipment_id}"), 404)
    problem(world.send("POST", f"/shipments/{shipment_id}/status", {"status": "dispatched"}), 404)


def test_a_parcel_that_no_warehouse_has_is_no_shipment(world: World) -> None:
    world.place(AT_A, OUT_OF_STOCK)
    world.run()
    problem(world.send("GET", "/shipments/A1:2"), 404)
