"""Who may call what of orderprocessing. A customer sees and does only what concerns his own orders."""

from services.common.auth.access import CONSOLE, Rules, people
from services.common.identity import Role

_READERS = people(Role.CUSTOMER, Role.APPROVER, apps=(CONSOLE,))
_OPERATOR = people(apps=(CONSOLE,))
_COURIER = people(Role.COURIER, apps=(CONSOLE,))

RULES: Rules = {
    "POST /orders": people(Role.CUSTOMER, apps=(CONSOLE,)),
    "GET /orders": _READERS,
    "GET /orders/<order_id>": _READERS,
    "GET /orders/<order_id>/timeline": _READERS,
    "GET /orders/<order_id>/history": people(),
    "POST /orders/<order_id>/action": people(Role.CUSTOMER, apps=(CONSOLE,)),
    "POST /orders/<order_id>/approve": people(Role.APPROVER, apps=(CONSOLE,)),
    "GET /orders/stats": _OPERATOR,
    "GET /charge/stats": _OPERATOR,
    "GET /shipments/stats": _OPERATOR,
    "GET /shipments": _COURIER,
    "GET /shipments/pending": _COURIER,
    "GET /shipments/<shipment_id>": _COURIER,
    "POST /shipments/<shipment_id>/status": _COURIER,
}
