"""Who may call what of inventory."""

from services.common.auth.access import CONSOLE, Rules, people, services
from services.common.identity import Role

_CATALOGUE = people(*Role, apps=(CONSOLE, "orderprocessing"))
_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

RULES: Rules = {
    "GET /inventory": _CATALOGUE,
    "GET /inventory/<sku>": _CATALOGUE,
    "PUT /inventory/<sku>": _MANAGER,
    "POST /inventory/<sku>/restock": _MANAGER,
    "POST /reservations": _ORDERS,
    "GET /reservations/<order_id>": _MANAGER,
    "POST /reservations/<order_id>/release": _ORDERS,
    "POST /reservations/<order_id>/commit": _ORDERS,
}
