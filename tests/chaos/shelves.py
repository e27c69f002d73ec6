"""The goods that robots order, by their role, and what must be left of them."""

from collections import Counter
from collections.abc import Iterable
from random import Random
from threading import Lock

from tests.chaos.calls import persist
from tests.chaos.kinds import Kind
from tests.e2e.client import Json, Shop
from tests.e2e.shopper import Shopper

_PLENTY = 1_000_000
_LANES = 3
"""SKUs of each role, so that robots meet at an SKU often but not always."""
_SCATTERED = 14
"""SKUs of which each warehouse has too few for one order; each serves one order a round, and is filled up again."""
_FEW = {"Warehouse A": 3, "Warehouse B": 2}
_BY_AN_APP = {"dapr-caller-app-id": "stockroom"}
"""The manager's own app asks: the chaos switch leaves alone what a person asks, and strikes what an app does."""
_LETTERS = {"Warehouse A": "a", "Warehouse B": "b"}


class Shelves:
    """SKUs with their prices and stock. Threads may share it."""

    def __init__(self, shop: Shop) -> None:
        self._keeper, self._shop = Shopper(shop), shop
        keeper = self._keeper
        self._skus = {
            "here": [keeper.goods(price=1999, a=_PLENTY) for _ in range(_LANES)],
            "there": [keeper.goods(price=3333, b=_PLENTY) for _ in range(_LANES)],
            "nowhere": [keeper.goods(price=2500)],
            "dear": [keeper.goods(price=60_000, a=_PLENTY) for _ in range(_LANES)],
            # With tax, more than the card network takes in one charge (100,000.00).
            "too dear": [keeper.goods(price=9_000_000, a=_PLENTY)],
            "scattered": [
                keeper.goods(price=1500, **{_LETTERS[place]: count for place, count in _FEW.items()})
                for _ in range(_SCATTERED)
            ],
        }
        self._unused = list(self._skus["scattered"])
        self._gone: Counter[tuple[str, str]] = Counter()
        self._guard = Lock()

    @property
    def prices(self) -> dict[str, int]:
        """Return the unit price of each SKU in minor units."""
        return self._keeper.prices

    def basket(self, kind: Kind, chance: Random) -> dict[str, int] | None:
        """Return the goods of an order of this kind, None when they are used up for this round."""
        if "scattered" not in kind.goods:
            return {chance.choice(self._skus[role]): quantity for role, quantity in kind.goods.items()}
        with self._guard:
            return {self._unused.pop(): kind.goods["scattered"]} if self._unused else None

    def restock(self, chance: Random, key: str) -> None:
        """Put more on a shelf, with a key, as often as it takes, and now and then once more than that."""
        sku, quantity = chance.choice(self._skus["here"]), chance.randint(1, 9)
        body = {"warehouse": "Warehouse A", "quantity": quantity}
        headers = {"Idempotency-Key": key, **_BY_AN_APP}
        for _ in range(chance.randint(1, 2)):
            path = f"/inventory/{sku}/restock"
            answer = persist(self._shop, "inventory", "POST", path, body, headers=headers)
            if answer.status != 200:
                raise RuntimeError(f"POST {path} was answered {answer.status}: {answer.body}")
        self._keeper.start[sku]["Warehouse A"] += quantity

    def delivered(self, orders: Iterable[Json]) -> None:
        """Remember what left the warehouses, from orders at their end."""
        for order in orders:
            for one in order["fulfillments"] or []:
                if one["status"] == "completed":
                    self._gone.update({(item["sku"], one["location"]): item["quantity"] for item in one["items"]})

    def faults(self) -> list[str]:
        """Return a sentence for each stock that is not what it was at the start less what was delivered."""
        items = {item["sku"]: item for item in self._shop.get("inventory", "/inventory")}
        found = []
        for sku, start in self._keeper.start.items():
            for stock in items[sku]["warehouses"]:
                left = start[stock["location"]] - self._gone[sku, stock["location"]]
                if (stock["onHand"], stock["reserved"], stock["available"]) != (left, 0, left):
                    found.append(f"{sku}: {stock}, but {left} should be on hand and none reserved")
        return found

    def refill(self) -> None:
        """Bring what is scattered back to its few in each warehouse."""
        for sku in self._skus["scattered"]:
            item = self._shop.get("inventory", f"/inventory/{sku}")
            for stock in item["warehouses"]:
                place, missing = stock["location"], _FEW[stock["location"]] - stock["onHand"]
                if missing > 0:
                    body = {"warehouse": place, "quantity": missing}
                    self._shop.post("inventory", f"/inventory/{sku}/restock", body)
                    self._keeper.start[sku][place] += missing
        self._unused = list(self._skus["scattered"])
