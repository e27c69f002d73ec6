"""Messages to the engine: nobody waits long for it, and what it did not hear is repeated."""

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from services.common.dapr.sidecar import TransientError
from services.orderprocessing.engine import dispatcher as module
from services.orderprocessing.engine.dispatcher import Dispatcher, EngineUnavailableError, Kind, Message
from tests.unit.orderprocessing.polling import eventually, throughout

A, B, C = (Message(Kind.SIGNAL, name) for name in "ABC")
SENDER: ContextVar[str] = ContextVar("sender", default="nobody")


class FakeEngine:
    """Hears messages, or fails as it is told: for all, for some, or by keeping its callers waiting."""

    def __init__(self) -> None:
        self.heard: list[tuple[Message, str]] = []
        self.tried: list[Message] = []
        self.error: Exception | None = None
        self.deaf_to: set[Message] = set()
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, message: Message) -> None:
        self.tried.append(message)
        assert self.answers.wait(10)
        if self.error is not None:
            raise self.error
        if message in self.deaf_to:
            raise TransientError("not this one")
        self.heard.append((message, SENDER.get()))

    def has_heard(self, *messages: Message) -> bool:
        return sorted(one.target for one, _ in self.heard) == [one.target for one in messages]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def messenger(engine: FakeEngine) -> Iterator[Dispatcher]:
    messenger = Dispatcher(engine, patience=0.05, pause=0.005)
    yield messenger
    messenger.stop()
    engine.answers.set()


def test_what_is_heard_is_told_once(engine: FakeEngine, messenger: Dispatcher) -> None:
    messenger.send([A, B, A])
    assert engine.has_heard(A, B)
    assert (messenger.undelivered, messenger.silent) == (0, False)


def test_messages_go_side_by_side(messenger: Dispatcher, engine: FakeEngine) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError, match="A, B, C"):
        messenger.send([A, B, C])
    eventually(lambda: len(engine.tried) == 3)


def test_what_no_answer_came_for_is_repeated_until_it_is_heard(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    with pytest.raises(TransientError, match="A"):
        messenger.send([A])
    eventually(lambda: len(engine.tried) > 3)
    engine.error = None
    eventually(lambda: engine.has_heard(A))
    eventually(lambda: not messenger.silent)
    assert messenger.undelivered == 0


def test_an_engine_that_keeps_callers_waiting_is_waited_for_once(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError):
        messenger.send([A])
    with pytest.raises(EngineUnavailableError):
        messenger.send([B])
    assert B not in engine.tried[:1]
    engine.answers.set()
    eventually(lambda: engine.has_heard(A, B))
    messenger.send([C])
    assert engine.has_heard(A, B, C)


def test_a_message_that_never_works_is_not_in_the_way_of_the_others(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.deaf_to = {A}
    with pytest.raises(TransientError, match=r"not heard yet: A$"):
        messenger.send([A, B])
    messenger.send([C])
    assert engine.has_heard(B, C)


def test_a_message_that_never_works_is_left_to_the_reconciler_in_the_end(
    engine: FakeEngine, messenger: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_TRIES", 4)
    engine.deaf_to = {A}
    with pytest.raises(TransientError):
        messenger.send([A])
    eventually(lambda: len(engine.tried) == 4)
    throughout(0.05, lambda: len(engine.tried) == 4)
    assert messenger.undelivered == 0


def test_a_fault_is_not_repeated(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.error = ValueError("a fault of its own")
    with pytest.raises(TransientError):
        messenger.send([A])
    throughout(0.05, lambda: len(engine.tried) == 1)


def test_a_message_keeps_the_context_of_its_sender(engine: FakeEngine, messenger: Dispatcher) -> None:
    token = SENDER.set("first")
    messenger.send([A])
    SENDER.reset(token)
    engine.error = EngineUnavailableError("away")
    token = SENDER.set("second")
    with pytest.raises(TransientError):
        messenger.send([B])
    SENDER.reset(token)
    engine.error = None
    eventually(lambda: engine.has_heard(A, B))
    assert dict(engine.heard) == {A: "first", B: "second"}


def test_many_messages_of_an_outage_are_all_told_after_it(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    messages = [Message(Kind.START, f"{number:03}") for number in range(300)]
    for message in messages:
        with pytest.raises(TransientError):
            messenger.send([message])
    engine.error = None
    eventually(lambda: engine.has_heard(*messages))


def test_once_stopped_nothing_is_repeated(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    with pytest.raises(TransientError):
        messenger.send([A])
    messenger.stop()
    tried = len(engine.tried)
    throughout(0.05, lambda: len(engine.tried) <= tried + 1)


def test_nobody_waits_for_what_is_posted(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.answers.clear()
    messenger.post([A, B, A])
    assert engine.heard == []
    engine.answers.set()
    eventually(lambda: engine.has_heard(A, B))


def test_what_was_posted_and_not_heard_is_repeated_in_the_name_of_its_sender(
    engine: FakeEngine, messenger: Dispatcher
) -> None:
    engine.error = EngineUnavailableError("away")
    SENDER.set("somebody")
    messenger.post([A])
    eventually(lambda: len(engine.tried) > 1)
    engine.error = None
    eventually(lambda: engine.heard == [(A, "somebody")])


def test_while_the_engine_is_silent_what_is_posted_waits_without_a_try_each(
    engine: FakeEngine, messenger: Dispatcher
) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError):
        messenger.send([A])
    messenger.post([B, C])
    # One of them is tried again on behalf of all, and waits as A does; the other is kept.
    eventually(lambda: len(engine.tried) == 2 and messenger.undelivered == 1)
    throughout(0.05, lambda: len(engine.tried) == 2)
    engine.answers.set()
    eventually(lambda: {one.target for one, _ in engine.heard} == {"A", "B", "C"})


def test_who_stops_lets_what_is_on_its_way_arrive(engine: FakeEngine) -> None:
    messenger = Dispatcher(engine, patience=10)
    engine.answers.clear()
    messenger.post([A])
    eventually(lambda: engine.tried == [A])
    stopping = threading.Thread(target=messenger.stop)
    stopping.start()
    engine.answers.set()
    stopping.join(10)
    assert engine.has_heard(A)


def test_none_of_many_that_fail_at_once_is_forgotten(engine: FakeEngine, messenger: Dispatcher) -> None:
    engine.error = TransientError("not now")
    messages = [Message(Kind.SIGNAL, f"{number:03}") for number in range(200)]
    messenger.post(messages)
    eventually(lambda: len(engine.tried) > 400)
    engine.error = None
    eventually(lambda: engine.has_heard(*messages))
