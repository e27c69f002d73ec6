"""The rules of stock: allocation to warehouses, and the effects of reserve, release and commit."""

from collections.abc import Collection, Mapping, Sequence

from services.common.errors import InvalidError
from services.common.records import Effect
from services.inventory.models import Catalogue, Ending, Item, ItemAnswer, ItemRequest, Restock, Stock, WarehouseAnswer
from services.inventory.seed import SeedItem


def new_item(request: ItemRequest, locations: Sequence[str]) -> Item:
    """Return a new item without stock. The name defaults to the SKU, the brand to the first word of the name."""
    name = request.name or request.sku
    return Item(
        sku=request.sku,
        name=name,
        brand=request.brand or name.split()[0],
        unit_price=request.unit_price,
        stock={location: Stock() for location in locations},
    )


def seeded_item(seed: SeedItem, locations: Sequence[str]) -> Item:
    """Return an item of the initial catalogue."""
    stock = {location: Stock(on_hand=seed.stock.get(location, 0)) for location in locations}
    return Item(sku=seed.sku, name=seed.name, brand=seed.brand, unit_price=seed.unit_price, stock=stock)


def add_to_catalogue(catalogue: Catalogue | None, sku: str) -> Catalogue:
    """Return the catalogue with the SKU added, unchanged if it has it."""
    skus = catalogue.skus if catalogue else []
    return catalogue if catalogue and sku in skus else Catalogue(skus=sorted([*skus, sku]))


def reprice(item: Item, request: ItemRequest) -> tuple[Item, Effect]:
    """Return the item with the price of the request, and its name and brand where given."""
    changes = request.model_dump(exclude_none=True)
    same = all(getattr(item, name) == value for name, value in changes.items())
    return (item if same else item.model_copy(update=changes)), {}


def restock(item: Item, location: str, quantity: int) -> tuple[Item, Effect]:
    """Return the item with the quantity added to the stock on hand."""
    return _change_stock(item, location, on_hand=quantity), {}


def reserve(item: Item, quantity: int, used: Collection[str]) -> tuple[Item, Effect]:
    """Reserve up to `quantity`, preferably in `used` locations; the effect is the reserved quantity by location."""
    allocation = allocate(item.stock, quantity, used)
    for location, count in allocation.items():
        item = _change_stock(item, location, reserved=count)
    return item, allocation


def end(item: Item, location: str, quantity: int, ending: Ending) -> tuple[Item, Effect]:
    """Return the item after reserved goods were released or handed to the courier."""
    shipped = quantity if ending is Ending.COMMIT else 0
    return _change_stock(item, location, on_hand=-shipped, reserved=-quantity), {}


def allocate(stock: Mapping[str, Stock], quantity: int, used: Collection[str]) -> dict[str, int]:
    """Return the quantity to take from each location: all from one if possible, else as much as is available.

    Locations that the order already uses come first, then the others by name.
    """
    order = sorted(stock, key=lambda location: (location not in used, location))
    single = next((location for location in order if stock[location].available >= quantity), None)
    if single is not None:
        return {single: quantity}
    allocation = {}
    for location in order:
        count = min(stock[location].available, quantity)
        if count > 0:
            allocation[location] = count
            quantity -= count
    return allocation


def check_same_restock(existing: Restock, requested: Restock) -> Restock:
    """Return the existing restock of the key. Raises the 422 `idempotencyKeyReused` for other content."""
    before = (existing.sku, existing.warehouse, existing.quantity)
    if before != (requested.sku, requested.warehouse, requested.quantity):
        raise InvalidError("idempotencyKeyReused", "this Idempotency-Key was used for another restock")
    return existing


def restock_marker(key: str) -> str:
    """Return the key of the marker that a restock leaves on an item."""
    return f"restock/{key}"


def restock_key(marker: str) -> str | None:
    """Return the key of the restock that left the marker, or None."""
    kind, _, key = marker.partition("/")
    return key if kind == "restock" else None


def show_item(item: Item) -> ItemAnswer:
    """Return the API representation of the item."""
    warehouses = [
        WarehouseAnswer(location=location, on_hand=s.on_hand, reserved=s.reserved, available=s.available)
        for location, s in sorted(item.stock.items())
    ]
    return ItemAnswer(sku=item.sku, name=item.name, brand=item.brand, unit_price=item.unit_price, warehouses=warehouses)


def _change_stock(item: Item, location: str, on_hand: int = 0, reserved: int = 0) -> Item:
    before = item.stock[location]
    after = Stock(on_hand=before.on_hand + on_hand, reserved=before.reserved + reserved)
    return item.model_copy(update={"stock": item.stock | {location: after}})
