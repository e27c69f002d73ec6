"""What orderprocessing tells of its HTTP interface."""

from services.common.ids import ORDER_ID_PATTERN
from services.common.json_models import Json
from services.common.web.openapi import CURSOR, IDEMPOTENCY_KEY, LIMIT, NEXT, Link, Operation, Parameter, document
from services.orderprocessing.api.schemas import (
    UNREADABLE,
    Figures,
    InstanceHistory,
    OrderAnswer,
    OrderFigures,
    OrderLine,
    ShipmentAnswer,
    ShipmentLine,
    TimelineStep,
)
from services.orderprocessing.domain.order import ActionRequest, ApprovalRequest, ShipmentRequest
from services.orderprocessing.domain.states import OrderStatus

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_ITEM = {
    "type": "object",
    "properties": {"sku": _NAME, "quantity": {"type": "integer", "minimum": 1, "maximum": 1000}},
    "required": ["sku", "quantity"],
}
_FOR_BOTH = {
    "id": {"type": ["string", "null"], "pattern": f"^{ORDER_ID_PATTERN}$", "not": {"const": "stats"}},
    "items": {
        "type": "array",
        "description": "goods of 1 to 100 SKUs; a bare string is one piece, the same again is one more",
        "items": {"anyOf": [_ITEM, _NAME]},
        "minItems": 1,
    },
    "total": {"type": ["number", "null"], "description": "in major units; when given it must be what the goods cost"},
}
_ORDER = {
    "anyOf": [
        {
            "type": "object",
            "title": title,
            "properties": {customer: _NAME, **_FOR_BOTH},
            "required": [customer, "items"],
        }
        for title, customer in (("An order", "customerId"), ("The shorter form", "customer"))
    ],
    "examples": [
        {"id": "A1-1763712000", "customerId": "1234", "items": [{"sku": "Vans Old Skool", "quantity": 1}]},
        {"customer": "Riley", "items": ["milk", "bread", "iPhone"], "total": 1299.00},
    ],
}
_STATUS = Parameter(
    "status", "only orders in this status", {"type": "string", "enum": [one.value for one in OrderStatus]}
)
_CUSTOMER = Parameter("customerId", "only orders of this customer", {"type": "string"})
_IDS = Parameter("ids", "just these orders, ids with commas between them, at most 1,000", {"type": "string"})

_BY_ORDER = {"orderId": "$response.body#/id"}
_BY_SHIPMENT = {"shipmentId": "$response.body#/id"}
_BY_FIRST_PART = {"shipmentId": "$response.body#/fulfillments/0/id"}
_ABOUT_ORDER = [
    *[Link(name, _BY_ORDER) for name in ("showOrder", "showTimeline", "actOnOrder", "approveOrder")],
    *[Link(name, _BY_FIRST_PART) for name in ("showShipment", "reportShipment")],
]


def describe() -> Json:
    """Return the OpenAPI document of orderprocessing."""
    return document(
        "orderprocessing",
        "Orders, shipments and approvals. Amounts are whole cents, times RFC 3339 in UTC.",
        [*_orders(), *_one_order(), *_decisions(), *_shipments(), *_figures()],
    )


def _orders() -> list[Operation]:
    return [
        Operation(
            "POST",
            "/orders",
            "placeOrder",
            "Place an order; when it is answered, no crash can lose it",
            OrderAnswer,
            status=202,
            body=_ORDER,
            parameters=[IDEMPOTENCY_KEY],
            refusals=[409],
            headers={"Location": "the order's address"},
            links=_ABOUT_ORDER,
        ),
        Operation(
            "GET",
            "/orders",
            "listOrders",
            "Orders, newest first",
            list[OrderLine],
            parameters=[LIMIT, CURSOR, _STATUS, _CUSTOMER, _IDS],
            refusals=[422],
            headers={**NEXT, UNREADABLE: "how many orders are left out that cannot be read; each by itself is a 503"},
        ),
    ]


def _one_order() -> list[Operation]:
    return [
        Operation("GET", "/orders/{orderId}", "showOrder", "An order", OrderAnswer, refusals=[404], links=_ABOUT_ORDER),
        Operation(
            "GET",
            "/orders/{orderId}/timeline",
            "showTimeline",
            "Every step of an order, oldest first",
            list[TimelineStep],
            refusals=[404],
        ),
        Operation(
            "GET",
            "/orders/{orderId}/history",
            "showHistory",
            "What the engine knows of the order's workflows",
            list[InstanceHistory],
            refusals=[404],
        ),
    ]


def _decisions() -> list[Operation]:
    return [
        Operation(
            "POST",
            f"/orders/{{orderId}}/{path}",
            name,
            summary,
            OrderAnswer,
            status=202,
            body=body,
            refusals=[404, 409],
            links=_ABOUT_ORDER,
        )
        for path, name, summary, body in (
            ("action", "actOnOrder", "The customer's decision", ActionRequest),
            ("approve", "approveOrder", "The approver's decision", ApprovalRequest),
        )
    ]


def _shipments() -> list[Operation]:
    return [
        *[
            Operation(
                "GET",
                path,
                name,
                summary,
                list[ShipmentLine],
                parameters=[LIMIT, CURSOR],
                refusals=[422],
                headers=NEXT,
                links=[Link("reportShipment", {"shipmentId": "$response.body#/0/id"})],
            )
            for path, name, summary in (
                ("/shipments", "listShipments", "Shipments, newest first"),
                ("/shipments/pending", "listPendingShipments", "Those that are neither delivered nor cancelled"),
            )
        ],
        Operation("GET", "/shipments/{shipmentId}", "showShipment", "A shipment", ShipmentAnswer, refusals=[404]),
        Operation(
            "POST",
            "/shipments/{shipmentId}/status",
            "reportShipment",
            "The courier's report",
            ShipmentAnswer,
            status=202,
            body=ShipmentRequest,
            refusals=[404, 409],
            links=[Link("showShipment", _BY_SHIPMENT), Link("reportShipment", _BY_SHIPMENT)],
        ),
    ]


def _figures() -> list[Operation]:
    return [
        Operation("GET", "/orders/stats", "orderFigures", "Workers, backlog and speed", OrderFigures),
        Operation("GET", "/charge/stats", "chargeFigures", "Workers, and charges that wait", Figures),
        Operation("GET", "/shipments/stats", "shipmentFigures", "Workers, and open shipments", Figures),
    ]
