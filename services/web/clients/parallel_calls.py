"""Calls made side by side, so that a page of many does not take as long as all of them in turn."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Generic, TypeVar

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.storage.lru_cache import LruCache
from services.common.web.problems import Problem
from services.web.clients.problems import problem_of

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 32
_OF_ONE_PAGE = 8
_REMEMBERED = 2000


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What a call returned, or the problem that kept it from that."""

    value: R | None = None
    problem: Problem | None = None


class SideBySide:
    """Makes calls of other services: of one page at most eight at a time, so that no page takes all places."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="side-by-side")

    def each(self, call: Callable[[T], R], things: Sequence[T]) -> list[Outcome[R]]:
        """Call with each of the things, and return what became of each, in their order."""
        room, futures = BoundedSemaphore(_OF_ONE_PAGE), list[Future[Outcome[R]]]()
        for thing in things:
            room.acquire()
            # The context holds the trace, which goes along with every call.
            future = self._pool.submit(copy_context().run, _outcome, call, thing)
            future.add_done_callback(lambda _: room.release())
            futures.append(future)
        return [future.result() for future in futures]


class Facts(Generic[R]):
    """Reads what belongs to the lines of a list; what `stays` is read once: a live page asks again and again."""

    def __init__(self, calls: SideBySide, read: Callable[[str], R], stays: Callable[[R], bool]) -> None:
        self._calls, self._read, self._stays = calls, read, stays
        self._known: LruCache[R] = LruCache(_REMEMBERED)

    def of(self, keys: Sequence[str]) -> dict[str, R]:
        """Return the facts by key; those that cannot be read right now are left out."""
        known = {key: self._known.get(key) for key in dict.fromkeys(keys)}
        unknown = [key for key, fact in known.items() if fact is None]
        for key, outcome in zip(unknown, self._calls.each(self._read, unknown), strict=True):
            known[key] = outcome.value
            if outcome.value is not None and self._stays(outcome.value):
                self._known.put(key, outcome.value)
        return {key: fact for key, fact in known.items() if fact is not None}


def _outcome(call: Callable[[T], R], thing: T) -> Outcome[R]:
    try:
        return Outcome(value=call(thing))
    except (RefusedError, TransientError) as error:
        return Outcome(problem=problem_of(error))
