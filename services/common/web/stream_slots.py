"""StreamSlots for streams, which hold a thread of the server for as long as they are open."""

import threading
from collections import Counter

from services.common.web.problems import Problem, too_many_requests

_SHARE = 4
"""Who has logged in may take one in so many places, so that no single person keeps all others out."""
_RETRY_AFTER_SECONDS = 5
_CODE = "tooManyStreams"


class StreamSlots:
    """So many places at once, for what refusals call `what`. Threads may share it."""

    def __init__(self, limit: int, what: str) -> None:
        self._what = what
        self._limit, self._most_each = limit, max(limit // _SHARE, 1)
        self._guard = threading.Lock()
        self._taken: Counter[str | None] = Counter()

    def acquire(self, who: str | None) -> None:
        """Take a place, for a person or for somebody who is not known.

        Raises the problem 503 when there is none, and 429 when the person has as many as anybody may have.
        """
        with self._guard:
            if self._taken.total() >= self._limit:
                raise Problem(
                    503, "tooManyStreams", f"too many {self._what} are open", retry_after=_RETRY_AFTER_SECONDS
                )
            if who is not None and self._taken[who] >= self._most_each:
                raise too_many_requests(_CODE, f"you have too many {self._what} open", _RETRY_AFTER_SECONDS)
            self._taken[who] += 1

    def release(self, who: str | None) -> None:
        """Give a place to another."""
        with self._guard:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
