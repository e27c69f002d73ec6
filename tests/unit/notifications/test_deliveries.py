"""Deliveries from the sidecar: each event is stored once, after faults and repeated deliveries too."""

import threading
from collections.abc import Callable

import pytest
import yaml

from launcher.paths import ROOT
from services.common.storage.index import SHARDS
from services.notifications.models import MAX_MESSAGE, MAX_ORDER_EVENTS
from tests.unit.notifications.builders import OCCURRED, Service, bulk, order_event, statuses


def test_the_sidecar_gets_both_subscriptions() -> None:
    subscriptions = Service().client.get("/dapr/subscribe").get_json()
    assert subscriptions == [
        {
            "pubsubname": "orders",
            "topic": "order-events-dead",
            "route": "/internal/dead-events",
            "metadata": {},
        },
    ]
    in_bulk = yaml.safe_load((ROOT / "components" / "order-events.yaml").read_text())
    assert in_bulk["scopes"] == ["notifications"]
    assert in_bulk["spec"]["deadLetterTopic"] == "order-events-dead"
    assert in_bulk["spec"]["routes"]["default"] == "/internal/events"


def test_an_event_is_stored_and_shown() -> None:
    service = Service()
    assert statuses(service.deliver(order_event())) == ["SUCCESS"]
    expected = {
        "id": "A1/1",
        "type": "order.reserved",
        "orderId": "A1",
        "fulfillmentId": "A1:1",
        "message": "Reserved",
        "actor": "system",
        "time": OCCURRED,
    }
    assert service.client.get("/events").get_json() == [expected]
    assert service.client.get("/events?orderId=A1").get_json() == [expected]


def test_an_event_without_a_time_gets_the_time_of_its_arrival() -> None:
    service = Service()
    event = order_event(data={"orderId": "A1"})
    del event["time"]
    service.deliver(event)
    assert service.client.get("/events").get_json() == [
        {
            "id": "A1/1",
            "type": "order.reserved",
            "orderId": "A1",
            "message": "",
            "actor": "system",
            "time": "2026-11-21T09:00:00.001Z",
        }
    ]


def test_a_repeated_event_changes_nothing() -> None:
    service = Service()
    service.deliver(order_event())
    writes = service.documents.writes
    assert statuses(service.deliver(order_event())) == ["SUCCESS"]
    assert service.documents.writes == writes


def test_a_repeated_event_changes_nothing_after_many_others() -> None:
    service = Service()
    service.deliver(order_event())
    for number in range(600):
        service.deliver(order_event(1, f"B{number}"))
    service.deliver(order_event())
    assert service.shown("/events?limit=1000").count("A1/1") == 1


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param(lambda key: key.startswith("feed/") and key.count("/") == 2, id="page of the feed"),
        pytest.param(lambda key: key.startswith("feed/") and key.count("/") == 1, id="head of the feed"),
        pytest.param(lambda key: key.startswith("order-feed/"), id="feed of the order"),
    ],
)
def test_a_delivery_repeated_after_a_crash_at_any_write_ends_the_same(crash: Callable[[str], bool]) -> None:
    service = Service()
    service.deliver(order_event(1))
    service.documents.fail_writes_of = crash
    for number in range(2, 9):
        service.deliver(order_event(number))
    refused = service.deliver(order_event(9))
    service.documents.fail_writes_of = lambda _key: False
    replica = Service(service.documents)
    for number in range(2, 10):
        assert statuses(replica.deliver(order_event(number))) == ["SUCCESS"]
    wanted = sorted(f"A1/{number}" for number in range(1, 10))
    assert refused.status_code in (200, 503)
    assert sorted(replica.shown()) == wanted
    assert sorted(replica.shown("/events?orderId=A1")) == wanted


def test_a_failing_store_makes_the_sidecar_redeliver() -> None:
    service = Service()
    service.documents.fail_writes_of = lambda _key: True
    assert service.deliver(order_event()).status_code == 503
    assert service.deliver_dead(order_event()).status_code == 503


def test_concurrent_deliveries_store_each_event_once() -> None:
    service = Service()
    start = threading.Barrier(8)

    def deliver(order: str) -> None:
        start.wait()
        for number in range(20):
            answer = service.app.test_client().post("/internal/events", json=bulk([order_event(number, order)]))
            assert statuses(answer) == ["SUCCESS"]

    threads = [
        threading.Thread(target=deliver, args=(order,)) for order in ["A1", "A1", "A2", "A2", "A3", "A3", "A4", "A4"]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = sorted(f"{order}/{number}" for order in ("A1", "A2", "A3", "A4") for number in range(20))
    assert sorted(service.shown("/events?limit=1000")) == wanted
    assert len(service.shown("/events?orderId=A3")) == 20


@pytest.mark.parametrize(
    "event",
    [
        order_event(id=None),
        order_event(id=""),
        order_event(id=7),
        order_event(id="x" * 101),
        order_event(id="\ud800"),
        order_event(id="a\x00b"),
        order_event(type=None),
        order_event(type=[]),
        order_event(time=5),
        order_event(time="yesterday"),
        order_event(time="2026-11-21T08:54:14"),
        order_event(time="0001-01-01T00:00:00+14:00"),
        order_event(data=None),
        order_event(data="text"),
        order_event(data={}),
        order_event(data={"orderId": 10**400}),
        order_event(data={"orderId": "no/slash"}),
        order_event(data={"orderId": "A" * 41}),
        order_event(data={"orderId": "A1\n"}),
        order_event(data={"orderId": "A1", "message": "\udfff"}),
        order_event(data={"orderId": "A1", "message": 1.5}),
        order_event(data={"orderId": "A1", "actor": None}),
        order_event(data={"orderId": "A1", "fulfillmentId": {}}),
        [],
        None,
        b"",
        b"\xff\xfe",
        b"not json",
        b'{"id": NaN}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"id": "' + b"x" * 300_000 + b'"}',
    ],
)
def test_a_message_that_is_not_an_order_event_becomes_a_dead_letter(event: object) -> None:
    service = Service()
    assert statuses(service.deliver(order_event(1), event, order_event(2))) == ["SUCCESS", "DROP", "SUCCESS"]
    assert sorted(service.shown()) == ["A1/1", "A1/2"]
    assert service.deliver_dead(event).get_json() == {"status": "SUCCESS"}
    [letter] = service.client.get("/events/dead").get_json()
    assert len(letter["excerpt"]) <= 1000
    assert len(letter.get("id", "")) <= 200


def test_a_dead_letter_has_the_known_fields_of_its_message() -> None:
    service = Service()
    service.deliver_dead({"id": "X1", "type": "order.odd", "data": "<b>"})
    assert service.client.get("/events/dead").get_json() == [
        {
            "id": "X1",
            "type": "order.odd",
            "excerpt": '{"id": "X1", "type": "order.odd", "data": "<b>"}',
            "seenAt": "2026-11-21T09:00:00.001Z",
        }
    ]


def test_a_dead_letter_of_another_content_type_is_kept() -> None:
    service = Service()
    assert service.client.post("/internal/dead-events", data=b"\x00\x01", content_type="image/png").status_code == 200
    assert len(service.client.get("/events/dead").get_json()) == 1


@pytest.mark.parametrize("crash", ["dead-feed/", "dead-letter/"])
def test_a_dead_letter_is_stored_once_after_a_fault_at_any_write(crash: str) -> None:
    service = Service()
    service.documents.fail_writes_of = lambda key: key.startswith(crash)
    assert service.deliver_dead({"id": "X1"}).status_code == 503
    service.documents.fail_writes_of = lambda _key: False
    for body in ({"id": "X1"}, {"id": "X1", "attempt": 2}, {"id": "X2"}, [1], [1], [2]):
        service.deliver_dead(body)
    assert [item.get("id") for item in service.client.get("/events/dead").get_json()] == [
        None,
        None,
        "X2",
        "X1",
    ]


def test_long_messages_are_truncated_to_one_printable_line() -> None:
    service = Service()
    service.deliver(order_event(data={"orderId": "A1", "message": "a\nb\x00" + "é" * 2000}))
    [event] = service.client.get("/events").get_json()
    assert event["message"].startswith("a b é")
    assert len(event["message"]) == MAX_MESSAGE


def test_the_feed_of_an_order_is_bounded() -> None:
    service = Service()
    for number in range(MAX_ORDER_EVENTS):
        service.deliver(order_event(number))
    assert statuses(service.deliver(order_event(MAX_ORDER_EVENTS), order_event(0))) == ["DROP", "SUCCESS"]
    assert len(service.shown("/events?orderId=A1&limit=1000")) == MAX_ORDER_EVENTS


def test_a_bulk_delivery_is_stored_in_few_writes() -> None:
    service = Service()
    service.deliver(*(order_event(number, f"B{order}") for order in range(10) for number in range(1, 9)))
    assert len(service.shown("/events?limit=1000")) == 80
    assert service.documents.writes <= 10 + 2 * SHARDS * 2


def test_an_event_twice_in_a_bulk_delivery_is_stored_once() -> None:
    service = Service()
    assert statuses(service.deliver(order_event(1), order_event(2), order_event(1))) == ["SUCCESS"] * 3
    assert sorted(service.shown()) == sorted(service.shown("/events?orderId=A1")) == ["A1/1", "A1/2"]
