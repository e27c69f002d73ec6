"""The product names of the catalogue, for pages that show an order."""

import time
from collections.abc import Callable, Mapping, Sequence

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json

_LIFETIME = 60.0
"""Seconds; product names rarely change."""


def product_name(item: Json) -> str:
    """Return the name of an item; the brand precedes it if the SKU also contains the brand."""
    name, brand = str(item["name"]), str(item["brand"])
    branded = brand.lower() in item["sku"].lower() and not name.lower().startswith(brand.lower())
    return f"{brand} {name}" if branded else name


class ProductNames:
    """Caches product names. Threads may share it; `items` reads the catalogue, as `Backend.items` does."""

    def __init__(self, items: Callable[[], Sequence[Json]], clock: Callable[[], float] = time.monotonic) -> None:
        self._items, self._clock = items, clock
        self._names: Mapping[str, str] = {}
        self._read_at = -_LIFETIME

    def by_sku(self) -> Mapping[str, str]:
        """Return the known names by SKU; pages show an item without a name by its SKU."""
        if self._clock() - self._read_at >= _LIFETIME:
            # Set first, so that pages do not wait for an unavailable catalogue again and again.
            self._read_at = self._clock()
            try:
                self._names = {item["sku"]: product_name(item) for item in self._items()}
            except (RefusedError, TransientError):
                return self._names
        return self._names
