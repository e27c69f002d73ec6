"""Who may call what of fraud."""

from services.common.auth.access import Rules, people, services
from services.common.identity import Role

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

RULES: Rules = {
    "GET /settings": _MANAGER,
    "POST /limit": _MANAGER,
    "POST /maintenance": _MANAGER,
    "POST /reset": _MANAGER,
    "POST /check": _MANAGER,
    "POST /check/<charge_id>": _ORDERS,
    "POST /check/<charge_id>/reverse": _ORDERS,
    "GET /tally/<customer_id>": _MANAGER,
}
