"""Who may call what of shipping."""

from services.common.auth.access import Rules, people, services
from services.common.identity import Role

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

RULES: Rules = {
    "POST /bookings": _ORDERS,
    "POST /bookings/<shipment_id>/cancel": _ORDERS,
    "GET /bookings/<shipment_id>": _MANAGER,
    "POST /shipping/activate": _MANAGER,
    "POST /shipping/deactivate": _MANAGER,
    "GET /shipping/settings": _MANAGER,
}
