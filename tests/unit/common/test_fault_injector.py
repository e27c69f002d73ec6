"""Fault injection: none where it is not enabled, and exactly the configured amount where it is."""

import itertools
import logging
import random
import threading

import pytest

from services.common.config import ServiceConfig, read
from services.common.dapr.sidecar import TransientError
from services.common.faults import injector as chaos_module
from services.common.faults.injector import OFF, ChaosSettings, Fault, FaultInjector, enable
from services.common.faults.wiring import register, with_faults
from services.common.storage.documents import Stored
from services.common.web.base_app import create_base_app
from tests.e2e.polling import eventually
from tests.fakes import FakeDocuments
from tests.unit.common.faulty_service import FixedRandom, Shop

LATE = 0.09
"""A random value that makes a call late at a failure share of 0.1."""
CALL = {"dapr-caller-app-id": "orderprocessing"}
NONE = {"failures": 0.0, "lostWrites": 0.0, "crashesPerMinute": 0.0}
ENABLED = ServiceConfig(app_port=1, chaos_enabled=True)


def test_without_the_setting_there_are_no_endpoints_and_no_faults() -> None:
    documents = FakeDocuments()
    Shop(documents).put({"failures": 0.5, "crashesPerMinute": 60})
    assert enable(ServiceConfig(app_port=1), documents) is None
    app = create_base_app("shop", lambda: True)
    register(app, None)
    app.get("/goods")(lambda: "milk")
    client = app.test_client()
    assert [client.get("/chaos").status_code, client.put("/chaos", json={"failures": 0.5}).status_code] == [404, 404]
    assert all(client.get("/goods", headers=CALL).status_code == 200 for _ in range(200))


@pytest.mark.parametrize(("text", "enabled"), [("true", True), ("false", False), ("", False)])
def test_the_environment_enables_fault_injection(text: str, enabled: bool) -> None:
    assert read(ServiceConfig, {"CHAOS_ENABLED": text}, app_port=1).chaos_enabled is enabled


def test_enabled_fault_injection_does_nothing_until_it_is_turned_on() -> None:
    shop = Shop()
    assert shop.client.get("/chaos").get_json() == NONE
    assert set(shop.statuses(200, **CALL)) == {200}


def test_the_configured_share_of_calls_fails_some_after_they_were_executed() -> None:
    shop = Shop()
    assert shop.put({"failures": 0.2}) == (200, NONE | {"failures": 0.2})
    statuses = shop.statuses(4000, **CALL)
    failed = statuses.count(503)
    assert set(statuses) == {200, 503}
    assert 700 < failed < 900
    # Those that come late have not come yet, or some of them.
    assert 0.2 < (shop.sold - statuses.count(200)) / failed < 0.7


@pytest.mark.parametrize(
    ("drawn", "status", "sold"),
    [(0.019, 503, 0), (0.021, 503, 1), (0.049, 503, 1), (0.051, 503, 0), (0.099, 503, 0), (0.1, 200, 1)],
)
def test_a_call_fails_before_or_after_its_execution_or_without_it(drawn: float, status: int, sold: int) -> None:
    shop = Shop(None, drawn)
    shop.put({"failures": 0.1})
    answer = shop.client.post("/sales", headers=CALL)
    assert (answer.status_code, shop.sold) == (status, sold)
    if status == 503:
        assert (answer.mimetype, answer.get_json()["code"]) == ("application/problem+json", "chaos")
        assert answer.headers["Retry-After"] == "1"


def test_a_late_call_is_executed_once_as_it_was_sent() -> None:
    shop = Shop(None, LATE)
    shop.put({"failures": 0.1})
    answer = shop.client.post("/sales?to=Ann", json={"goods": "milk"}, headers=CALL)
    assert (answer.status_code, shop.sold) == (503, 0)
    eventually(lambda: shop.sold == 1)
    assert shop.orders == [("Ann", {"goods": "milk"})]


def test_late_work_runs_once_and_its_error_is_dropped() -> None:
    chaos, done = FaultInjector(FakeDocuments(), FixedRandom(LATE)), []

    def work() -> None:
        done.append(True)
        raise TransientError("nobody hears it")

    chaos.change(ChaosSettings(failures=0.1))
    with pytest.raises(TransientError, match=Fault.LATE.value):
        chaos.call(work)
    assert done == []
    eventually(lambda: done == [True])


def test_a_write_loses_its_response_except_in_requests_of_persons() -> None:
    documents = FakeDocuments()
    shop = Shop(documents)
    shop.put({"lostWrites": 0.2})
    kept = with_faults(documents, shop.chaos)
    failed = 0
    for number in range(2000):
        try:
            kept.save(f"goods/{number}", b"milk", None)
        except TransientError:
            failed += 1
    assert 330 < failed < 470
    assert all(kept.load(f"goods/{number}") for number in range(2000))
    assert len(kept.load_many(["goods/1", "goods/2", "goods/none"])) == 2
    with shop.app.test_request_context("/sales"):
        for number in range(200):
            kept.save(f"orders/{number}", b"milk", None)


def test_without_an_injector_documents_have_no_faults() -> None:
    documents = FakeDocuments()
    assert with_faults(documents, None) is documents


def test_requests_of_persons_never_fail_and_deliveries_do() -> None:
    shop = Shop()
    shop.put({"failures": 0.5})
    assert set(shop.statuses(100)) == {200}
    assert set(shop.statuses(100, "/internal/events")) == {200, 503}
    assert all(shop.client.put("/chaos", json={"failures": 0.5}, headers=CALL).status_code == 200 for _ in range(100))


def test_requests_of_the_console_never_fail() -> None:
    documents = FakeDocuments()
    shop = Shop(documents)
    shop.put({"failures": 0.5, "lostWrites": 0.2})
    person = {"dapr-caller-app-id": "web"}
    assert set(shop.statuses(100, **person)) == {200}
    assert set(shop.statuses(100, "/internal/events", **person)) == {200, 503}
    kept = with_faults(documents, shop.chaos)
    with shop.app.test_request_context("/sales", headers=person):
        for number in range(100):
            kept.save(f"orders/{number}", b"milk", None)


def test_a_crash_request_is_answered_before_the_crash() -> None:
    shop = Shop()
    shop.put({"failures": 0.5})
    answer = shop.client.post("/chaos/crash", json={}, headers=CALL)
    assert (answer.status_code, answer.get_json(), shop.died) == (202, {"status": "dying"}, [])
    eventually(lambda: shop.died == [True])


def test_a_form_of_another_site_cannot_crash_a_process() -> None:
    shop = Shop()
    assert shop.client.post("/chaos/crash", data={"any": "thing"}).status_code == 415
    assert shop.died == []


def test_without_the_setting_a_crash_cannot_be_requested() -> None:
    app = create_base_app("shop", lambda: True)
    register(app, None)
    assert app.test_client().post("/chaos/crash").status_code == 404


def test_a_service_with_fail_calls_off_answers_every_call() -> None:
    shop = Shop(fail_calls=False)
    shop.put({"failures": 0.5})
    assert set(shop.statuses(100, **CALL)) == {200}


def test_an_empty_change_turns_faults_off() -> None:
    shop = Shop()
    shop.put({"failures": 0.5, "crashesPerMinute": 60})
    assert shop.put({}) == (200, NONE)
    assert set(shop.statuses(100, **CALL)) == {200}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"failures": 0.51, "crashesPerMinute": 61}, {"failures", "crashesPerMinute"}),
        ({"failures": -0.1, "crashesPerMinute": -1}, {"failures", "crashesPerMinute"}),
        ({"failures": "0.1", "crashesPerMinute": True}, {"failures", "crashesPerMinute"}),
        ({"failures": None, "faliures": 0.1}, {"failures", "faliures"}),
    ],
)
def test_every_wrong_field_is_named_and_nothing_changes(body: object, fields: set[str]) -> None:
    shop = Shop()
    shop.put({"failures": 0.3})
    status, answer = shop.put(body)
    assert (status, {error["field"] for error in answer["errors"]}) == (422, fields)
    assert shop.chaos.settings.failures == 0.3


def test_whole_numbers_are_numbers_too() -> None:
    assert Shop().put({"failures": 0, "crashesPerMinute": 6}) == (200, NONE | {"crashesPerMinute": 6.0})


def test_the_settings_survive_a_crash_and_reach_the_other_replica() -> None:
    documents = FakeDocuments()
    shop, replica = Shop(documents), Shop(documents)
    shop.put({"failures": 0.5, "crashesPerMinute": 2.5})
    replica.chaos.refresh()
    assert replica.client.get("/chaos").get_json() == NONE | {"failures": 0.5, "crashesPerMinute": 2.5}
    assert "chaos/settings" in documents.kept
    replica.put({})
    shop.chaos.refresh()
    assert shop.chaos.settings == OFF


class UnreachableDocuments(FakeDocuments):
    """A store that stops answering."""

    unreachable = False

    def load(self, key: str) -> Stored | None:
        if self.unreachable:
            raise TransientError("no store")
        return super().load(key)


def test_while_the_store_is_unreachable_the_last_settings_stay() -> None:
    documents = UnreachableDocuments()
    shop = Shop(documents)
    shop.put({"failures": 0.5})
    documents.unreachable = True
    shop.chaos.refresh()
    assert shop.put({})[0] == 503
    assert shop.chaos.settings.failures == 0.5


def test_work_fails_before_or_after_its_execution() -> None:
    chaos, done = FaultInjector(FakeDocuments(), FixedRandom(0.01, 0.04, 0.5)), [0]

    def work() -> str:
        done[0] += 1
        return "result"

    chaos.change(ChaosSettings(failures=0.1))
    for expected, fault in ((0, Fault.BEFORE), (1, Fault.AFTER)):
        with pytest.raises(TransientError, match=fault.value):
            chaos.call(work)
        assert done == [expected]
    assert chaos.call(work) == "result"


def crash_times(chaos: FaultInjector, seconds: int) -> list[float]:
    """Return the moments of death, had the process gone on, in so many seconds or a few less."""
    now, deaths = [0.0], []

    def pause(duration: float) -> None:
        now[0] += duration

    while now[0] < seconds:
        chaos.tick(pause, lambda: deaths.append(now[0]))
    return deaths


def test_crashes_have_the_configured_rate_at_random_moments() -> None:
    chaos = FaultInjector(FakeDocuments(), random.Random(7))
    assert crash_times(chaos, 600) == []
    chaos.change(ChaosSettings(crashes_per_minute=6))
    deaths = crash_times(chaos, 60_000)
    pauses = sorted(later - earlier for earlier, later in itertools.pairwise(deaths))
    assert 5_600 < len(deaths) < 6_400
    # Of an exponential distribution with a mean of 10 s, the median is 6.9 s, and one in twenty is above 30 s.
    assert 6.4 < pauses[len(pauses) // 2] < 7.4
    assert 27 < pauses[len(pauses) * 19 // 20] < 33
    assert len({round(moment % 1, 1) for moment in deaths}) == 11


def test_each_change_of_the_settings_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shop = Shop()
    shop.put({"failures": 0.1})
    shop.chaos.refresh()
    shop.put({"failures": 0.2})
    shop.put({})
    shop.chaos.refresh()
    said = [(record.levelname, record.message) for record in caplog.records]
    on = ("WARNING", "fault injection is on")
    assert said == [on, on, ("INFO", "fault injection is off")]


def test_enabled_fault_injection_runs_in_a_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, died = FakeDocuments(), []

    def die() -> None:
        died.append(True)
        threading.Event().wait()

    FaultInjector(documents, random.Random(7)).change(ChaosSettings(crashes_per_minute=60))
    monkeypatch.setattr(chaos_module, "_GRACE_SECONDS", 0.0)
    chaos = enable(ENABLED, documents, die)
    assert chaos is not None
    assert "fault injection is enabled" in caplog.text
    eventually(lambda: died == [True])
    assert chaos.settings.crashes_per_minute == 60
