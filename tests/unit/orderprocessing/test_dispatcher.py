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
        self.received: list[tuple[Message, str]] = []
        self.tried: list[Message] = []
        self.error: Exception | None = None
        self.rejects: set[Message] = set()
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, message: Message) -> None:
        self.tried.append(message)
        assert self.answers.wait(10)
        if self.error is not None:
            raise self.error
        if message in self.rejects:
            raise TransientError("not this one")
        self.received.append((message, SENDER.get()))

    def received_all(self, *messages: Message) -> bool:
        return sorted(one.target for one, _ in self.received) == [one.target for one in messages]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def dispatcher(engine: FakeEngine) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(engine, timeout=0.05, pause=0.005)
    yield dispatcher
    dispatcher.stop()
    engine.answers.set()


def test_what_is_heard_is_told_once(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    dispatcher.send([A, B, A])
    assert engine.received_all(A, B)
    assert (dispatcher.undelivered, dispatcher.unavailable) == (0, False)


def test_messages_go_side_by_side(dispatcher: Dispatcher, engine: FakeEngine) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError, match="A, B, C"):
        dispatcher.send([A, B, C])
    eventually(lambda: len(engine.tried) == 3)


def test_what_no_answer_came_for_is_repeated_until_it_is_heard(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    with pytest.raises(TransientError, match="A"):
        dispatcher.send([A])
    eventually(lambda: len(engine.tried) > 3)
    engine.error = None
    eventually(lambda: engine.received_all(A))
    eventually(lambda: not dispatcher.unavailable)
    assert dispatcher.undelivered == 0


def test_an_engine_that_keeps_callers_waiting_is_waited_for_once(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError):
        dispatcher.send([A])
    with pytest.raises(EngineUnavailableError):
        dispatcher.send([B])
    assert B not in engine.tried[:1]
    engine.answers.set()
    eventually(lambda: engine.received_all(A, B))
    dispatcher.send([C])
    assert engine.received_all(A, B, C)


def test_a_message_that_never_works_is_not_in_the_way_of_the_others(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.rejects = {A}
    with pytest.raises(TransientError, match=r"not acknowledged yet: A$"):
        dispatcher.send([A, B])
    dispatcher.send([C])
    assert engine.received_all(B, C)


def test_a_message_that_never_works_is_left_to_the_reconciler_in_the_end(
    engine: FakeEngine, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_TRIES", 4)
    engine.rejects = {A}
    with pytest.raises(TransientError):
        dispatcher.send([A])
    eventually(lambda: len(engine.tried) == 4)
    throughout(0.05, lambda: len(engine.tried) == 4)
    assert dispatcher.undelivered == 0


def test_a_fault_is_not_repeated(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = ValueError("a fault of its own")
    with pytest.raises(TransientError):
        dispatcher.send([A])
    throughout(0.05, lambda: len(engine.tried) == 1)


def test_a_message_keeps_the_context_of_its_sender(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    token = SENDER.set("first")
    dispatcher.send([A])
    SENDER.reset(token)
    engine.error = EngineUnavailableError("away")
    token = SENDER.set("second")
    with pytest.raises(TransientError):
        dispatcher.send([B])
    SENDER.reset(token)
    engine.error = None
    eventually(lambda: engine.received_all(A, B))
    assert dict(engine.received) == {A: "first", B: "second"}


def test_many_messages_of_an_outage_are_all_told_after_it(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    messages = [Message(Kind.START, f"{number:03}") for number in range(300)]
    for message in messages:
        with pytest.raises(TransientError):
            dispatcher.send([message])
    engine.error = None
    eventually(lambda: engine.received_all(*messages))


def test_once_stopped_nothing_is_repeated(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = EngineUnavailableError("away")
    with pytest.raises(TransientError):
        dispatcher.send([A])
    dispatcher.stop()
    tried = len(engine.tried)
    throughout(0.05, lambda: len(engine.tried) <= tried + 1)


def test_nobody_waits_for_what_is_posted(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.answers.clear()
    dispatcher.post([A, B, A])
    assert engine.received == []
    engine.answers.set()
    eventually(lambda: engine.received_all(A, B))


def test_what_was_posted_and_not_heard_is_repeated_in_the_name_of_its_sender(
    engine: FakeEngine, dispatcher: Dispatcher
) -> None:
    engine.error = EngineUnavailableError("away")
    SENDER.set("somebody")
    dispatcher.post([A])
    eventually(lambda: len(engine.tried) > 1)
    engine.error = None
    eventually(lambda: engine.received == [(A, "somebody")])


def test_while_the_engine_is_silent_what_is_posted_waits_without_a_try_each(
    engine: FakeEngine, dispatcher: Dispatcher
) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError):
        dispatcher.send([A])
    dispatcher.post([B, C])
    # One of them is tried again on behalf of all, and waits as A does; the other is kept.
    eventually(lambda: len(engine.tried) == 2 and dispatcher.undelivered == 1)
    throughout(0.05, lambda: len(engine.tried) == 2)
    engine.answers.set()
    eventually(lambda: {one.target for one, _ in engine.received} == {"A", "B", "C"})


def test_who_stops_lets_what_is_on_its_way_arrive(engine: FakeEngine) -> None:
    dispatcher = Dispatcher(engine, timeout=10)
    engine.answers.clear()
    dispatcher.post([A])
    eventually(lambda: engine.tried == [A])
    stopping = threading.Thread(target=dispatcher.stop)
    stopping.start()
    engine.answers.set()
    stopping.join(10)
    assert engine.received_all(A)


def test_none_of_many_that_fail_at_once_is_forgotten(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = TransientError("not now")
    messages = [Message(Kind.SIGNAL, f"{number:03}") for number in range(200)]
    dispatcher.post(messages)
    eventually(lambda: len(engine.tried) > 400)
    engine.error = None
    eventually(lambda: engine.received_all(*messages))
