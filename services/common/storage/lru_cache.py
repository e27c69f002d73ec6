"""A bounded in-memory cache that evicts the least recently used entry."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class LruCache(Generic[V]):
    """Keeps the values of the `size` most recently used keys. Thread-safe."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._values: OrderedDict[str, V] = OrderedDict()
        self._guard = Lock()

    def get(self, key: str) -> V | None:
        """Return the value, or None if it is not in the cache."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: V) -> V:
        """Store the value and return it."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        return value

    def drop(self, key: str) -> None:
        """Remove the value of a key."""
        with self._guard:
            self._values.pop(key, None)
