"""Brings messages to the workflow engine: what it does not hear at once is repeated until it does.

Nothing depends on this memory: what is lost with the process is still a signal in an order's record, and the reconciler
finds it there.
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

_THREADS = 32
_WORKERS = 4
"""So few bring what nobody waits for, that a burst of new orders is taken in before their workflows take the time."""
_MOST_KEPT = 20_000
"""More than an outage of minutes leaves; beyond that the reconciler has the rest."""
_AT_ONCE = 8
_MOST_TRIES = 60


class EngineUnavailableError(TransientError):
    """The engine did not answer at all, so it would not answer the next call either."""


class Kind(Enum):
    """What the engine is to do with what a message names."""

    START = "start"
    SIGNAL = "signal"


@dataclass(frozen=True)
class Message:
    """The start of an order's workflow (the target is the order), or the signal of a workflow instance."""

    kind: Kind
    target: str


@dataclass
class _Kept:
    """What a message needs to be tried again: the context (trace, log fields) of its sender, and how often it was."""

    context: Context
    tries: int = 0


class Dispatcher:
    """Delivers in parallel, and repeats every `pause` seconds what was not heard. Threads may share it.

    A sender waits at most `patience` seconds for the acknowledgement. `deliver` raises EngineUnavailableError when
    nobody answers, and TransientError when it did not work for this message.
    """

    def __init__(self, deliver: Callable[[Message], None], patience: float = 1.0, pause: float = 0.5) -> None:
        self._deliver, self._patience, self._pause = deliver, patience, pause
        self._pool = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="engine")
        self._postmen = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="post")
        self._guard = threading.Lock()
        self._kept: dict[Message, _Kept] = {}
        self._repeating = False
        self._stopping = threading.Event()
        self._silent = False
        self._posted: set[Future[bool]] = set()

    def post(self, messages: Sequence[Message]) -> None:
        """Deliver the messages without waiting for it; those that are not heard are repeated."""
        for message in dict.fromkeys(messages):
            call = self._postmen.submit(self._try_unless_silent, message, _Kept(copy_context()))
            self._posted.add(call)
            call.add_done_callback(self._posted.discard)

    def send(self, messages: Sequence[Message]) -> None:
        """Deliver the messages; raise TransientError for those that are not heard yet and will be repeated.

        Takes `patience` seconds at most, and no time while the engine is known to be silent.
        """
        if self._silent:
            for message in messages:
                self._keep(message, _Kept(copy_context()))
            raise EngineUnavailableError("the engine is silent")
        calls: dict[Message, Future[bool]] = {
            message: self._pool.submit(self._try, message, _Kept(copy_context())) for message in dict.fromkeys(messages)
        }
        late = wait(calls.values(), timeout=self._patience).not_done
        if late:
            # Each goes on until its own deadline, and its end tells whether the engine is there.
            self._silent = True
        undelivered = [message.target for message, call in calls.items() if call in late or not call.result()]
        if undelivered:
            raise TransientError(f"not heard yet: {', '.join(undelivered)}")

    @property
    def silent(self) -> bool:
        """Whether the engine did not answer the last time that somebody asked."""
        return self._silent

    @property
    def undelivered(self) -> int:
        """How many messages wait to be repeated."""
        return len(self._kept)

    def stop(self) -> None:
        """Repeat nothing any more; what is on its way has as long as a sender would wait."""
        self._stopping.set()
        wait(list(self._posted), timeout=self._patience)

    def _try_unless_silent(self, message: Message, kept: _Kept) -> bool:
        """Try, or where that would only take a thread for as long as the engine is waited for, keep the message."""
        if self._silent:
            self._keep(message, kept)
            return False
        return self._try(message, kept)

    def _try(self, message: Message, kept: _Kept) -> bool:
        """Deliver a message, or keep it for later; tell whether it was heard."""
        try:
            kept.context.run(self._deliver, message)
        except EngineUnavailableError:
            self._silent = True
            self._keep(message, kept)
            return False
        except TransientError as error:
            kept.tries += 1
            if kept.tries < _MOST_TRIES:
                self._keep(message, kept)
            else:
                kept.context.run(log.warning, "left to the reconciler", extra={"cause": str(error)})
            return False
        except Exception:
            log.exception("a message to the engine could not be sent", extra={"target": message.target})
            return False
        self._silent = False
        return True

    def _keep(self, message: Message, kept: _Kept) -> None:
        with self._guard:
            if len(self._kept) < _MOST_KEPT:
                self._kept.setdefault(message, kept)
            if self._repeating or self._stopping.is_set():
                return
            self._repeating = True
        threading.Thread(target=self._repeat, name="messenger", daemon=True).start()

    def _repeat(self) -> None:
        """Go on until nothing is kept: one message at a time while the engine is silent, then several at once."""
        heard = False
        while not (self._stopping.is_set() if heard else self._stopping.wait(self._pause)):
            with self._guard:
                batch = dict(list(self._kept.items())[: 1 if self._silent else _AT_ONCE])
                self._repeating = bool(batch)
                if not batch:
                    return
                for message in batch:
                    del self._kept[message]
            # What fails again is kept again, behind the others: no single message is in the way of the rest.
            # All of them are waited for: whoever stops at the first that failed takes those back that have not begun.
            heard = all(list(self._pool.map(self._try, batch.keys(), batch.values())))
