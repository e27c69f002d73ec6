"""The live stream: new events are sent, and a resumed stream neither repeats nor omits an event."""

import json
import threading
from collections.abc import Mapping, Sequence

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.storage.documents import Stored
from services.notifications.app import NotificationsConfig
from tests.fakes import FakeDocuments
from tests.unit.notifications.builders import Service, events, messages, order_event


def ids(found: list[dict[str, str]]) -> list[str]:
    return [json.loads(event["data"])["id"] for event in found]


def test_a_stream_starts_at_the_end_and_sends_new_events() -> None:
    service = Service()
    service.deliver(order_event(1))
    with service.stream() as stream:
        service.deliver(order_event(2))
        [event] = events(stream, 1)
    assert stream.mimetype == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-store"
    assert event["event"] == "order-event"
    assert json.loads(event["data"]) == service.client.get("/events?limit=1").get_json()[0]


def test_a_stream_begins_with_the_retry_time_and_an_id() -> None:
    service = Service()
    with service.stream() as broken:
        first = next(messages(broken))
    service.deliver(order_event(1))
    assert first["retry"] == "1000"
    with service.stream(Last_Event_ID=first["id"]) as resumed:
        assert ids(events(resumed, 1)) == ["A1/1"]


def test_a_stream_resumed_after_any_event_sends_exactly_the_rest() -> None:
    service = Service()
    with service.stream() as stream:
        start = next(messages(stream))["id"]
    for number in range(30):
        service.deliver(order_event(number))
    with service.stream(Last_Event_ID=start) as whole:
        sent = events(whole, 30)
    # What came after the break lies between the rest of what came before, in the shards of the feed.
    for number in range(30, 35):
        service.deliver(order_event(number))
    wanted = sorted(f"A1/{number}" for number in range(35))
    for count in range(30):
        with service.stream(Last_Event_ID=sent[count]["id"]) as resumed:
            rest = events(resumed, 34 - count)
        assert sorted(ids(sent[: count + 1]) + ids(rest)) == wanted


def test_a_stream_resumes_over_more_events_than_one_reading_holds() -> None:
    service = Service()
    with service.stream() as stream:
        start = next(messages(stream))["id"]
    for number in range(1200):
        service.deliver(order_event(1, f"A{number}"))
    with service.stream(f"/events/stream?lastEventId={start}") as resumed:
        assert sorted(ids(events(resumed, 1200))) == sorted(f"A{number}/1" for number in range(1200))


def test_the_header_takes_precedence_over_the_query() -> None:
    service = Service()
    with service.stream() as stream:
        old = next(messages(stream))["id"]
        service.deliver(order_event(1))
        [event] = events(stream, 1)
    service.deliver(order_event(2))
    with service.stream(f"/events/stream?lastEventId={old}", Last_Event_ID=event["id"]) as resumed:
        assert ids(events(resumed, 1)) == ["A1/2"]


@pytest.mark.parametrize("last", ["x", "W10", "\xff", "9" * 5000, "[" * 5000, "W1s5LDBdLFswLDBdLFswLDBdLFswLDBdXQ"])
def test_an_unknown_position_starts_at_the_end(last: str) -> None:
    service = Service()
    service.deliver(order_event(1))
    with service.stream(Last_Event_ID=last) as stream:
        service.deliver(order_event(2))
        assert ids(events(stream, 1)) == ["A1/2"]


def test_a_stream_of_an_order_has_its_events_only() -> None:
    service = Service()
    with service.stream("/events/stream?orderId=A2") as stream:
        service.deliver(order_event(1, "A1"))
        service.deliver(order_event(1, "A2"))
        assert ids(events(stream, 1)) == ["A2/1"]


def test_a_stream_sends_events_that_another_replica_stored() -> None:
    service = Service()
    replica = Service(service.documents)
    with service.stream() as stream:
        replica.deliver(order_event(1))
        assert ids(events(stream, 1)) == ["A1/1"]


def test_an_event_wakes_the_stream_before_the_next_poll() -> None:
    service = Service(stream_poll=3600.0, stream_lifetime=3600.0)
    with service.stream() as stream:
        threading.Timer(0.01, service.deliver, [order_event(1)]).start()
        assert ids(events(stream, 1)) == ["A1/1"]


def test_an_idle_stream_is_kept_alive_and_ends_after_its_lifetime() -> None:
    with Service(stream_keep_alive=0.02, stream_lifetime=0.2).stream() as stream:
        text = stream.get_data(as_text=True)
    assert text.startswith("retry: 1000\n")
    assert ": still here\nid: " in text


class _Unreadable(FakeDocuments):
    """A store whose next reads can be made to fail."""

    failures = 0

    def load_many(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        if self.failures:
            self.failures -= 1
            raise TransientError("injected failure")
        return super().load_many(keys)


def test_a_stream_outlives_a_store_that_fails() -> None:
    documents = _Unreadable()
    service = Service(documents)
    with service.stream() as stream:
        incoming = messages(stream)
        next(incoming)
        service.deliver(order_event(1))
        documents.failures = 3
        assert ids([next(message for message in incoming if "event" in message)]) == ["A1/1"]
    assert documents.failures == 0


def test_a_stream_that_cannot_start_releases_its_slot() -> None:
    documents = _Unreadable()
    service = Service(documents, stream_limit=1)
    documents.failures = 1
    assert service.stream().status_code == 503
    with service.stream() as stream:
        assert stream.status_code == 200


def test_a_stream_goes_on_from_the_end_when_the_store_was_emptied() -> None:
    service = Service()
    for number in range(300):
        service.deliver(order_event(1, f"A{number}"))
    with service.stream() as stream:
        incoming = messages(stream)
        next(incoming)
        service.documents.kept.clear()
        emptied = Service(service.documents)
        emptied.deliver(order_event(1, "B1"))
        threading.Timer(0.1, emptied.deliver, [order_event(2, "B1")]).start()
        assert ids([next(message for message in incoming if "event" in message)])[0] in ("B1/1", "B1/2")


def test_a_stream_above_the_limit_gets_a_503_with_retry_after() -> None:
    service = Service(stream_limit=2)
    with service.stream() as first, service.stream():
        next(messages(first))
        refused = service.stream()
        assert (refused.status_code, refused.get_json()["code"]) == (503, "tooManyStreams")
        assert int(refused.headers["Retry-After"]) > 0
    with service.stream() as again:
        assert again.status_code == 200


def test_streams_leave_threads_for_everything_else() -> None:
    assert NotificationsConfig(app_port=3001).stream_settings().limit == 40
    assert NotificationsConfig(app_port=3001, server_threads=16).stream_settings().limit == 10


def test_streams_end_on_shutdown_and_resume_without_a_gap() -> None:
    service = Service(stream_poll=60.0, stream_lifetime=60.0)
    with service.stream() as stream:
        waiting = messages(stream)
        last = next(waiting)["id"]
        rest: list[dict[str, str]] = []
        reader = threading.Thread(target=lambda: rest.extend(waiting), daemon=True)
        reader.start()
        for action in service.app.extensions["oms.on_shutdown"]:
            action()
        reader.join(30)
    assert not reader.is_alive()
    assert rest == []
    again = Service(service.documents)
    again.deliver(order_event(1))
    with again.stream(Last_Event_ID=last) as resumed:
        assert ids(events(resumed, 1)) == ["A1/1"]
