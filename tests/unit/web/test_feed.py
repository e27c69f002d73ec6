"""Following the feed of order events."""

import json
import threading
from typing import Any

import pytest

from services.common.dapr.sidecar import TransientError
from services.web.clients.event_feed import FeedFollower, ServerSentEvent, parsed
from tests.unit.orderprocessing.polling import eventually
from tests.unit.web.fakes import FakeShop


def lines(*events: tuple[str, object]) -> list[str]:
    return [line for number, data in events for line in (f"id: {number}", f"data: {json.dumps(data)}", "")]


class Listener:
    """Follows a feed and remembers what it heard."""

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


def test_a_stream_is_read_event_by_event() -> None:
    text = ["retry: 1000", "id: a", "", "event: x", "id: b", "data: 1", "data:2", "", ": still here", "id: c", "", ""]
    assert list(parsed(text)) == [
        ServerSentEvent("a", ""),
        ServerSentEvent("b", "1\n2"),
        ServerSentEvent("c", ""),
    ]


def test_each_event_is_handed_on_and_a_break_is_gone_on_from() -> None:
    shop = FakeShop()
    shop.streams = [lines(("1", {"n": 1}), ("2", {"n": 2})), lines(("3", {"n": 3}))]
    with Listener(shop) as listener:
        eventually(lambda: len(listener.events) == 3)
        eventually(lambda: not listener.states[-1])
    assert listener.events == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [one.get("Last-Event-ID") for one in shop.followed_with[:3]] == [None, "2", "3"]


@pytest.mark.parametrize("failure", [TransientError("away"), ValueError("broken")], ids=repr)
def test_a_feed_that_is_away_is_told_of_and_asked_again(failure: Exception) -> None:
    shop = FakeShop()
    shop.streams = [failure, lines(("1", {"n": 1}))]
    with Listener(shop) as listener:
        eventually(lambda: listener.events == [{"n": 1}])
    assert listener.states[:2] == [False, True]


def test_what_is_no_json_is_passed_over_with_the_stream_that_held_it() -> None:
    shop = FakeShop()
    shop.streams = [["id: 1", "data: {", ""], lines(("2", {"n": 2}))]
    with Listener(shop) as listener:
        eventually(lambda: listener.events == [{"n": 2}])
