"""The goods that simulated users order, by role, and their expected stock levels."""

from collections import Counter
from collections.abc import Iterable
from random import Random
from threading import Lock

from tests.chaos.order_kinds import OrderKind
from tests.chaos.retrying_calls import call_until_answered
from tests.e2e.client import Json, Shop
from tests.e2e.shopper import Shopper

_PLENTY = 1_000_000
_SKUS_PER_ROLE = 3
"""SKUs of each role: few enough that orders often contend for one."""
_SPLIT_SKUS = 14
"""SKUs of which no warehouse has enough for one order. Each serves one order per round, then is restocked."""
_SPLIT_STOCK = {"Warehouse A": 3, "Warehouse B": 2}
_AS_APP = {"dapr-caller-app-id": "stockroom"}
"""Restocks as an app: fault injection applies to calls of apps, not to calls of people."""
_LETTERS = {"Warehouse A": "a", "Warehouse B": "b"}


class StockLevels:
    """SKUs with their prices and stock. Thread-safe."""

    def __init__(self, shop: Shop) -> None:
        self._shopper, self._shop = Shopper(shop), shop
        shopper = self._shopper
        self._skus = {
            "warehouse A": [shopper.goods(price=1999, a=_PLENTY) for _ in range(_SKUS_PER_ROLE)],
            "warehouse B": [shopper.goods(price=3333, b=_PLENTY) for _ in range(_SKUS_PER_ROLE)],
            "out of stock": [shopper.goods(price=2500)],
            "high value": [shopper.goods(price=60_000, a=_PLENTY) for _ in range(_SKUS_PER_ROLE)],
            # With tax above the card limit for one charge (100,000.00).
            "above card limit": [shopper.goods(price=9_000_000, a=_PLENTY)],
            "split": [
                shopper.goods(price=1500, **{_LETTERS[place]: count for place, count in _SPLIT_STOCK.items()})
                for _ in range(_SPLIT_SKUS)
            ],
        }
        self._unused = list(self._skus["split"])
        self._delivered: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    @property
    def prices(self) -> dict[str, int]:
        """Return the unit price of each SKU in minor units."""
        return self._shopper.prices

    def basket(self, kind: OrderKind, random: Random) -> dict[str, int] | None:
        """Return the items of an order of this kind, or None when they are used up for this round."""
        if "split" not in kind.goods:
            return {random.choice(self._skus[role]): quantity for role, quantity in kind.goods.items()}
        with self._lock:
            return {self._unused.pop(): kind.goods["split"]} if self._unused else None

    def restock(self, random: Random, key: str) -> None:
        """Restock an item with an idempotency key until it succeeds, and sometimes repeat the request."""
        sku, quantity = random.choice(self._skus["warehouse A"]), random.randint(1, 9)
        body = {"warehouse": "Warehouse A", "quantity": quantity}
        headers = {"Idempotency-Key": key, **_AS_APP}
        for _ in range(random.randint(1, 2)):
            path = f"/inventory/{sku}/restock"
            answer = call_until_answered(self._shop, "inventory", "POST", path, body, headers=headers)
            if answer.status != 200:
                raise RuntimeError(f"POST {path} returned {answer.status}: {answer.body}")
        self._shopper.start[sku]["Warehouse A"] += quantity

    def delivered(self, orders: Iterable[Json]) -> None:
        """Count the delivered items of final orders."""
        for order in orders:
            for one in order["fulfillments"] or []:
                if one["status"] == "completed":
                    self._delivered.update({(item["sku"], one["location"]): item["quantity"] for item in one["items"]})

    def faults(self) -> list[str]:
        """Return a sentence for each stock level that is not the initial stock less the delivered items."""
        items = {item["sku"]: item for item in self._shop.get("inventory", "/inventory")}
        found = []
        for sku, start in self._shopper.start.items():
            for stock in items[sku]["warehouses"]:
                expected = start[stock["location"]] - self._delivered[sku, stock["location"]]
                if (stock["onHand"], stock["reserved"], stock["available"]) != (expected, 0, expected):
                    found.append(f"{sku}: {stock}, but {expected} should be on hand, none reserved")
        return found

    def refill(self) -> None:
        """Restock the SKUs that are split over both warehouses."""
        for sku in self._skus["split"]:
            item = self._shop.get("inventory", f"/inventory/{sku}")
            for stock in item["warehouses"]:
                place, missing = stock["location"], _SPLIT_STOCK[stock["location"]] - stock["onHand"]
                if missing > 0:
                    body = {"warehouse": place, "quantity": missing}
                    self._shop.post("inventory", f"/inventory/{sku}/restock", body)
                    self._shopper.start[sku][place] += missing
        self._unused = list(self._skus["split"])
