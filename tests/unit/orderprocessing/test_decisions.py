"""Actions, approvals and reports over HTTP: what is allowed, what is not, and what is not even understood."""

from typing import Any

import pytest

from services.common.states import MOVES, IllegalMoveError, OrderStatus, check_move, is_final
from services.orderprocessing.config import OrderProcessingConfig
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.test_order_queries import problem
from tests.unit.orderprocessing.world import AT_A, HIGH_VALUE, OUT_OF_STOCK, World

ODD: list[Any] = [None, "", " ", "x", "Cancel", "\ud800", "\x00", 1, 1.5, True, [], {}, ["cancel"]]
BODIES: dict[str, dict[str, Any]] = {
    "/orders/A1/action": {"action": "cancel"},
    "/orders/A1/approve": {"approver": "Chris", "approved": True},
    "/shipments/A1:1/status": {"status": "dispatched"},
}


def waiting(world: World, *skus: str) -> World:
    world.place(*skus)
    world.run()
    return world


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"a": "\xff"}', "application/json", 400),
        (b"[" * 90_000, "application/json", 400),
        (b"{}", "application/json", 422),
        (b"{", "text/plain", 400),
        (b"action=cancel", "application/x-www-form-urlencoded", 415),
        (b" " * 300_000, "application/json", 413),
    ],
    ids=["none", "cut", "array", "not UTF-8", "deep", "empty", "text", "form", "large"],
)
def test_a_body_that_cannot_be_read_changes_nothing(
    world: World, path: str, data: bytes, content_type: str, status: int
) -> None:
    waiting(world, AT_A)
    before = world.order()
    problem(world.app.test_client().post(path, data=data, content_type=content_type), status)
    assert world.order() == before


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, body in BODIES.items() for field in body])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_an_odd_value_in_any_field_is_named_and_changes_nothing(
    world: World, path: str, field: str, value: Any
) -> None:
    waiting(world, AT_A)
    before = world.order()
    answer = world.send("POST", path, BODIES[path] | {field: value})
    if (field, value) in [("approver", "x"), ("approver", "Cancel")] or (field == "approved" and value is True):
        problem(answer, 409)  # well said, but nobody waits for it
    else:
        assert [one["field"] for one in problem(answer, 422)["errors"]] == [field]
    assert world.order() == before


@pytest.mark.parametrize("status", ["booked", "pending", "cancelled", "returned"])
def test_a_courier_reports_nothing_but_dispatched_and_delivered(world: World, status: str) -> None:
    waiting(world, AT_A)
    problem(world.send("POST", "/shipments/A1:1/status", {"status": status}), 422)


def test_amending_is_possible_only_where_something_is_missing(world: World) -> None:
    waiting(world, AT_A)
    assert problem(world.send("POST", "/orders/A1/action", {"action": "amend"}), 409)["code"] == "notAllowed"


def test_the_answer_to_a_decision_is_the_order(world: World) -> None:
    waiting(world, AT_A, OUT_OF_STOCK)
    answer = world.send("POST", "/orders/A1/action", {"action": "amend", "note": "whatever"})
    assert (answer.status_code, answer.get_json()["id"], answer.get_json()["actions"]) == (202, "A1", ["cancel"])


def test_a_customer_who_amends_may_repeat_it_and_may_still_cancel(world: World) -> None:
    waiting(world, AT_A, OUT_OF_STOCK)
    assert [world.act("amend"), world.act("amend"), world.cancel(), world.act("amend")] == [202, 202, 202, 409]
    world.run()
    assert world.order().status == OrderStatus.CANCELLED
    check_over(world)


def test_an_approval_is_taken_once_and_only_where_it_is_waited_for(world: World) -> None:
    waiting(world, HIGH_VALUE)
    assert [world.approve(), world.approve(), world.approve(approved=False)] == [202, 202, 409]
    world.run()
    assert world.approve() == 409
    assert [step.type for step in world.order().timeline].count("order.approved") == 1


def test_a_decision_holds_although_its_signal_is_lost(world: World) -> None:
    waiting(world, HIGH_VALUE)
    world.driver.reachable = False
    assert world.approve() == 202
    world.driver.reachable = True
    world.run(16)
    assert world.order().status == OrderStatus.APPROVAL_REQUIRED
    world.recover()
    world.run()
    assert world.order().status == OrderStatus.PROCESSING


def test_an_unknown_path_or_method_is_a_problem_too(world: World) -> None:
    problem(world.send("GET", "/nowhere"), 404)
    answer = world.send("DELETE", "/orders")
    problem(answer, 405)
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))
    problem(world.send("PUT", "/orders/A1/action", {}), 405)


def test_a_fault_of_our_own_is_a_problem_without_a_trace(world: World) -> None:
    world.orders.get = lambda _order_id: 1 / 0
    assert problem(world.send("GET", "/orders/A1"), 500)["detail"].startswith("an unexpected error")


def test_alive_and_ready_are_answered(world: World) -> None:
    assert world.send("GET", "/healthz").status_code == 200
    assert world.send("GET", "/readyz").status_code == 200


def test_every_status_has_its_moves_and_what_is_final_stays() -> None:
    for machine, moves in MOVES.items():
        assert set(moves) == set(machine)
        for before in machine:
            for after in machine:
                if after in moves[before]:
                    check_move(before, after)
                else:
                    with pytest.raises(IllegalMoveError):
                        check_move(before, after)
            assert is_final(before) == (not moves[before])
            assert before not in moves[before]


def test_the_policy_is_what_the_configuration_says() -> None:
    policy = OrderProcessingConfig(app_port=3000, order_action_timeout=1, approval_threshold=5).policy()
    assert (policy.action_timeout, policy.approval_timeout, policy.approval_threshold) == (1, 86400, 5)
