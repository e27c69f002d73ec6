"""Chaos as a switch: nothing where it is not enabled; where it is, as much as the operator has set, and no more."""

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
from tests.unit.common.unrest import Dice, Shop

LATE = 0.09
"""Of 0.1 that fail, what the dice show for a call that comes late."""
CALL = {"dapr-caller-app-id": "orderprocessing"}
NONE = {"failures": 0.0, "lostWrites": 0.0, "crashesPerMinute": 0.0}
ENABLED = ServiceConfig(app_port=1, chaos_enabled=True)


def test_without_the_configuration_there_is_no_switch_and_nothing_fails() -> None:
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
def test_the_environment_says_whether_chaos_is_possible(text: str, enabled: bool) -> None:
    assert read(ServiceConfig, {"CHAOS_ENABLED": text}, app_port=1).chaos_enabled is enabled


def test_enabled_chaos_does_nothing_until_it_is_switched_on() -> None:
    shop = Shop()
    assert shop.client.get("/chaos").get_json() == NONE
    assert set(shop.statuses(200, **CALL)) == {200}


def test_the_share_of_calls_fails_that_the_operator_has_set_some_of_them_after_they_acted() -> None:
    shop = Shop()
    assert shop.put({"failures": 0.2}) == (200, NONE | {"failures": 0.2})
    statuses = shop.statuses(4000, **CALL)
    failed = statuses.count(503)
    assert set(statuses) == {200, 503}
    assert 700 < failed < 900
    # Those that come late have not come yet, or some of them.
    assert 0.2 < (shop.sold - statuses.count(200)) / failed < 0.7


@pytest.mark.parametrize(
    ("thrown", "status", "sold"),
    [(0.019, 503, 0), (0.021, 503, 1), (0.049, 503, 1), (0.051, 503, 0), (0.099, 503, 0), (0.1, 200, 1)],
)
def test_a_call_fails_before_it_acts_or_after_or_without(thrown: float, status: int, sold: int) -> None:
    shop = Shop(None, thrown)
    shop.put({"failures": 0.1})
    answer = shop.client.post("/sales", headers=CALL)
    assert (answer.status_code, shop.sold) == (status, sold)
    if status == 503:
        assert (answer.mimetype, answer.get_json()["code"]) == ("application/problem+json", "chaos")
        assert answer.headers["Retry-After"] == "1"


def test_a_late_call_is_carried_out_once_as_it_was_sent_when_nobody_waits_for_it() -> None:
    shop = Shop(None, LATE)
    shop.put({"failures": 0.1})
    answer = shop.client.post("/sales?to=Ann", json={"goods": "milk"}, headers=CALL)
    assert (answer.status_code, shop.sold) == (503, 0)
    eventually(lambda: shop.sold == 1)
    assert shop.orders == [("Ann", {"goods": "milk"})]


def test_work_that_is_late_is_done_once_and_its_failure_is_nobodys() -> None:
    chaos, done = FaultInjector(FakeDocuments(), Dice(LATE)), []

    def work() -> None:
        done.append(True)
        raise TransientError("nobody hears it")

    chaos.change(ChaosSettings(failures=0.1))
    with pytest.raises(TransientError, match=Fault.LATE.value):
        chaos.call(work)
    assert done == []
    eventually(lambda: done == [True])


def test_a_write_is_done_and_its_answer_lost_but_not_to_a_person() -> None:
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


def test_without_chaos_documents_are_what_they_are() -> None:
    documents = FakeDocuments()
    assert with_faults(documents, None) is documents


def test_customers_and_the_operator_are_left_alone_and_deliveries_are_not() -> None:
    shop = Shop()
    shop.put({"failures": 0.5})
    assert set(shop.statuses(100)) == {200}
    assert set(shop.statuses(100, "/internal/events")) == {200, 503}
    assert all(shop.client.put("/chaos", json={"failures": 0.5}, headers=CALL).status_code == 200 for _ in range(100))


def test_the_console_asks_for_a_person_and_is_left_alone_as_one() -> None:
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


def test_a_process_that_is_told_to_die_answers_first() -> None:
    shop = Shop()
    shop.put({"failures": 0.5})
    answer = shop.client.post("/chaos/crash", json={}, headers=CALL)
    assert (answer.status_code, answer.get_json(), shop.died) == (202, {"status": "dying"}, [])
    eventually(lambda: shop.died == [True])


def test_a_form_of_another_site_kills_nobody() -> None:
    shop = Shop()
    assert shop.client.post("/chaos/crash", data={"any": "thing"}).status_code == 415
    assert shop.died == []


def test_where_chaos_is_not_enabled_nobody_can_have_a_process_die() -> None:
    app = create_base_app("shop", lambda: True)
    register(app, None)
    assert app.test_client().post("/chaos/crash").status_code == 404


def test_a_service_whose_activities_fail_answers_everybody() -> None:
    shop = Shop(fail_calls=False)
    shop.put({"failures": 0.5})
    assert set(shop.statuses(100, **CALL)) == {200}


def test_an_empty_change_switches_off() -> None:
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


class DeafDocuments(FakeDocuments):
    """A store that stops answering."""

    deaf = False

    def load(self, key: str) -> Stored | None:
        if self.deaf:
            raise TransientError("no store")
        return super().load(key)


def test_while_the_store_does_not_answer_the_last_settings_stay() -> None:
    documents = DeafDocuments()
    shop = Shop(documents)
    shop.put({"failures": 0.5})
    documents.deaf = True
    shop.chaos.refresh()
    assert shop.put({})[0] == 503
    assert shop.chaos.settings.failures == 0.5


def test_work_fails_before_it_is_done_or_after() -> None:
    chaos, done = FaultInjector(FakeDocuments(), Dice(0.01, 0.04, 0.5)), [0]

    def work() -> str:
        done[0] += 1
        return "result"

    chaos.change(ChaosSettings(failures=0.1))
    for expected, fault in ((0, Fault.BEFORE), (1, Fault.AFTER)):
        with pytest.raises(TransientError, match=fault.value):
            chaos.call(work)
        assert done == [expected]
    assert chaos.call(work) == "result"


def lives(chaos: FaultInjector, seconds: int) -> list[float]:
    """Return the moments of death, had the process gone on, in so many seconds or a few less."""
    now, deaths = [0.0], []

    def pause(duration: float) -> None:
        now[0] += duration

    while now[0] < seconds:
        chaos.tick(pause, lambda: deaths.append(now[0]))
    return deaths


def test_a_process_dies_as_often_as_the_operator_has_set_at_random_moments() -> None:
    chaos = FaultInjector(FakeDocuments(), random.Random(7))
    assert lives(chaos, 600) == []
    chaos.change(ChaosSettings(crashes_per_minute=6))
    deaths = lives(chaos, 60_000)
    pauses = sorted(later - earlier for earlier, later in itertools.pairwise(deaths))
    assert 5_600 < len(deaths) < 6_400
    # Of an exponential distribution with a mean of 10 s, the median is 6.9 s, and one in twenty is above 30 s.
    assert 6.4 < pauses[len(pauses) // 2] < 7.4
    assert 27 < pauses[len(pauses) * 19 // 20] < 33
    assert len({round(moment % 1, 1) for moment in deaths}) == 11


def test_what_is_switched_is_logged_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
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


def test_enabled_chaos_lives_beside_the_service(
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
