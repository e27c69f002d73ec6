"""Requests as a real client sends them: repeated unchanged until the service answers."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any, TypeVar

import requests

from tests.e2e.client import Shop

T = TypeVar("T")

_TIMEOUT = (3.0, 10.0)
_PAUSE = 0.3
_GIVE_UP_AFTER_S = 240.0
"""Much longer than any outage in these tests. After this time a request counts as unanswered."""


@dataclass(frozen=True)
class Answer:
    """The final answer to a request, the number of attempts, and its wall-clock time."""

    status: int
    body: Any
    tries: int
    at: float

    @property
    def refused(self) -> bool:
        """Return whether the request was certainly rejected: an earlier unanswered attempt may have succeeded."""
        return self.status == 409 and self.tries == 1


class ConnectionFailedError(Exception):
    """The service did not answer any attempt."""


def call_until_answered(
    shop: Shop, service: str, method: str, path: str, body: object = None, **options: Any
) -> Answer:
    """Repeat a request until the answer is not 503. Raises ConnectionFailedError after minutes."""
    deadline = time.monotonic() + _GIVE_UP_AFTER_S
    tries, last = 0, ""
    while time.monotonic() < deadline:
        tries += 1
        try:
            response = shop.call(service, method, path, body, timeout=_TIMEOUT, **options)
        except requests.RequestException as error:
            last = repr(error)
        else:
            if response.status_code != 503:
                return Answer(response.status_code, _body(response), tries, time.time())
            last = response.text
        time.sleep(_PAUSE)
    raise ConnectionFailedError(f"{method} {service} {path} was not answered in {tries} attempts: {last}")


def _body(response: requests.Response) -> Any:
    try:
        return response.json()
    except requests.JSONDecodeError:
        return response.text


def concurrently(*jobs: Callable[[], T]) -> list[T]:
    """Run the jobs at the same moment, each in its own thread. Return their results in order."""
    ready = Barrier(len(jobs))

    def run_when_ready(job: Callable[[], T]) -> T:
        ready.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run_when_ready, jobs))


def in_parallel(job: Callable[[Any], T], items: Sequence[Any], threads: int = 6) -> list[T]:
    """Run the job for each item, a few at a time. Return the results in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(job, items))
