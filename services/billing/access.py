"""Who may call what of billing."""

from services.common.auth.access import Rules, people, services
from services.common.identity import Role

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

RULES: Rules = {
    "POST /invoices": _ORDERS,
    "GET /invoices/<fulfillment_id>": _MANAGER,
    "POST /charges": _ORDERS,
    "POST /refunds": _ORDERS,
    "GET /ledger": _MANAGER,
}
