"""Following the feed of order events."""

import json
import threading
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.web.clients.event_feed import FeedFollower, ServerSentEvent, parse_events
from tests.unit.orderprocessing.polling import eventually
from tests.unit.web.fakes import FakeShop


def lines(*events: tuple[str, object]) -> list[str]:
    return [line for number, data in events for line in (f"id: {number}", f"data: {json.dumps(data)}", "")]


class Listener:
    """Follows a feed and records what it receives."""

    def __init__(self, shop: FakeShop) -> None:
        self.events: list[Any] = []
        self.states: list[bool] = []
        self.stopping = threading.Event()
        follower = FeedFollower(shop, self.events.append, self.states.append)
        self._thread = threading.Thread(target=follower.run, args=(self.stopping, 0.001))

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


def test_a_stream_is_parsed_into_events() -> None:
    text = ["retry: 1000", "id: a", "", "event: x", "id: b", "data: 1", "data:2", "", ": still here", "id: c", "", ""]
    assert list(parse_events(text)) == [
        ServerSentEvent("a", ""),
        ServerSentEvent("b", "1\n2"),
        ServerSentEvent("c", ""),
    ]


def test_every_event_is_passed_on_and_a_disconnect_resumes() -> None:
    shop = FakeShop()
    shop.streams = [lines(("1", {"n": 1}), ("2", {"n": 2})), lines(("3", {"n": 3}))]
    with Listener(shop) as listener:
        eventually(lambda: len(listener.events) == 3)
        eventually(lambda: not listener.states[-1])
    assert listener.events == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [headers.get("Last-Event-ID") for headers in shop.followed_with[:3]] == [None, "2", "3"]


@pytest.mark.parametrize("failure", [TransientError("away"), ValueError("broken")], ids=repr)
def test_an_unavailable_feed_is_reported_and_retried(failure: Exception) -> None:
    shop = FakeShop()
    shop.streams = [failure, lines(("1", {"n": 1}))]
    with Listener(shop) as listener:
        eventually(lambda: listener.events == [{"n": 1}])
    assert listener.states[:2] == [False, True]


def test_after_invalid_json_the_stream_is_opened_again() -> None:
    shop = FakeShop()
    shop.streams = [["id: 1", "data: {", ""], lines(("2", {"n": 2}))]
    with Listener(shop) as listener:
        eventually(lambda: listener.events == [{"n": 2}])
