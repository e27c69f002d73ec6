"""Builders for notifications: the service over a fake store, and events to deliver."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from services.notifications.app import NotificationsConfig, create_app
from tests.fakes import FakeClock, FakeDocuments

OCCURRED = "2026-11-21T08:54:14.123Z"


class Service:
    """Notifications as a client sees it; a second one over the same documents is another replica."""

    def __init__(self, documents: FakeDocuments | None = None, **settings: Any) -> None:
        self.documents = documents or FakeDocuments()
        self.clock = FakeClock()
        settings = {"stream_poll": 0.01, "stream_lifetime": 5.0} | settings
        self.app = create_app(NotificationsConfig(app_port=3001, **settings), self.documents, self.clock)
        self.client: FlaskClient = self.app.test_client()

    def deliver(self, *messages: object) -> TestResponse:
        """Deliver messages at once as the sidecar does; bytes go as they are."""
        self.clock.advance(0.001)
        return self.client.post("/internal/events", json=bulk(messages))

    def deliver_dead(self, message: object) -> TestResponse:
        """Deliver a message that could not be processed, as the sidecar does; bytes go as they are."""
        self.clock.advance(0.001)
        return self.client.post(
            "/internal/dead-events", data=_bytes(message), content_type="application/cloudevents+json"
        )

    def shown(self, url: str = "/events") -> list[str]:
        """Return the ids of the listed events."""
        return [item["id"] for item in self.client.get(url).get_json()]

    def stream(self, url: str = "/events/stream", **headers: str) -> TestResponse:
        """Open a stream; the caller closes it."""
        return self.client.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def bulk(messages: Sequence[object]) -> dict[str, Any]:
    """Return what the sidecar sends to deliver the messages at once: each as it is in the broker."""
    entries = [
        {"entryId": f"e{number}", "event": base64.b64encode(_bytes(message)).decode(), "contentType": "any/thing"}
        for number, message in enumerate(messages)
    ]
    return {"id": "", "entries": entries, "topic": "order-events", "pubsubname": "orders", "type": "any"}


def statuses(answer: TestResponse) -> list[str]:
    """Return what a delivery's answer says of each message."""
    assert answer.status_code == 200
    given = answer.get_json()["statuses"]
    assert [one["entryId"] for one in given] == [f"e{number}" for number in range(len(given))]
    return [one["status"] for one in given]


def _bytes(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def order_event(number: int = 1, order: str = "A1", **changes: Any) -> dict[str, Any]:
    """Return the CloudEvent `<order>/<number>`; `changes` replace its fields."""
    return {
        "specversion": "1.0",
        "id": f"{order}/{number}",
        "type": "order.reserved",
        "source": "orderprocessing",
        "subject": order,
        "time": OCCURRED,
        "datacontenttype": "application/json",
        "topic": "order-events",
        "pubsubname": "orders",
        "data": {"orderId": order, "message": "Reserved", "actor": "system", "fulfillmentId": f"{order}:1"},
    } | changes


def messages(answer: Response) -> Iterator[dict[str, str]]:
    """Give a stream's messages as they come, each as its fields."""
    for piece in answer.iter_encoded():
        yield dict(line.split(": ", 1) for line in piece.decode().strip().split("\n") if not line.startswith(":"))


def events(answer: Response, count: int) -> list[dict[str, str]]:
    """Return the next events of a stream, without what only keeps it alive."""
    found: list[dict[str, str]] = []
    incoming = messages(answer)
    while len(found) < count:
        message = next(incoming)
        found += [message] if "event" in message else []
    return found
