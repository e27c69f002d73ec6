import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from services.load_generator.runs import Operations
from services.web.app import WebConfig, create_app
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import SideBySide
from services.web.live.hub import Hub
from services.web.views.chaos_board import SERVICES, ChaosBoard
from tests.unit.orderprocessing.polling import eventually
from tests.unit.web.fakes import FakeShop, item, order, problem

JSON = {"Accept": "application/json"}
NONE = {"failures": 0.0, "lostWrites": 0.0, "crashesPerMinute": 0.0}
GOODS = [item("Vans Old Skool", 6000, 5000)]


class Desk:
    """The operator's page in a browser without JavaScript."""

    def __init__(self, shop: FakeShop) -> None:
        config = WebConfig(app_port=3006)
        hub = Hub(config.streams())
        self.operations = Operations(Backend(shop), hub)
        self.client: FlaskClient = create_app(config, shop, hub, operations=self.operations).test_client()

    def text(self, path: str = "/operator/") -> str:
        return self.client.get(path).get_data(as_text=True)


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("inventory", "GET", "inventory", GOODS)
    shop.on("orderprocessing", "POST", "orders", order("s-1"))
    return shop


@pytest.fixture
def desk(shop: FakeShop) -> Iterator[Desk]:
    desk = Desk(shop)
    yield desk
    desk.operations.end()


def enable_chaos(shop: FakeShop, *services: str) -> None:
    for service in services or SERVICES:
        shop.on(service, "GET", "chaos", NONE)
        shop.on(service, "PUT", "chaos", NONE)
        shop.on(service, "POST", "chaos/crash", {"status": "dying"})


def test_a_stream_is_started_seen_and_stopped(shop: FakeShop, desk: Desk) -> None:
    assert "No stream has run yet" in desk.text()
    answer = desk.client.post("/operator/stream", data={"rate": "10", "duration": "60"})
    assert (answer.status_code, answer.location) == (303, "/operator/")
    eventually(lambda: bool(shop.calls("POST")))
    text = desk.text("/operator/?part=1")
    assert "sends orders" in text
    assert "Stop the stream" in text
    assert 'name="rate" value="10"' in text
    assert desk.client.post("/operator/stream/stop", headers=JSON).get_json()["message"].startswith("No more orders")
    eventually(lambda: "has sent its orders" in desk.text("/operator/?part=1"))
    text = desk.text("/operator/?part=1")
    assert "Stop the stream" not in text
    assert "End now" in text
    answer = desk.client.post("/operator/stream/end", headers=JSON)
    assert answer.get_json()["message"].startswith("The stream has ended")
    text = desk.text("/operator/?part=1")
    assert "is over" in text
    assert "End now" not in text


def test_there_is_one_stream_at_a_time(desk: Desk) -> None:
    assert desk.client.post("/operator/stream", data={}).status_code == 303
    answer = desk.client.post("/operator/stream", data={}, headers=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "streamRuns")
    first = desk.operations.run
    assert first is not None
    first.end()
    assert desk.client.post("/operator/stream", data={}).status_code == 303
    assert desk.operations.run is not first


def test_wrong_settings_are_all_said_and_nothing_starts(desk: Desk) -> None:
    answer = desk.client.post("/operator/stream", data={"rate": "many", "duration": "1"}, headers=JSON)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == {"rate", "duration"}
    assert desk.operations.run is None


def test_without_goods_or_inventory_no_stream_starts(shop: FakeShop, desk: Desk) -> None:
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 0)])
    assert desk.client.post("/operator/stream", data={}).status_code == 503
    shop.on("inventory", "GET", "inventory", problem(503, "unavailable", "inventory is away"))
    assert desk.client.post("/operator/stream", data={}).status_code == 503
    assert desk.operations.run is None


def test_to_stop_where_nothing_runs_does_nothing(desk: Desk) -> None:
    assert desk.client.post("/operator/stream/stop").status_code == 303
    assert desk.client.post("/operator/stream/end").status_code == 303


def test_from_which_worth_on_orders_are_approved_is_as_configured(desk: Desk) -> None:
    assert 'Worth <data class="money" value="100000"' in desk.text()
    desk.operations.dear = 5000
    assert 'Worth <data class="money" value="5000"' in desk.text()


def test_orders_that_are_refused_are_told_by_status(shop: FakeShop, desk: Desk) -> None:
    shop.on("orderprocessing", "POST", "orders", problem(422, "invalidField", "no such item"))
    desk.client.post("/operator/stream", data={"rate": "20"})
    eventually(lambda: "with 422" in desk.text("/operator/?part=1"))


def test_the_figures_are_given_as_they_are_kept(desk: Desk) -> None:
    assert desk.client.get("/operator/figures").get_json() == []
    desk.operations.figures.sample()
    assert len(desk.client.get("/operator/figures").get_json()) == 1


def test_where_chaos_is_not_enabled_the_page_says_how_to_kill_in_a_terminal(desk: Desk) -> None:
    text = desk.text()
    assert "make run CHAOS=1" in text
    assert "kill -9 $(pgrep -of 'python -m services.orderprocessing.app')" in text
    assert "Kill billing" not in text


def test_every_service_can_be_killed_where_chaos_is_enabled(shop: FakeShop, desk: Desk) -> None:
    enable_chaos(shop)
    text = desk.text()
    assert all(f"Kill {service}" in text for service in SERVICES)
    answer = desk.client.post("/operator/kill/billing", headers=JSON)
    assert answer.get_json()["message"].startswith("A process of billing dies now")
    assert shop.calls("POST") == [("billing", "chaos/crash", {})]
    assert desk.client.post("/operator/kill/redis").status_code == 404


def test_a_service_that_does_not_answer_is_shown_as_that(shop: FakeShop, desk: Desk) -> None:
    enable_chaos(shop)
    shop.on("fraud", "GET", "chaos", problem(503, "unavailable", "fraud is away"))
    assert "does not answer right now" in desk.text()


def test_chaos_is_set_in_one_service_or_in_all(shop: FakeShop, desk: Desk) -> None:
    enable_chaos(shop)
    settings = {"failures": "10", "lostWrites": "3", "crashesPerMinute": "2"}
    answer = desk.client.post("/operator/chaos", data={"service": "billing", **settings}, headers=JSON)
    assert answer.get_json()["message"] == "Chaos is set in billing."
    told = {"failures": 0.1, "lostWrites": 0.03, "crashesPerMinute": 2.0}
    assert shop.calls("PUT") == [("billing", "chaos", told)]
    assert desk.client.post("/operator/chaos", data={"service": "all", **settings}).status_code == 303
    assert sorted(service for service, _, _ in shop.calls("PUT")[1:]) == sorted(SERVICES)


def test_where_chaos_reaches_some_services_only_the_others_are_named(shop: FakeShop, desk: Desk) -> None:
    enable_chaos(shop, "billing", "fraud")
    answer = desk.client.post("/operator/chaos", data={"service": "all"}, headers=JSON)
    assert answer.get_json()["message"].startswith("Chaos is set in billing, fraud. Not reached: orderprocessing,")
    answer = desk.client.post("/operator/chaos", data={"service": "shipping"}, headers=JSON)
    assert answer.status_code == 404


def test_every_wrong_rate_of_chaos_is_said(shop: FakeShop, desk: Desk) -> None:
    form = {"service": "redis", "failures": "51", "lostWrites": "x", "crashesPerMinute": "-1"}
    answer = desk.client.post("/operator/chaos", data=form, headers=JSON)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == set(form)
    assert shop.calls("PUT") == []


def test_a_live_page_does_not_ask_the_services_for_their_chaos_each_second(shop: FakeShop, desk: Desk) -> None:
    enable_chaos(shop)
    desk.text()
    asked = len(shop.asked)
    for _ in range(5):
        desk.text("/operator/?part=1")
    assert len(shop.asked) == asked


def test_what_is_remembered_of_chaos_is_looked_at_again_when_it_is_stale_or_unknown(shop: FakeShop) -> None:
    enable_chaos(shop)
    now = 0.0
    board = ChaosBoard(Backend(shop), SideBySide(), lambda: now)

    def of_fraud(at: float) -> str:
        nonlocal now
        now = at
        return next(one.state for one in board.seen() if one.service == "fraud")

    assert of_fraud(0) == "off"
    shop.on("fraud", "GET", "chaos", problem(503, "unavailable", "fraud is away"))
    assert [of_fraud(4.9), of_fraud(5.0)] == ["off", "unknown"]
    shop.on("fraud", "GET", "chaos", problem(404, "notFound", "no chaos here"))
    assert [of_fraud(5.9), of_fraud(6.0)] == ["unknown", "disabled"]


def test_a_stream_that_ended_with_the_console_is_told_with_what_becomes_of_its_orders(shop: FakeShop) -> None:
    before, after = Desk(shop), Desk(shop)
    before.client.post("/operator/stream", data={"duration": "600"})
    run = before.operations.run
    assert run is not None
    assert "was restarted" not in before.text()
    cookie = before.client.get_cookie("stream")
    assert cookie is not None
    assert cookie.value == run.name
    before.operations.end()
    before.text()
    assert before.client.get_cookie("stream") is not None
    after.client.set_cookie("stream", run.name)
    for path in ("/operator/", "/operator/?part=1"):
        text = after.text(path)
        assert f"<strong>{run.name}</strong> ended with it" in text
        assert "/approvals/" in text
        assert "/courier/" in text
        assert "No stream has run yet" not in text


def test_a_stream_that_ended_by_itself_is_not_lost_later(shop: FakeShop, desk: Desk) -> None:
    desk.client.post("/operator/stream", data={})
    desk.text()
    desk.client.post("/operator/stream/end")
    assert "is over" in desk.text()
    assert desk.client.get_cookie("stream") is None


@pytest.mark.parametrize("name", ["", "<b>", "../..", "0123456"])
def test_only_the_name_of_a_stream_is_taken_for_one(desk: Desk, name: str) -> None:
    desk.client.set_cookie("stream", name)
    assert "was restarted" not in desk.text()


def test_while_a_stream_runs_no_other_can_be_started(desk: Desk) -> None:
    assert 'aria-disabled="true"' not in desk.text()
    desk.client.post("/operator/stream", data={"duration": "600"})
    assert 'aria-disabled="true"' in desk.text("/operator/?part=1")
    desk.client.post("/operator/stream/end")
    assert 'aria-disabled="true"' not in desk.text("/operator/?part=1")


def test_to_leave_open_orders_alone_takes_a_second_step(desk: Desk) -> None:
    desk.client.post("/operator/stream", data={"duration": "600"})
    desk.client.post("/operator/stream/stop")
    eventually(lambda: "End now" in desk.text("/operator/?part=1"))
    assert re.search(r"<details.*</summary>.*End now.*</details>", desk.text("/operator/?part=1"), re.DOTALL)
