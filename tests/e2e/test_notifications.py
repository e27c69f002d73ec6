"""The live stream and dead letters."""

import json
import uuid
from collections.abc import Iterator

import requests

from tests.e2e.client import Json, Shop
from tests.e2e.groups import System
from tests.e2e.polling import eventually
from tests.e2e.scenarios.maintenance import billing_stopped
from tests.e2e.shopper import Shopper


class Listener:
    """Reads the live stream over any number of connections, and resumes after the last event."""

    def __init__(self, shop: Shop) -> None:
        self._url = f"{shop.address_of('notifications')}/events/stream"
        self.last_event_id = ""
        self.received: list[Json] = []

    def connect(self) -> Iterator[None]:
        """Open the stream after the last received event. Each step receives one message."""
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        with requests.Session() as session:
            session.trust_env = False
            with session.get(self._url, headers=headers, stream=True, timeout=(3, 20)) as stream:
                assert stream.status_code == 200
                assert stream.headers["Content-Type"].startswith("text/event-stream")
                for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
                    if line.startswith("id:"):
                        self.last_event_id = line[3:].strip()
                    if line.startswith("data:"):
                        self.received.append(json.loads(line[5:]))
                    if not line:
                        yield

    def events_of(self, *order_ids: str) -> list[str]:
        """Return the ids of the received events of these orders."""
        return [event["id"] for event in self.received if event["orderId"] in order_ids]


def test_resumed_stream_loses_and_duplicates_no_event(shop: Shop, shopper: Shopper) -> None:
    sku, listener = shopper.goods(a=3), Listener(shop)
    connection = listener.connect()
    next(connection)  # connected: no later event may be missed
    first = shopper.orders({sku: 1})
    while len(listener.events_of(first)) < 2:
        next(connection)
    connection.close()
    undelivered = shopper.orders({sku: 1})
    shopper.delivers(first)
    shopper.delivers(undelivered)
    connection = listener.connect()
    third = shopper.orders({sku: 1})
    shopper.delivers(third)
    orders = (first, undelivered, third)
    expected = {f"{one}/{step['seq']}" for one in orders for step in shop.timeline(one)}
    while not expected <= set(listener.events_of(*orders)):
        next(connection)
    connection.close()
    assert sorted(listener.events_of(*orders)) == sorted(expected)


def test_invalid_message_becomes_a_dead_letter_and_blocks_no_other(shop: Shop, shopper: Shopper) -> None:
    event_id = f"bad-{uuid.uuid4().hex}"
    bad = {
        "specversion": "1.0",
        "id": event_id,
        "type": "order.received",
        "source": "somebody",
        "datacontenttype": "application/json",
        "data": {"orderId": "no such id!", "message": "<script>alert(1)</script>"},
    }
    for _ in range(2):
        assert shop.publish(bad).status_code == 204
    [letter] = eventually(lambda: [one for one in shop.get("notifications", "/events/dead") if one["id"] == event_id])
    assert letter["type"] == "order.received"
    assert "no such id!" in letter["excerpt"]
    assert event_id not in {event["id"] for event in shop.get("notifications", "/events", limit=1000)}
    shopper.delivers(shopper.orders({shopper.goods(a=1): 1}))


def test_duplicate_event_is_listed_once(shop: Shop) -> None:
    order_id = f"x-{uuid.uuid4().hex[:10]}"
    event = {
        "specversion": "1.0",
        "type": "order.received",
        "source": "somebody",
        "time": "2026-11-21T09:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {"orderId": order_id, "message": "hello"},
    }
    for number in (1, 1, 1, 2):
        assert shop.publish(event | {"id": f"{order_id}/{number}"}).status_code == 204

    def both() -> list[str]:
        ids = sorted(one["id"] for one in shop.feed(order_id))
        return ids if f"{order_id}/2" in ids else []

    assert eventually(both) == [f"{order_id}/1", f"{order_id}/2"]


def test_cancellation_is_published_at_once_while_billing_is_down(system: System, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.sees_shipments(order_id, "booked")
    with billing_stopped(system):
        shopper.shop.act(order_id, "cancel")
        eventually(lambda: "order.cancelRequested" in {event["type"] for event in shopper.shop.feed(order_id)})
        assert shopper.shop.order(order_id)["status"] == "processing"
    shopper.sees(order_id, "cancelled")
