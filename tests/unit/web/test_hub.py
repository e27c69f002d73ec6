"""The streams of server-sent events that the pages follow."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.web.problems import Problem
from services.web.live import hub as hub_module
from services.web.live.hub import FIGURES, ORDER_EVENT, Hub

Heard = tuple[str, str, Any]
"""A message as a browser takes it: its id, its name, its data."""


def heard(text: str) -> list[Heard]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def words(stream: Any) -> tuple[Iterator[str], list[Heard]]:
    text = iter(stream)
    return text, heard(next(text))


def event(order_id: str) -> dict[str, str]:
    return {"id": f"{order_id}/1", "type": "order.received", "orderId": order_id}


def test_a_stream_begins_with_whether_the_console_hears_of_what_happens() -> None:
    hub = Hub(limit=2)
    assert [name for _, name, _ in words(hub.open(None, None, False))[1]] == ["feed"]
    hub.connected(True)
    assert words(hub.open(None, None, False))[1][0][1:] == ("feed", {"connected": True})


def test_a_stream_hears_what_comes_after_it_was_opened() -> None:
    hub = Hub(limit=1)
    hub.tell(ORDER_EVENT, event("A"))
    text, _ = words(hub.open(None, None, False))
    hub.tell(ORDER_EVENT, event("B"))
    assert [data["orderId"] for _, _, data in heard(next(text))] == ["B"]


def test_a_stream_of_one_order_hears_of_that_order_only() -> None:
    hub = Hub(limit=1)
    text, _ = words(hub.open(None, "B", False))
    for order_id in "ABA":
        hub.tell(ORDER_EVENT, event(order_id))
    assert [data["orderId"] for _, _, data in heard(next(text))] == ["B"]


def test_figures_come_only_to_who_asks_for_them() -> None:
    hub = Hub(limit=2)
    plain, _ = words(hub.open(None, None, False))
    assert not hub.watched
    stream = hub.open(None, None, True)
    asked, _ = words(stream)
    assert hub.watched
    hub.tell(FIGURES, {"backlog": 1})
    hub.tell(ORDER_EVENT, event("A"))
    assert [name for _, name, _ in heard(next(plain))] == [ORDER_EVENT]
    assert [name for _, name, _ in heard(next(asked))] == [FIGURES, ORDER_EVENT]
    stream.close()
    assert not hub.watched


def test_a_stream_that_broke_goes_on_behind_the_last_message() -> None:
    hub = Hub(limit=2)
    text, _ = words(hub.open(None, None, False))
    hub.tell(ORDER_EVENT, event("A"))
    last_id = heard(next(text))[-1][0]
    hub.tell(ORDER_EVENT, event("B"))
    again, first = words(hub.open(last_id, None, False))
    assert [name for _, name, _ in first] == ["feed"]
    assert [data["orderId"] for _, _, data in heard(next(again))] == ["B"]


@pytest.mark.parametrize("last_id", ["another-3", "x", "", None], ids=str)
def test_what_cannot_be_gone_on_with_is_to_be_looked_at_anew(last_id: str | None) -> None:
    hub = Hub(limit=1)
    text, first = words(hub.open(last_id, None, False))
    if last_id:
        assert heard(next(text))[0][1] == "resync"
    else:
        assert len(first) == 1


def test_who_is_too_slow_is_told_to_look_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_RING", 3)
    hub = Hub(limit=1)
    text, _ = words(hub.open(None, None, False))
    for number in range(5):
        hub.tell(ORDER_EVENT, event(str(number)))
    assert [name for _, name, _ in heard(next(text))] == ["resync"]
    hub.tell(ORDER_EVENT, event("new"))
    assert [data["orderId"] for _, _, data in heard(next(text))] == ["new"]


def test_only_so_many_streams_are_open_and_a_closed_one_makes_room_once() -> None:
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


def test_one_person_may_not_take_the_places_of_all_others() -> None:
    hub = Hub(limit=8)
    first, _ = (hub.open(None, None, False, who="Riley") for _ in range(2))
    with pytest.raises(Problem) as refused:
        hub.open(None, None, False, who="Riley")
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    for _ in range(5):
        hub.open(None, None, False)
    first.close()
    hub.open(None, None, False, who="Riley")
    hub.open(None, None, False, who="Chris")
    with pytest.raises(Problem) as refused:
        hub.open(None, None, False, who="Robin")
    assert refused.value.status == 503


def test_a_quiet_stream_says_that_it_lives_and_ends_after_its_time() -> None:
    hub = Hub(limit=1, keep_alive=0.01, lifetime=0.05)
    first, *later = list(hub.open(None, None, False))
    assert later
    assert all(heard(piece)[0][1:] == ("feed", {"connected": False}) for piece in (first, *later))


def test_a_stream_that_breaks_amid_many_messages_goes_on_behind_the_one_that_was_heard() -> None:
    hub = Hub(limit=2)
    text, _ = words(hub.open(None, "B", False))
    for order_id in "ABABB":
        hub.tell(ORDER_EVENT, event(order_id))
    told = heard(next(text))
    assert len({message_id for message_id, _, _ in told}) == 3
    again, _ = words(hub.open(told[1][0], "B", False))
    assert heard(next(again)) == told[2:]


def test_all_streams_end_with_the_hub() -> None:
    hub = Hub(limit=1)
    text, _ = words(hub.open(None, None, False))
    threading.Timer(0.01, hub.end).start()
    assert list(text) == []


def test_a_change_of_the_feed_is_told_once() -> None:
    hub = Hub(limit=1)
    text, _ = words(hub.open(None, None, False))
    for connected in (True, True, False, False):
        hub.connected(connected)
    assert [data for _, _, data in heard(next(text))] == [{"connected": True}, {"connected": False}]


def test_a_stream_that_nobody_listens_to_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LOOK_EVERY", 0.01)
    hub, hung_up = Hub(limit=1), threading.Event()
    text, _ = words(hub.open(None, None, False, hung_up.is_set))
    threading.Timer(0.02, hung_up.set).start()
    assert list(text) == []
