"""What inventory tells of its HTTP interface."""

from services.common.json_models import Json
from services.common.web.openapi import IDEMPOTENCY_KEY, Link, Operation, document
from services.inventory.models import EndBody, ItemAnswer, ItemBody, ReservationAnswer, ReserveRequest, RestockBody


def describe() -> Json:
    """Return inventory's OpenAPI document."""
    return document(
        "inventory",
        "The catalogue, the stock in each warehouse, and what orders have reserved of it. Prices are whole cents.",
        [*_items(), *_reservations()],
    )


def _items() -> list[Operation]:
    return [
        Operation("GET", "/inventory", "listItems", "All goods with their stock", list[ItemAnswer]),
        Operation("GET", "/inventory/{sku}", "showItem", "An item with its stock", ItemAnswer, refusals=[404]),
        Operation(
            "PUT",
            "/inventory/{sku}",
            "putItem",
            "Create an item, or change its price",
            ItemAnswer,
            also=[201],
            body=ItemBody,
            refusals=[404],
            links=[Link("showItem", {"sku": "$response.body#/sku"}), Link("restock", {"sku": "$response.body#/sku"})],
        ),
        Operation(
            "POST",
            "/inventory/{sku}/restock",
            "restock",
            "Put goods on a shelf",
            ItemAnswer,
            body=RestockBody,
            parameters=[IDEMPOTENCY_KEY],
            refusals=[404, 409],
        ),
    ]


def _reservations() -> list[Operation]:
    order = {"orderId": "$response.body#/orderId"}
    return [
        Operation(
            "POST",
            "/reservations",
            "reserve",
            "Reserve goods for an order, once; what no warehouse has is one more fulfillment",
            ReservationAnswer,
            body=ReserveRequest,
            refusals=[409],
            links=[Link(name, order) for name in ("showReservation", "release", "commit")],
            internal=True,
        ),
        Operation(
            "GET",
            "/reservations/{orderId}",
            "showReservation",
            "What an order has reserved",
            ReservationAnswer,
            refusals=[404],
        ),
        *[
            Operation(
                "POST",
                f"/reservations/{{orderId}}/{name}",
                name,
                summary,
                ReservationAnswer,
                body=EndBody,
                body_required=False,
                refusals=[404, 409],
                links=[Link("showReservation", order)],
                internal=True,
            )
            for name, summary in (("release", "Put goods back on the shelf"), ("commit", "Hand goods to the courier"))
        ],
    ]
