"""Parallel calls to other services, so that a page with many calls does not wait for them one by one."""

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

_MAX_THREADS = 32
_MAX_PER_PAGE = 8
_CACHE_SIZE = 2000


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The result of a call, or the problem it failed with."""

    value: R | None = None
    problem: Problem | None = None


class ParallelCalls:
    """Calls other services in parallel, at most eight calls at a time for each page, so that no page blocks others."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="parallel-calls")

    @staticmethod
    def call(call: Callable[[], R]) -> Outcome[R]:
        """Make a single call, in this thread, and return its outcome."""
        return _outcome(lambda _: call(), None)

    def map(self, call: Callable[[T], R], arguments: Sequence[T]) -> list[Outcome[R]]:
        """Call with each argument and return the outcomes in the order of the arguments."""
        slots, futures = BoundedSemaphore(_MAX_PER_PAGE), list[Future[Outcome[R]]]()
        for argument in arguments:
            slots.acquire()
            # The context holds the trace, which every call continues.
            future = self._pool.submit(copy_context().run, _outcome, call, argument)
            future.add_done_callback(lambda _: slots.release())
            futures.append(future)
        return [future.result() for future in futures]


class CachedReader(Generic[R]):
    """Reads values by key in parallel; those that are `cacheable` are read once, since a live page reads often."""

    def __init__(self, calls: ParallelCalls, read: Callable[[str], R], cacheable: Callable[[R], bool]) -> None:
        self._calls, self._read, self._cacheable = calls, read, cacheable
        self._cache: LruCache[R] = LruCache(_CACHE_SIZE)

    def read(self, keys: Sequence[str]) -> dict[str, R]:
        """Return the values by key, without those that cannot be read now."""
        values = {key: self._cache.get(key) for key in dict.fromkeys(keys)}
        missing = [key for key, value in values.items() if value is None]
        for key, outcome in zip(missing, self._calls.map(self._read, missing), strict=True):
            values[key] = outcome.value
            if outcome.value is not None and self._cacheable(outcome.value):
                self._cache.put(key, outcome.value)
        return {key: value for key, value in values.items() if value is not None}


def _outcome(call: Callable[[T], R], argument: T) -> Outcome[R]:
    try:
        return Outcome(value=call(argument))
    except (RefusedError, TransientError) as error:
        return Outcome(problem=problem_of(error))
