import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from services.web.app import WebConfig, create_app
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import ParallelCalls
from services.web.live.generator import LoadGenerator
from services.web.live.hub import Hub
from services.web.views.chaos_board import SERVICES, ChaosBoard
from tests.unit.orderprocessing.polling import eventually
from tests.unit.web.fakes import FakeShop, Json, item, order, problem

JSON = {"Accept": "application/json"}
NONE = {"failures": 0.0, "lostWrites": 0.0, "crashesPerMinute": 0.0}
GOODS = [item("Vans Old Skool", 6000, 5000)]


class Dashboard:
    """The operator's page in a browser without JavaScript."""

    def __init__(self, shop: FakeShop) -> None:
        config = WebConfig(app_port=3006)
        hub = Hub(config.streams())
        self.load_generator = LoadGenerator(Backend(shop), hub)
        self.client: FlaskClient = create_app(config, shop, hub, load_generator=self.load_generator).test_client()

    def text(self, path: str = "/operator/") -> str:
        return self.client.get(path).get_data(as_text=True)


@pytest.fixture
def shop() -> FakeShop:
    shop = FakeShop()
    shop.on("inventory", "GET", "inventory", GOODS)
    shop.on("orderprocessing", "POST", "orders", order("s-1"))
    return shop


@pytest.fixture
def dashboard(shop: FakeShop) -> Iterator[Dashboard]:
    dashboard = Dashboard(shop)
    yield dashboard
    dashboard.load_generator.shut_down()


def enable_chaos(shop: FakeShop, *services: str) -> None:
    for service in services or SERVICES:
        shop.on(service, "GET", "chaos", NONE)
        shop.on(service, "PUT", "chaos", NONE)
        shop.on(service, "POST", "chaos/crash", {"status": "dying"})


def test_a_stream_is_started_shown_and_stopped(shop: FakeShop, dashboard: Dashboard) -> None:
    assert "No stream has run yet" in dashboard.text()
    answer = dashboard.client.post("/operator/stream", data={"rate": "10", "duration": "60"})
    assert (answer.status_code, answer.location) == (303, "/operator/")
    eventually(lambda: bool(shop.calls("POST")))
    text = dashboard.text("/operator/?part=1")
    assert "is sending orders" in text
    assert "Stop the stream" in text
    assert 'name="rate" value="10"' in text
    assert (
        dashboard.client.post("/operator/stream/stop", headers=JSON).get_json()["message"].startswith("No more orders")
    )
    eventually(lambda: "has sent its orders" in dashboard.text("/operator/?part=1"))
    text = dashboard.text("/operator/?part=1")
    assert "Stop the stream" not in text
    assert "End now" in text
    answer = dashboard.client.post("/operator/stream/end", headers=JSON)
    assert answer.get_json()["message"].startswith("The stream has ended")
    text = dashboard.text("/operator/?part=1")
    assert "has ended" in text
    assert "End now" not in text


def test_only_one_stream_runs_at_a_time(dashboard: Dashboard) -> None:
    assert dashboard.client.post("/operator/stream", data={}).status_code == 303
    answer = dashboard.client.post("/operator/stream", data={}, headers=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "streamRuns")
    first = dashboard.load_generator.run
    assert first is not None
    first.end()
    assert dashboard.client.post("/operator/stream", data={}).status_code == 303
    assert dashboard.load_generator.run is not first


def test_all_invalid_settings_are_reported_and_nothing_starts(dashboard: Dashboard) -> None:
    answer = dashboard.client.post("/operator/stream", data={"rate": "many", "duration": "1"}, headers=JSON)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == {"rate", "duration"}
    assert dashboard.load_generator.run is None


def test_without_stock_or_inventory_no_stream_starts(shop: FakeShop, dashboard: Dashboard) -> None:
    shop.on("inventory", "GET", "inventory", [item("Vans Old Skool", 6000, 0)])
    assert dashboard.client.post("/operator/stream", data={}).status_code == 503
    shop.on("inventory", "GET", "inventory", problem(503, "unavailable", "inventory is away"))
    assert dashboard.client.post("/operator/stream", data={}).status_code == 503
    assert dashboard.load_generator.run is None


def test_stopping_without_a_stream_does_nothing(dashboard: Dashboard) -> None:
    assert dashboard.client.post("/operator/stream/stop").status_code == 303
    assert dashboard.client.post("/operator/stream/end").status_code == 303


def test_the_form_shows_the_configured_approval_threshold(dashboard: Dashboard) -> None:
    assert '<data class="money" value="100000"' in dashboard.text()
    dashboard.load_generator.approval_threshold = 5000
    assert '<data class="money" value="5000"' in dashboard.text()


def test_refused_orders_are_shown_by_status(shop: FakeShop, dashboard: Dashboard) -> None:
    shop.on("orderprocessing", "POST", "orders", problem(422, "invalidField", "no such item"))
    dashboard.client.post("/operator/stream", data={"rate": "20"})
    eventually(lambda: "with HTTP status 422" in dashboard.text("/operator/?part=1"))


def test_the_metrics_history_is_json(dashboard: Dashboard) -> None:
    assert dashboard.client.get("/operator/figures").get_json() == []
    dashboard.load_generator.metrics.sample()
    assert len(dashboard.client.get("/operator/figures").get_json()) == 1


KILL_WORKER = "kill -9 $(pgrep -of 'python -m services.orderprocessing.worker')"


def test_without_fault_injection_the_page_shows_a_command_that_kills_a_worker(dashboard: Dashboard) -> None:
    text = dashboard.text()
    assert "make run CHAOS=1" in text
    assert KILL_WORKER in text
    assert "Kill billing" not in text


def test_every_service_can_be_killed_with_fault_injection(shop: FakeShop, dashboard: Dashboard) -> None:
    enable_chaos(shop)
    text = dashboard.text()
    assert all(f"Kill {service}" in text for service in SERVICES)
    assert "The button of orderprocessing kills its API" in text
    assert text.count(KILL_WORKER) == 1
    answer = dashboard.client.post("/operator/kill/billing", headers=JSON)
    assert answer.get_json()["message"].startswith("A process of billing is being killed")
    assert shop.calls("POST") == [("billing", "chaos/crash", {})]
    assert dashboard.client.post("/operator/kill/redis").status_code == 404


def test_a_service_that_is_not_responding_is_shown_as_such(shop: FakeShop, dashboard: Dashboard) -> None:
    enable_chaos(shop)
    shop.on("fraud", "GET", "chaos", problem(503, "unavailable", "fraud is away"))
    assert "not responding" in dashboard.text()


def test_fault_injection_is_set_in_one_service_or_in_all(shop: FakeShop, dashboard: Dashboard) -> None:
    enable_chaos(shop)
    settings = {"failures": "10", "lostWrites": "3", "crashesPerMinute": "2"}
    answer = dashboard.client.post("/operator/chaos", data={"service": "billing", **settings}, headers=JSON)
    assert answer.get_json()["message"] == "Fault injection was changed in billing."
    settings_sent = {"failures": 0.1, "lostWrites": 0.03, "crashesPerMinute": 2.0}
    assert shop.calls("PUT") == [("billing", "chaos", settings_sent)]
    assert dashboard.client.post("/operator/chaos", data={"service": "all", **settings}).status_code == 303
    assert sorted(service for service, _, _ in shop.calls("PUT")[1:]) == sorted(SERVICES)


def test_services_that_could_not_be_changed_are_named(shop: FakeShop, dashboard: Dashboard) -> None:
    enable_chaos(shop, "billing", "fraud")
    answer = dashboard.client.post("/operator/chaos", data={"service": "all"}, headers=JSON)
    assert answer.get_json()["message"].startswith(
        "Fault injection was changed in billing, fraud. Not changed: orderprocessing,"
    )
    answer = dashboard.client.post("/operator/chaos", data={"service": "shipping"}, headers=JSON)
    assert answer.status_code == 404


def test_all_invalid_fault_injection_settings_are_reported(shop: FakeShop, dashboard: Dashboard) -> None:
    form = {"service": "redis", "failures": "51", "lostWrites": "x", "crashesPerMinute": "-1"}
    answer = dashboard.client.post("/operator/chaos", data=form, headers=JSON)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == set(form)
    assert shop.calls("PUT") == []


def test_a_live_page_does_not_read_the_settings_on_every_update(shop: FakeShop, dashboard: Dashboard) -> None:
    enable_chaos(shop)
    dashboard.text()
    asked = shop.asked.count(("billing", "GET", "chaos", None))
    for _ in range(5):
        dashboard.text("/operator/?part=1")
    assert shop.asked.count(("billing", "GET", "chaos", None)) == asked


def test_cached_settings_are_read_again_when_stale_or_unknown(shop: FakeShop) -> None:
    enable_chaos(shop)
    now = 0.0
    board = ChaosBoard(Backend(shop), ParallelCalls(), lambda: now)

    def fraud_state(at: float) -> str:
        nonlocal now
        now = at
        return next(service.state for service in board.current() if service.service == "fraud")

    assert fraud_state(0) == "off"
    shop.on("fraud", "GET", "chaos", problem(503, "unavailable", "fraud is away"))
    assert [fraud_state(4.9), fraud_state(5.0)] == ["off", "unknown"]
    shop.on("fraud", "GET", "chaos", problem(404, "notFound", "no chaos here"))
    assert [fraud_state(5.9), fraud_state(6.0)] == ["unknown", "disabled"]


def test_a_stream_lost_in_a_restart_is_reported_with_links_to_its_open_orders(shop: FakeShop) -> None:
    before, after = Dashboard(shop), Dashboard(shop)
    before.client.post("/operator/stream", data={"duration": "600"})
    run = before.load_generator.run
    assert run is not None
    assert "was restarted" not in before.text()
    cookie = before.client.get_cookie("stream")
    assert cookie is not None
    assert cookie.value == run.name
    before.load_generator.shut_down()
    before.text()
    assert before.client.get_cookie("stream") is not None
    after.client.set_cookie("stream", run.name)
    for path in ("/operator/", "/operator/?part=1"):
        text = after.text(path)
        assert f"which ended the stream <strong>{run.name}</strong>" in text
        assert "/approvals/" in text
        assert "/courier/" in text
        assert "No stream has run yet" not in text


def test_a_stream_that_ended_is_not_reported_as_lost(shop: FakeShop, dashboard: Dashboard) -> None:
    dashboard.client.post("/operator/stream", data={})
    dashboard.text()
    dashboard.client.post("/operator/stream/end")
    assert "has ended" in dashboard.text()
    assert dashboard.client.get_cookie("stream") is None


@pytest.mark.parametrize("name", ["", "<b>", "../..", "0123456"])
def test_an_invalid_cookie_is_not_reported_as_a_lost_stream(dashboard: Dashboard, name: str) -> None:
    dashboard.client.set_cookie("stream", name)
    assert "was restarted" not in dashboard.text()


def test_the_start_button_is_disabled_while_a_stream_runs(dashboard: Dashboard) -> None:
    assert 'aria-disabled="true"' not in dashboard.text()
    dashboard.client.post("/operator/stream", data={"duration": "600"})
    assert 'aria-disabled="true"' in dashboard.text("/operator/?part=1")
    dashboard.client.post("/operator/stream/end")
    assert 'aria-disabled="true"' not in dashboard.text("/operator/?part=1")


def test_ending_with_open_orders_needs_confirmation(dashboard: Dashboard) -> None:
    dashboard.client.post("/operator/stream", data={"duration": "600"})
    dashboard.client.post("/operator/stream/stop")
    eventually(lambda: "End now" in dashboard.text("/operator/?part=1"))
    assert re.search(r"<details.*</summary>.*End now.*</details>", dashboard.text("/operator/?part=1"), re.DOTALL)


def worker(name: str, status: str = "running") -> Json:
    since, seen = "2026-11-21T10:00:00.000Z", "2026-11-21T10:01:00.000Z"
    return {"name": name, "version": "v1", "status": status, "since": since, "lastSeenAt": seen}


def test_the_workers_are_listed_with_version_and_state(shop: FakeShop, dashboard: Dashboard) -> None:
    shop.on("orderprocessing", "GET", "workers", [worker("host-1"), worker("host-2<b>", "lost")])
    text = dashboard.text()
    rows = re.findall(r'data-key="worker-.*?</tr>', text, re.DOTALL)
    assert len(rows) == 2
    assert [part for part in ("host-1", "v1", "running", "now") if part not in rows[0]] == []
    assert [part for part in ("host-2&lt;b&gt;", "lost", "2026-11-21T10:01:00.000Z") if part not in rows[1]] == []


def test_a_live_page_shows_the_workers_of_the_last_poll(shop: FakeShop, dashboard: Dashboard) -> None:
    shop.on("orderprocessing", "GET", "workers", [worker("host-1")])
    dashboard.load_generator.metrics.poll()
    shop.on("orderprocessing", "GET", "workers", problem(503, "unavailable", "orderprocessing is away"))
    assert "host-1" in dashboard.text("/operator/?part=1")
    assert "The list of workers cannot be shown right now: orderprocessing is away (503)" in dashboard.text()


def test_without_workers_the_page_says_that_orders_wait(shop: FakeShop, dashboard: Dashboard) -> None:
    shop.on("orderprocessing", "GET", "workers", [])
    assert "No worker is running. Orders are accepted and wait" in dashboard.text()
