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


def test_an_acknowledged_message_is_sent_once(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    dispatcher.send([A, B, A])
    assert engine.received_all(A, B)
    assert (dispatcher.undelivered, dispatcher.unavailable) == (0, False)


def test_messages_are_sent_in_parallel(dispatcher: Dispatcher, engine: FakeEngine) -> None:
    engine.answers.clear()
    with pytest.raises(TransientError, match="A, B, C"):
        dispatcher.send([A, B, C])
    eventually(lambda: len(engine.tried) == 3)


def test_a_message_without_an_answer_is_repeated_until_it_is_acknowledged(
    engine: FakeEngine, dispatcher: Dispatcher
) -> None:
    engine.error = EngineUnavailableError("away")
    with pytest.raises(TransientError, match="A"):
        dispatcher.send([A])
    eventually(lambda: len(engine.tried) > 3)
    engine.error = None
    eventually(lambda: engine.received_all(A))
    eventually(lambda: not dispatcher.unavailable)
    assert dispatcher.undelivered == 0


def test_only_one_sender_waits_for_an_unavailable_engine(engine: FakeEngine, dispatcher: Dispatcher) -> None:
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


def test_a_failing_message_does_not_delay_the_others(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.rejects = {A}
    with pytest.raises(TransientError, match=r"not acknowledged yet: A$"):
        dispatcher.send([A, B])
    dispatcher.send([C])
    assert engine.received_all(B, C)


def test_a_failing_message_is_left_to_the_reconciler_after_the_last_try(
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


def test_all_messages_of_an_outage_are_sent_after_it(engine: FakeEngine, dispatcher: Dispatcher) -> None:
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


def test_posting_does_not_wait(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.answers.clear()
    dispatcher.post([A, B, A])
    assert engine.received == []
    engine.answers.set()
    eventually(lambda: engine.received_all(A, B))


def test_a_posted_message_that_failed_is_repeated_in_the_context_of_its_sender(
    engine: FakeEngine, dispatcher: Dispatcher
) -> None:
    engine.error = EngineUnavailableError("away")
    SENDER.set("somebody")
    dispatcher.post([A])
    eventually(lambda: len(engine.tried) > 1)
    engine.error = None
    eventually(lambda: engine.received == [(A, "somebody")])


def test_while_the_engine_is_unavailable_posted_messages_are_queued_without_a_try(
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


def test_stopping_waits_for_posted_messages(engine: FakeEngine) -> None:
    dispatcher = Dispatcher(engine, timeout=10)
    engine.answers.clear()
    dispatcher.post([A])
    eventually(lambda: engine.tried == [A])
    stopping = threading.Thread(target=dispatcher.stop)
    stopping.start()
    engine.answers.set()
    stopping.join(10)
    assert engine.received_all(A)


def test_no_message_of_many_that_fail_at_once_is_lost(engine: FakeEngine, dispatcher: Dispatcher) -> None:
    engine.error = TransientError("not now")
    messages = [Message(Kind.SIGNAL, f"{number:03}") for number in range(200)]
    dispatcher.post(messages)
    eventually(lambda: len(engine.tried) > 400)
    engine.error = None
    eventually(lambda: engine.received_all(*messages))
