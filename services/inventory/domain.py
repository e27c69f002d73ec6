"""The rules of stock: which warehouse goods come from, what reserving, releasing and committing change."""

from collections.abc import Collection, Mapping, Sequence

from services.common.errors import InvalidError
from services.common.records import Effect
from services.inventory.models import Catalogue, Ending, Item, ItemAnswer, ItemRequest, Restock, Stock, WarehouseAnswer
from services.inventory.seed import SeedItem


def new_item(request: ItemRequest, locations: Sequence[str]) -> Item:
    """Return an item without stock; its name is by default the SKU, its brand the name's first word."""
    name = request.name or request.sku
    return Item(
        sku=request.sku,
        name=name,
        brand=request.brand or name.split()[0],
        unit_price=request.unit_price,
        stock={location: Stock() for location in locations},
    )


def seeded_item(seed: SeedItem, locations: Sequence[str]) -> Item:
    """Return an item of the first start."""
    stock = {location: Stock(on_hand=seed.stock.get(location, 0)) for location in locations}
    return Item(sku=seed.sku, name=seed.name, brand=seed.brand, unit_price=seed.unit_price, stock=stock)


def listed(catalogue: Catalogue | None, sku: str) -> Catalogue:
    """Return the catalogue with the SKU in it."""
    skus = catalogue.skus if catalogue else []
    return catalogue if catalogue and sku in skus else Catalogue(skus=sorted([*skus, sku]))


def repriced(item: Item, request: ItemRequest) -> tuple[Item, Effect]:
    """Return the item with the request's price, and its name and brand where it has them."""
    changes = request.model_dump(exclude_none=True)
    same = all(getattr(item, name) == value for name, value in changes.items())
    return (item if same else item.model_copy(update=changes)), {}


def restocked(item: Item, location: str, quantity: int) -> tuple[Item, Effect]:
    """Return the item with more on hand."""
    return _changed(item, location, on_hand=quantity), {}


def reserved(item: Item, quantity: int, used: Collection[str]) -> tuple[Item, Effect]:
    """Promise up to `quantity` to an order that already uses some locations; tell how many from each."""
    did = allot(item.stock, quantity, used)
    for location, count in did.items():
        item = _changed(item, location, reserved=count)
    return item, did


def ended(item: Item, location: str, quantity: int, ending: Ending) -> tuple[Item, Effect]:
    """Return the item after reserved goods went back on the shelf or to the courier."""
    left = quantity if ending is Ending.COMMIT else 0
    return _changed(item, location, on_hand=-left, reserved=-quantity), {}


def allot(stock: Mapping[str, Stock], quantity: int, used: Collection[str]) -> dict[str, int]:
    """Return how many to take from each location: all from one where possible, else as much as there is.

    Locations that the order uses come first, then the others by name.
    """
    order = sorted(stock, key=lambda location: (location not in used, location))
    whole = next((location for location in order if stock[location].available >= quantity), None)
    if whole is not None:
        return {whole: quantity}
    allotted = {}
    for location in order:
        count = min(stock[location].available, quantity)
        if count > 0:
            allotted[location] = count
            quantity -= count
    return allotted


def same_restock(now: Restock, asked: Restock) -> Restock:
    """Return the restock that the key stands for. Raises the 422 `idempotencyKeyReused` for other content."""
    if (now.sku, now.warehouse, now.quantity) != (asked.sku, asked.warehouse, asked.quantity):
        raise InvalidError("idempotencyKeyReused", "this Idempotency-Key was used for another restock")
    return now


def restock_mark(key: str) -> str:
    """Return the mark that a restock leaves on an item."""
    return f"restock/{key}"


def marked_restock(mark: str) -> str | None:
    """Return the key of the restock that left the mark, or None."""
    kind, _, key = mark.partition("/")
    return key if kind == "restock" else None


def show_item(item: Item) -> ItemAnswer:
    """Return the item as it is shown."""
    warehouses = [
        WarehouseAnswer(location=location, on_hand=s.on_hand, reserved=s.reserved, available=s.available)
        for location, s in sorted(item.stock.items())
    ]
    return ItemAnswer(sku=item.sku, name=item.name, brand=item.brand, unit_price=item.unit_price, warehouses=warehouses)


def _changed(item: Item, location: str, on_hand: int = 0, reserved: int = 0) -> Item:
    before = item.stock[location]
    after = Stock(on_hand=before.on_hand + on_hand, reserved=before.reserved + reserved)
    return item.model_copy(update={"stock": item.stock | {location: after}})
