"""What goods are called, for pages that show an order: by the catalogue's names, where it is at hand."""

import time
from collections.abc import Callable, Mapping, Sequence

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json

_LIFETIME = 60.0
"""Seconds: names hardly ever change."""


def title_of(item: Json) -> str:
    """Return what an item is called; the brand goes first where its SKU has it too."""
    name, brand = str(item["name"]), str(item["brand"])
    branded = brand.lower() in item["sku"].lower() and not name.lower().startswith(brand.lower())
    return f"{brand} {name}" if branded else name


class Titles:
    """Remembers what goods are called. Threads may share it; `items` reads the catalogue, as `Backend.items`."""

    def __init__(self, items: Callable[[], Sequence[Json]], clock: Callable[[], float] = time.monotonic) -> None:
        self._items, self._clock = items, clock
        self._known: Mapping[str, str] = {}
        self._asked_at = -_LIFETIME

    def of(self) -> Mapping[str, str]:
        """Return names by SKU, as far as they are known; goods without one go by their SKU."""
        if self._clock() - self._asked_at >= _LIFETIME:
            # Noted first, so that while the catalogue is away an order's page does not wait for it again and again.
            self._asked_at = self._clock()
            try:
                self._known = {item["sku"]: title_of(item) for item in self._items()}
            except (RefusedError, TransientError):
                return self._known
        return self._known
