"""The same order again: by its id, by its Idempotency-Key, at once, after crashes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.common.states import OrderStatus
from tests.points import crash
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.test_order_requests import FULL, SHORT, refused
from tests.unit.orderprocessing.world import AT_A, World


def test_the_same_order_again_is_the_same_order(world: World) -> None:
    world.send("POST", "/orders", FULL)
    writes = world.documents.writes
    same = FULL | {"items": [AT_A], "total": 60.00, "note": "again"}
    again = world.send("POST", "/orders", same)
    assert (again.status_code, again.get_json()["id"]) == (202, FULL["id"])
    assert world.documents.writes == writes
    world.finish(FULL["id"])
    assert world.send("POST", "/orders", FULL).get_json()["status"] == "completed"
    check_over(world, FULL["id"])


def test_the_same_order_again_is_accepted_whatever_became_of_price_and_inventory(world: World) -> None:
    world.send("POST", "/orders", FULL | {"total": 60})
    key = {"Idempotency-Key": "k"}
    keyed = {"customer": "Riley", "items": ["milk"], "total": 4}
    order_id = world.send("POST", "/orders", keyed, headers=key).get_json()["id"]
    world.shop.call("inventory", "PUT", "inventory/milk", {"unitPrice": 777})
    world.shop.call("inventory", "PUT", f"inventory/{AT_A}", {"unitPrice": 777})
    world.restart()
    world.shop.down = {"inventory"}
    assert world.send("POST", "/orders", FULL | {"total": 60}).status_code == 202
    again = world.send("POST", "/orders", keyed, headers=key)
    assert (again.status_code, again.get_json()["id"]) == (202, order_id)


@pytest.mark.parametrize("change", [{"customerId": "5678"}, {"items": ["milk"]}, {"items": [AT_A, AT_A]}])
def test_the_same_id_with_other_content_is_a_409(world: World, change: dict[str, Any]) -> None:
    world.send("POST", "/orders", FULL)
    assert refused(world, FULL | change, 409)["code"] == "orderExists"


def test_the_same_id_with_a_wrong_total_is_refused(world: World) -> None:
    world.send("POST", "/orders", FULL)
    refused(world, FULL | {"total": 61})


@pytest.mark.parametrize("change", [{"customerId": "5678"}, {"total": 61}])
def test_what_is_refused_for_an_order_that_exists_does_not_use_its_idempotency_key_up(
    world: World, change: dict[str, Any]
) -> None:
    world.send("POST", "/orders", FULL)
    writes = world.documents.writes
    key = {"Idempotency-Key": "k"}
    assert world.send("POST", "/orders", FULL | change, headers=key).status_code in {409, 422}
    assert world.documents.writes == writes
    assert world.send("POST", "/orders", SHORT, headers=key).status_code == 202


def lose_the_race_for_the_id(world: World, loser: dict[str, Any], key: str) -> int:
    """Send an order whose id another one takes while it is being accepted; return the status."""

    def win() -> None:
        other = FULL | {"customerId": "winner"}
        assert world.elsewhere().post("/orders", json=other, headers={"Idempotency-Key": "w"}).status_code == 202

    world.points.at("after write idempotency", win)
    return world.send("POST", "/orders", loser, headers={"Idempotency-Key": key}).status_code


@pytest.mark.parametrize("other", [SHORT, FULL | {"id": "A9"}], ids=["without an id", "with an id"])
@pytest.mark.parametrize("restart", [False, True])
def test_an_order_that_loses_the_race_for_its_id_does_not_use_its_idempotency_key_up(
    world: World, other: dict[str, Any], restart: bool
) -> None:
    key = {"Idempotency-Key": "k"}
    assert lose_the_race_for_the_id(world, FULL, "k") == 409
    if restart:
        world.restart()
    assert refused(world, FULL, 409, headers=key)["code"] == "orderExists"
    answers = [world.send("POST", "/orders", other, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert refused(world, FULL, headers=key)["code"] == "idempotencyKeyReused"
    assert len(world.send("GET", "/orders").get_json()) == 2


def test_the_winner_of_the_race_keeps_its_idempotency_key(world: World) -> None:
    lose_the_race_for_the_id(world, FULL, "k")
    key = {"Idempotency-Key": "w"}
    assert world.send("POST", "/orders", FULL | {"customerId": "winner"}, headers=key).status_code == 202
    assert refused(world, SHORT, headers=key)["code"] == "idempotencyKeyReused"


def test_a_refused_key_is_given_to_one_of_two_requests_that_want_it_at_once(world: World) -> None:
    lose_the_race_for_the_id(world, FULL, "k")
    bodies = [SHORT | {"id": f"B{n}"} for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda body: world.send("POST", "/orders", body, headers={"Idempotency-Key": "k"}), bodies)
        )
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 7
    assert len(world.send("GET", "/orders").get_json()) == 2


@pytest.mark.parametrize("body", [FULL, SHORT], ids=["with an id", "without one"])
def test_a_crash_at_any_point_of_accepting_uses_no_idempotency_key_up_and_loses_no_order(body: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "k"}
    quiet = World()
    quiet.send("POST", "/orders", body, headers=key)
    other = {"customer": "Sam", "items": ["milk"]}
    for number in range(1, len(quiet.points.passed) + 1):
        world = World()
        world.points.at_number(number, crash)
        accepted = world.send("POST", "/orders", body, headers=key).status_code == 202
        world.restart()
        lines = world.send("GET", "/orders").get_json()
        assert len(lines) == 1 or not accepted
        if lines:  # the key is used, and by that order
            assert refused(world, other, headers=key)["code"] == "idempotencyKeyReused"
            again = world.send("POST", "/orders", body, headers=key)
            assert (again.status_code, again.get_json()["id"]) == (202, lines[0]["id"])
        else:
            world.clock.advance(61)
            assert world.send("POST", "/orders", other, headers=key).status_code == 202
        assert len(world.send("GET", "/orders").get_json()) == 1, world.points.passed


def test_a_key_whose_request_may_be_in_progress_is_not_given_to_another(world: World) -> None:
    world.points.at("after write idempotency", crash)
    key = {"Idempotency-Key": "k"}
    assert world.send("POST", "/orders", SHORT, headers=key).status_code == 503
    world.clock.advance(59)
    assert refused(world, FULL, headers=key)["code"] == "idempotencyKeyReused"
    assert world.send("POST", "/orders", SHORT, headers=key).status_code == 202


def test_a_repeat_long_after_a_crash_gets_the_order_id_that_was_made_for_it_and_keeps_the_key(world: World) -> None:
    made: list[str] = []

    def note() -> None:
        made.append(world.documents.kept[next(key for key in world.documents.kept if "idempotency" in key)][0].decode())
        crash()

    world.points.at("after write idempotency", note)
    key = {"Idempotency-Key": "k"}
    assert world.send("POST", "/orders", SHORT, headers=key).status_code == 503
    world.clock.advance(3600)
    again = world.send("POST", "/orders", SHORT, headers=key)
    assert again.status_code == 202
    assert again.get_json()["id"] in made[0]
    assert refused(world, FULL, headers=key)["code"] == "idempotencyKeyReused"


@pytest.mark.parametrize("body", [FULL, SHORT], ids=["with an id", "without one"])
def test_the_same_idempotency_key_gives_the_same_order(world: World, body: dict[str, Any]) -> None:
    for key in ("k", '"k"', " k "):
        answer = world.send("POST", "/orders", body, headers={"Idempotency-Key": key})
        assert answer.status_code == 202
    assert len(world.send("GET", "/orders").get_json()) == 1


def test_the_same_idempotency_key_with_other_content_is_a_422(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    world.send("POST", "/orders", SHORT, headers=key)
    for other in (SHORT | {"customer": "Sam"}, {"customer": "Riley", "items": ["milk"]}, SHORT | {"id": "X"}):
        assert refused(world, other, headers=key)["code"] == "idempotencyKeyReused"


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "\x7f"], ids=repr)
def test_a_wrong_idempotency_key_is_named(world: World, key: str) -> None:
    problem = refused(world, SHORT, headers={"Idempotency-Key": key})
    assert [one["field"] for one in problem["errors"]] == ["Idempotency-Key"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["by id", "by key"])
def test_the_same_order_from_many_threads_is_one_order(world: World, headers: dict[str, str]) -> None:
    body = SHORT if headers else FULL
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.send("POST", "/orders", body, headers=headers), range(40)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert len(world.send("GET", "/orders").get_json()) == 1


def test_without_a_price_list_nothing_is_accepted_and_the_answer_is_a_503(world: World) -> None:
    world.shop.down = {"inventory"}
    refused(world, FULL, 503)


def test_an_order_is_accepted_while_the_engine_is_down_and_started_later(world: World) -> None:
    world.driver.reachable = False
    assert world.send("POST", "/orders", FULL | {"id": "A1"}).status_code == 202
    world.driver.reachable = True
    world.run(16)
    assert world.recover() == 1
    assert world.finish().status == OrderStatus.COMPLETED
    check_over(world)


def test_an_order_that_crashes_at_any_point_of_being_accepted_is_accepted_once_when_it_is_sent_again() -> None:
    quiet = World()
    quiet.place(AT_A)
    for number in range(1, len(quiet.points.passed) + 1):
        world = World()
        world.points.at_number(number, crash)
        sent = [world.send("POST", "/orders", FULL | {"id": "A1"}).status_code for _ in range(2)]
        assert sent in ([503, 202], [202, 202]), world.points.passed
        world.finish()
        check_over(world)


def test_an_order_of_every_id_that_is_accepted_can_be_seen(world: World) -> None:
    answer = world.send("POST", "/orders", FULL | {"id": "stats"})
    assert answer.status_code == 422 or world.shown("stats")["id"] == "stats"
