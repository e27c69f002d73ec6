"""The documented body of a new order, in both of its forms; `order_parser` reads it."""

from services.common.ids import ORDER_ID_PATTERN
from services.common.json_models import Json

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_ITEM = {
    "type": "object",
    "properties": {"sku": _NAME, "quantity": {"type": "integer", "minimum": 1, "maximum": 1000}},
    "required": ["sku", "quantity"],
}
_COMMON = {
    "id": {"type": ["string", "null"], "pattern": f"^{ORDER_ID_PATTERN}$", "not": {"const": "stats"}},
    "items": {
        "type": "array",
        "description": "goods of 1 to 100 SKUs; a bare string is one piece, the same again is one more",
        "items": {"anyOf": [_ITEM, _NAME]},
        "minItems": 1,
    },
    "total": {"type": ["number", "null"], "description": "in major units; when given it must be what the goods cost"},
}
ORDER_BODY: Json = {
    "anyOf": [
        {
            "type": "object",
            "title": title,
            "properties": {customer: _NAME, **_COMMON},
            "required": [customer, "items"],
        }
        for title, customer in (("An order", "customerId"), ("The shorter form", "customer"))
    ],
    "examples": [
        {"id": "A1-1763712000", "customerId": "1234", "items": [{"sku": "Vans Old Skool", "quantity": 1}]},
        {"customer": "Riley", "items": ["milk", "bread", "iPhone"], "total": 1299.00},
    ],
}
