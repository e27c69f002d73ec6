"""The prices at which orders are accepted."""

import time
from collections.abc import Callable
from threading import Lock

from services.common.dapr.sidecar import TransientError
from services.common.errors import invalid_fields
from services.common.money import CURRENCY
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.order import Line


class PriceList:
    """The prices, cached for a second, and for longer while inventory is unavailable.

    A changed price takes effect up to a second late. An unknown SKU or a wrong total is checked against fresh prices
    before the order is rejected; while there are none, the request fails with a transient error.
    """

    def __init__(self, fetch: Callable[[], dict[str, int]], lifetime: float = 1.0) -> None:
        self._fetch, self._lifetime = fetch, lifetime
        self._prices: dict[str, int] = {}
        self._fetched_at = -lifetime
        self._guard = Lock()

    def price(self, draft: Draft) -> list[Line]:
        """Return the draft's lines with their prices.

        Raises InvalidError for unknown SKUs or a wrong total, and TransientError without a price list.
        """
        prices = self._current(self._lifetime)
        if _field_errors(draft, prices):
            prices = self._current(0)
        errors = _field_errors(draft, prices)
        if errors:
            raise invalid_fields(errors)
        return [Line(sku=sku, quantity=quantity, unit_price=prices[sku]) for sku, quantity in draft.items.items()]

    def _current(self, lifetime: float) -> dict[str, int]:
        with self._guard:
            if time.monotonic() - self._fetched_at >= lifetime:
                try:
                    self._prices = self._fetch()
                except TransientError:
                    if not self._prices or not lifetime:
                        raise
                self._fetched_at = time.monotonic()
            return self._prices


def _field_errors(draft: Draft, prices: dict[str, int]) -> list[tuple[str, str]]:
    unknown = [("items", f"there is no SKU {sku!r}") for sku in draft.items if sku not in prices]
    if unknown or draft.total is None:
        return unknown
    goods = sum(prices[sku] * quantity for sku, quantity in draft.items.items())
    if goods == draft.total:
        return []
    return [("total", f"the goods cost {goods / 100:.2f} {CURRENCY}, not {draft.total / 100:.2f}")]
