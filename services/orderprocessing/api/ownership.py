"""Ownership of orders: a customer sees and changes only his own, and an approver decides in his own name."""

from services.common.auth.access import only_customer, person
from services.common.web.problems import Problem, not_found
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.order import JsonObject, Order


def visible_order(service: OrderService, order_id: str) -> Order:
    """Return an order. Raises the 404, also for the order of another customer than the caller."""
    order = service.order(order_id)
    if not is_visible(order.customer_id):
        raise not_found("order", order_id)
    return order


def is_visible(customer_id: str) -> bool:
    """Return whether the caller may see the orders of this customer."""
    return only_customer() in {None, customer_id}


def require_own(customer_id: str) -> None:
    """Raise the 403 for an order in the name of another customer."""
    if not is_visible(customer_id):
        raise Problem(403, "notYours", "a customer orders for himself: customerId must be the name of the API key")


def authenticated_approver() -> JsonObject:
    """Return the approver where the caller is known; it replaces the one that the request names."""
    caller = person()
    return {"approver": caller.name} if caller else {}
