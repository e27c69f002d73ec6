"""Inventory's HTTP interface."""

from pydantic import TypeAdapter, ValidationError

from services.common.identity import Role
from services.common.ids import OrderId
from services.common.json_models import Name
from services.common.logs import about_order
from services.common.web import api
from services.common.web.access_rules import CONSOLE, people, services
from services.common.web.api import Reply
from services.common.web.openapi import IDEMPOTENCY_KEY, Link
from services.common.web.problems import not_found
from services.inventory import domain, reserving
from services.inventory.models import (
    EndBody,
    Ending,
    EndRequest,
    ItemAnswer,
    ItemBody,
    ItemRequest,
    ReservationAnswer,
    ReserveRequest,
    RestockBody,
    RestockRequest,
)
from services.inventory.store import InventoryStore

_CATALOGUE = people(*Role, apps=(CONSOLE, "orderprocessing"))
_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

_BY_SKU = {"sku": "$response.body#/sku"}
_BY_ORDER = {"orderId": "$response.body#/orderId"}

_ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)
_SKU: TypeAdapter[str] = TypeAdapter(Name)


class ItemRoutes:
    """The catalogue, and the stock of each item."""

    def __init__(self, store: InventoryStore) -> None:
        self._store = store

    @api.get("/inventory", "All items with their stock", allow=_CATALOGUE)
    def list_items(self) -> list[ItemAnswer]:
        """Return all items."""
        return [domain.show_item(item) for item in self._store.items()]

    @api.get("/inventory/<sku>", "An item with its stock", allow=_CATALOGUE, errors=[404])
    def show_item(self, sku: str) -> ItemAnswer:
        """Return an item."""
        return domain.show_item(self._store.item(_valid_key(_SKU, "SKU", sku)))

    @api.put(
        "/inventory/<sku>",
        "Create an item, or change its price",
        allow=_MANAGER,
        body=ItemBody,
        also=[201],
        errors=[404],
        links=[Link("showItem", _BY_SKU), Link("restock", _BY_SKU)],
    )
    def put_item(self, body: ItemRequest) -> Reply[ItemAnswer]:
        """Create or change an item."""
        item, created = self._store.put_item(body)
        return Reply(domain.show_item(item), 201 if created else 200)

    @api.post(
        "/inventory/<sku>/restock",
        "Add goods to the stock of a warehouse",
        allow=_MANAGER,
        body=RestockBody,
        parameters=[IDEMPOTENCY_KEY],
        errors=[404, 409],
    )
    def restock(self, sku: str, body: RestockRequest) -> ItemAnswer:
        """Add goods to the stock of a warehouse."""
        return domain.show_item(self._store.restock(_valid_key(_SKU, "SKU", sku), body))


class ReservationRoutes:
    """The reservations of orders."""

    def __init__(self, store: InventoryStore) -> None:
        self._store = store

    @api.post(
        "/reservations",
        "Reserve goods for an order, once; goods that no warehouse has form a fulfillment of their own",
        allow=_ORDERS,
        errors=[409],
        links=[Link(name, _BY_ORDER) for name in ("showReservation", "release", "commit")],
    )
    def reserve(self, body: ReserveRequest) -> ReservationAnswer:
        """Reserve goods for an order."""
        with about_order(body.order_id):
            reservation = self._store.reserve(body.order_id, reserving.merged(body.lines))
        return reserving.show_reservation(reservation)

    @api.get("/reservations/<order_id>", "The reservation of an order", allow=_MANAGER, errors=[404])
    def show_reservation(self, order_id: str) -> ReservationAnswer:
        """Return the reservation of an order."""
        reservation = self._store.reservation(_valid_key(_ORDER_ID, "reservation of order", order_id))
        if reservation is None:
            raise not_found("reservation of order", order_id)
        return reserving.show_reservation(reservation)

    @api.post(
        "/reservations/<order_id>/release",
        "Return goods to the stock",
        allow=_ORDERS,
        body=EndBody,
        body_required=False,
        errors=[404, 409],
        links=[Link("showReservation", _BY_ORDER)],
    )
    def release(self, body: EndRequest) -> ReservationAnswer:
        """Return reserved goods to the stock."""
        return self._end(body, Ending.RELEASE)

    @api.post(
        "/reservations/<order_id>/commit",
        "Hand goods to the courier",
        allow=_ORDERS,
        body=EndBody,
        body_required=False,
        errors=[404, 409],
        links=[Link("showReservation", _BY_ORDER)],
    )
    def commit(self, body: EndRequest) -> ReservationAnswer:
        """Take reserved goods out of the stock."""
        return self._end(body, Ending.COMMIT)

    def _end(self, body: EndRequest, end: Ending) -> ReservationAnswer:
        with about_order(body.order_id):
            return reserving.show_reservation(self._store.end(body.order_id, end, body.fulfillments))


API = api.Api(
    "inventory",
    "The catalogue, the stock in each warehouse, and the reservations of orders. Prices are whole cents.",
    [ItemRoutes, ReservationRoutes],
)


def _valid_key(kind: TypeAdapter[str], what: str, key: str) -> str:
    """Return the key from a path. Raises the 404 for a key that does not have the required format."""
    try:
        return kind.validate_python(key)
    except ValidationError as error:
        raise not_found(what, key) from error
