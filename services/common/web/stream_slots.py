"""A limit of open streams, each of which holds a server thread."""

import threading
from collections import Counter
from collections.abc import Callable

from services.common.web.problems import Problem, too_many_requests

_MAX_SHARE = 4
"""One authenticated person may hold one in so many slots, so that a single person cannot take all."""
_RETRY_AFTER_SECONDS = 5
_CODE = "tooManyStreams"


class StreamSlots:
    """A limited number of slots; errors call their holders `what`. Thread-safe."""

    def __init__(self, limit: int, what: str) -> None:
        self._what = what
        self._limit, self._max_per_person = limit, max(limit // _MAX_SHARE, 1)
        self._guard = threading.Lock()
        self._taken: Counter[str | None] = Counter()

    def acquire(self, person: str | None) -> Callable[[], None]:
        """Acquire a slot for a person, or with None for an anonymous client.

        The result releases the slot; it may be called more than once.
        Raises the problem 503 if no slot is free, and 429 if the person has reached the limit per person.
        """
        with self._guard:
            if self._taken.total() >= self._limit:
                raise Problem(503, _CODE, f"too many {self._what} are open", retry_after=_RETRY_AFTER_SECONDS)
            if person is not None and self._taken[person] >= self._max_per_person:
                raise too_many_requests(_CODE, f"you have too many {self._what} open", _RETRY_AFTER_SECONDS)
            self._taken[person] += 1
        held = True

        def release() -> None:
            nonlocal held
            with self._guard:
                if held:
                    held = False
                    self._taken -= Counter({person: 1})  # drops persons without a slot

        return release
