"""The signal dispatcher: sends starts and signals to the workflow engine, and repeats those that fail.

The queue lives in memory. What is lost with the process is still a pending signal in the order's record, where the
reconciler finds it.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import Context, copy_context
from dataclasses import dataclass
from enum import Enum

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger

log = get_logger(__name__)

_SENDERS = 32
_BACKGROUND_WORKERS = 4
"""Few, so that a burst of new orders is accepted before their workflows take up the processor."""
_MAX_QUEUED = 20_000
"""More than an outage of minutes produces; the reconciler sends the rest."""
_BATCH = 8
_MAX_TRIES = 60


class EngineUnavailableError(TransientError):
    """The engine did not answer at all, so the next call would fail too."""


class Kind(Enum):
    """What a message asks the engine to do with its target."""

    START = "start"
    SIGNAL = "signal"


@dataclass(frozen=True)
class Message:
    """The start of an order's workflow, with the order as target, or a signal to a workflow instance."""

    kind: Kind
    target: str


@dataclass
class _Delivery:
    """The sender's context (trace, log fields) and the number of failed tries of a message."""

    context: Context
    tries: int = 0


class Dispatcher:
    """Delivers messages in parallel and repeats failed ones every `pause` seconds. Threads may share it.

    A sender waits at most `timeout` seconds for the acknowledgement. `deliver` raises EngineUnavailableError when the
    engine does not answer, and TransientError when this message failed.
    """

    def __init__(self, deliver: Callable[[Message], None], timeout: float = 1.0, pause: float = 0.5) -> None:
        self._deliver, self._timeout, self._pause = deliver, timeout, pause
        self._senders = ThreadPoolExecutor(max_workers=_SENDERS, thread_name_prefix="dispatcher-send")
        self._workers = ThreadPoolExecutor(max_workers=_BACKGROUND_WORKERS, thread_name_prefix="dispatcher-worker")
        self._guard = threading.Lock()
        self._queue: dict[Message, _Delivery] = {}
        self._repeating = False
        self._stopping = threading.Event()
        self._unavailable = False
        self._posted: set[Future[bool]] = set()

    def post(self, messages: Sequence[Message]) -> None:
        """Deliver the messages in the background, and repeat those that fail."""
        for message in dict.fromkeys(messages):
            call = self._workers.submit(self._try_if_available, message, _Delivery(copy_context()))
            self._posted.add(call)
            call.add_done_callback(self._posted.discard)

    def send(self, messages: Sequence[Message]) -> None:
        """Deliver the messages; raise TransientError for those that are not acknowledged yet and will be repeated.

        Takes `timeout` seconds at most, and no time while the engine is known to be unavailable.
        """
        if self._unavailable:
            for message in messages:
                self._enqueue(message, _Delivery(copy_context()))
            raise EngineUnavailableError("the engine is unavailable")
        calls: dict[Message, Future[bool]] = {
            message: self._senders.submit(self._try, message, _Delivery(copy_context()))
            for message in dict.fromkeys(messages)
        }
        late = wait(calls.values(), timeout=self._timeout).not_done
        if late:
            # Each call goes on until its own deadline, and its outcome shows whether the engine is available.
            self._unavailable = True
        undelivered = [message.target for message, call in calls.items() if call in late or not call.result()]
        if undelivered:
            raise TransientError(f"not acknowledged yet: {', '.join(undelivered)}")

    @property
    def unavailable(self) -> bool:
        """Whether the engine did not answer the last call."""
        return self._unavailable

    @property
    def undelivered(self) -> int:
        """The number of messages in the queue."""
        return len(self._queue)

    def stop(self) -> None:
        """Stop repeating. Posted messages have as long as a sender would wait."""
        self._stopping.set()
        wait(list(self._posted), timeout=self._timeout)

    def _try_if_available(self, message: Message, delivery: _Delivery) -> bool:
        """Deliver a message, or put it into the queue at once where a try would only block a thread."""
        if self._unavailable:
            self._enqueue(message, delivery)
            return False
        return self._try(message, delivery)

    def _try(self, message: Message, delivery: _Delivery) -> bool:
        """Deliver a message, or put it into the queue; return whether the engine acknowledged it."""
        try:
            delivery.context.run(self._deliver, message)
        except EngineUnavailableError:
            self._unavailable = True
            self._enqueue(message, delivery)
            return False
        except TransientError as error:
            delivery.tries += 1
            if delivery.tries < _MAX_TRIES:
                self._enqueue(message, delivery)
            else:
                delivery.context.run(
                    log.warning,
                    "could not signal the workflow; the reconciler will try again",
                    extra={"cause": str(error)},
                )
            return False
        except Exception:
            log.exception("could not send a message to the engine", extra={"target": message.target})
            return False
        self._unavailable = False
        return True

    def _enqueue(self, message: Message, delivery: _Delivery) -> None:
        with self._guard:
            if len(self._queue) < _MAX_QUEUED:
                self._queue.setdefault(message, delivery)
            if self._repeating or self._stopping.is_set():
                return
            self._repeating = True
        threading.Thread(target=self._repeat, name="dispatcher", daemon=True).start()

    def _repeat(self) -> None:
        """Deliver until the queue is empty: one message at a time while the engine is unavailable, then batches."""
        delivered = False
        while not (self._stopping.is_set() if delivered else self._stopping.wait(self._pause)):
            with self._guard:
                batch = dict(list(self._queue.items())[: 1 if self._unavailable else _BATCH])
                self._repeating = bool(batch)
                if not batch:
                    return
                for message in batch:
                    del self._queue[message]
            # A message that fails again goes to the end of the queue, so it does not delay the others.
            # The list waits for the whole batch: all() alone would cancel the calls behind the first that failed.
            delivered = all(list(self._senders.map(self._try, batch.keys(), batch.values())))
