"""Requests as a real client makes them: what got no answer is asked again, the same, until it is answered."""

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
_PATIENCE = 240.0
"""Seconds; far more than the longest outage here, after which a client is said to have been left without an answer."""


@dataclass(frozen=True)
class Answer:
    """What a client was told in the end, after how many tries, and when, by the wall clock."""

    status: int
    body: Any
    tries: int
    at: float

    @property
    def refused(self) -> bool:
        """Tell whether a 409 is certain: an earlier try without an answer may have been carried out."""
        return self.status == 409 and self.tries == 1


class ConnectionFailedError(Exception):
    """Nobody answered, however long the client tried."""


def persist(shop: Shop, service: str, method: str, path: str, body: object = None, **options: Any) -> Answer:
    """Send a request until it is answered by anything but 503. Raises ConnectionFailedError after minutes."""
    deadline = time.monotonic() + _PATIENCE
    tries, last = 0, ""
    while time.monotonic() < deadline:
        tries += 1
        try:
            found = shop.call(service, method, path, body, timeout=_TIMEOUT, **options)
        except requests.RequestException as error:
            last = repr(error)
        else:
            if found.status_code != 503:
                return Answer(found.status_code, _body(found), tries, time.time())
            last = found.text
        time.sleep(_PAUSE)
    raise ConnectionFailedError(f"{method} {service} {path} was not answered in {tries} tries: {last}")


def _body(found: requests.Response) -> Any:
    try:
        return found.json()
    except requests.JSONDecodeError:
        return found.text


def at_once(*jobs: Callable[[], T]) -> list[T]:
    """Do the jobs at the same moment, each in a thread of its own, and return what they return, in order."""
    ready = Barrier(len(jobs))

    def together(job: Callable[[], T]) -> T:
        ready.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(together, jobs))


def side_by_side(job: Callable[[Any], T], things: Sequence[Any], threads: int = 6) -> list[T]:
    """Do the job for each thing, a few at a time, and return the results in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(job, things))
