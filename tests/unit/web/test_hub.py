"""The streams of server-sent events that the pages follow."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.web.problems import Problem
from services.web.live import hub as hub_module
from services.web.live.hub import METRICS, ORDER_EVENT, Hub

Received = tuple[str, str, Any]
"""A message as a browser receives it: id, name and data."""


def parse(text: str) -> list[Received]:
    messages = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in fields:
            messages.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return messages


def start(stream: Any) -> tuple[Iterator[str], list[Received]]:
    text = iter(stream)
    return text, parse(next(text))


def event(order_id: str) -> dict[str, str]:
    return {"id": f"{order_id}/1", "type": "order.received", "orderId": order_id}


def test_a_stream_starts_with_the_state_of_the_feed() -> None:
    hub = Hub(limit=2)
    assert [name for _, name, _ in start(hub.open(None, None, False))[1]] == ["feed"]
    hub.set_connected(True)
    assert start(hub.open(None, None, False))[1][0][1:] == ("feed", {"connected": True})


def test_a_stream_receives_messages_published_after_it_was_opened() -> None:
    hub = Hub(limit=1)
    hub.publish(ORDER_EVENT, event("A"))
    text, _ = start(hub.open(None, None, False))
    hub.publish(ORDER_EVENT, event("B"))
    assert [data["orderId"] for _, _, data in parse(next(text))] == ["B"]


def test_a_stream_of_one_order_receives_only_its_events() -> None:
    hub = Hub(limit=1)
    text, _ = start(hub.open(None, "B", False))
    for order_id in "ABA":
        hub.publish(ORDER_EVENT, event(order_id))
    assert [data["orderId"] for _, _, data in parse(next(text))] == ["B"]


def test_only_streams_with_metrics_receive_metrics() -> None:
    hub = Hub(limit=2)
    plain, _ = start(hub.open(None, None, False))
    assert not hub.metrics_wanted
    stream = hub.open(None, None, True)
    asked, _ = start(stream)
    assert hub.metrics_wanted
    hub.publish(METRICS, {"backlog": 1})
    hub.publish(ORDER_EVENT, event("A"))
    assert [name for _, name, _ in parse(next(plain))] == [ORDER_EVENT]
    assert [name for _, name, _ in parse(next(asked))] == [METRICS, ORDER_EVENT]
    stream.close()
    assert not hub.metrics_wanted


def test_a_stream_resumes_after_the_last_message() -> None:
    hub = Hub(limit=2)
    text, _ = start(hub.open(None, None, False))
    hub.publish(ORDER_EVENT, event("A"))
    last_id = parse(next(text))[-1][0]
    hub.publish(ORDER_EVENT, event("B"))
    again, first = start(hub.open(last_id, None, False))
    assert [name for _, name, _ in first] == ["feed"]
    assert [data["orderId"] for _, _, data in parse(next(again))] == ["B"]


@pytest.mark.parametrize("last_id", ["another-3", "x", "", None], ids=str)
def test_an_unknown_position_is_answered_with_a_resync(last_id: str | None) -> None:
    hub = Hub(limit=1)
    text, first = start(hub.open(last_id, None, False))
    if last_id:
        assert parse(next(text))[0][1] == "resync"
    else:
        assert len(first) == 1


def test_a_client_that_is_too_slow_receives_a_resync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_BUFFER_SIZE", 3)
    hub = Hub(limit=1)
    text, _ = start(hub.open(None, None, False))
    for number in range(5):
        hub.publish(ORDER_EVENT, event(str(number)))
    assert [name for _, name, _ in parse(next(text))] == ["resync"]
    hub.publish(ORDER_EVENT, event("new"))
    assert [data["orderId"] for _, _, data in parse(next(text))] == ["new"]


def test_the_number_of_streams_is_limited_and_closing_frees_one_slot_once() -> None:
    hub = Hub(limit=1)
    stream = hub.open(None, None, False)
    with pytest.raises(Problem) as refused:
        hub.open(None, None, False)
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    stream.close()
    stream.close()
    hub.open(None, None, False)
    with pytest.raises(Problem):
        hub.open(None, None, False)


def test_one_user_cannot_take_all_slots() -> None:
    hub = Hub(limit=8)
    first, _ = (hub.open(None, None, False, user="Riley") for _ in range(2))
    with pytest.raises(Problem) as refused:
        hub.open(None, None, False, user="Riley")
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    for _ in range(5):
        hub.open(None, None, False)
    first.close()
    hub.open(None, None, False, user="Riley")
    hub.open(None, None, False, user="Chris")
    with pytest.raises(Problem) as refused:
        hub.open(None, None, False, user="Robin")
    assert refused.value.status == 503


def test_an_idle_stream_sends_keep_alives_and_ends_after_its_lifetime() -> None:
    hub = Hub(limit=1, keep_alive=0.01, lifetime=0.05)
    first, *later = list(hub.open(None, None, False))
    assert later
    assert all(parse(piece)[0][1:] == ("feed", {"connected": False}) for piece in (first, *later))


def test_a_stream_that_breaks_amid_many_messages_goes_on_behind_the_one_that_was_parse() -> None:
    hub = Hub(limit=2)
    text, _ = start(hub.open(None, "B", False))
    for order_id in "ABABB":
        hub.publish(ORDER_EVENT, event(order_id))
    received = parse(next(text))
    assert len({message_id for message_id, _, _ in received}) == 3
    again, _ = start(hub.open(received[1][0], "B", False))
    assert parse(next(again)) == received[2:]


def test_shutting_down_ends_all_streams() -> None:
    hub = Hub(limit=1)
    text, _ = start(hub.open(None, None, False))
    threading.Timer(0.01, hub.shut_down).start()
    assert list(text) == []


def test_a_change_of_the_feed_state_is_published_once() -> None:
    hub = Hub(limit=1)
    text, _ = start(hub.open(None, None, False))
    for connected in (True, True, False, False):
        hub.set_connected(connected)
    assert [data for _, _, data in parse(next(text))] == [{"connected": True}, {"connected": False}]


def test_a_stream_ends_after_its_client_disconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_CHECK_EVERY", 0.01)
    hub, disconnected = Hub(limit=1), threading.Event()
    text, _ = start(hub.open(None, None, False, disconnected.is_set))
    threading.Timer(0.02, disconnected.set).start()
    assert list(text) == []
