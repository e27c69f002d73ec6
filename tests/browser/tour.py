"""Every page of the console, with content.

The names of the customers and of their goods contain markup and scripts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.web.pages import ROLES
from tests.browser.visitor import NAMES, Visitor
from tests.e2e.client import Shop
from tests.e2e.shopper import Shopper


class HostileShopper(Shopper):
    """A customer whose name and goods contain a script."""

    def __init__(self, shop: Shop, name: str) -> None:
        super().__init__(shop)
        self.customer_id = f"{name}{self.customer_id}"


@dataclass(frozen=True)
class TourOrders:
    """Orders for the pages to show."""

    shopper: Shopper
    booked: list[str]
    high_value: list[str]
    delivered: list[str]


def place_tour_orders(shop: Shop) -> TourOrders:
    """Place one order of each kind for each hostile name."""
    shoppers = [HostileShopper(shop, name) for name in NAMES]
    booked = [shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1}) for shopper in shoppers]
    high_value = [shopper.orders({shopper.goods(price=60_000, a=2): 2}) for shopper in shoppers]
    delivered = [shopper.orders({shopper.goods(a=1): 1, shopper.goods(b=1): 1}) for shopper in shoppers]
    for shopper, waiting, unapproved, order_id in zip(shoppers, booked, high_value, delivered, strict=True):
        shopper.sees_shipments(waiting, "booked")
        shopper.sees(unapproved, "approvalRequired")
        shopper.delivers(order_id)
    return TourOrders(shoppers[0], booked, high_value, delivered)


@dataclass(frozen=True)
class Stop:
    """A page: its name, and how to open it."""

    name: str
    opens: Callable[[Visitor, TourOrders], None]

    def __str__(self) -> str:
        return self.name


def _home(visitor: Visitor, _orders: TourOrders) -> None:
    visitor.goes_to("/")


def _role(name: str) -> Callable[[Visitor, TourOrders], None]:
    def opens(visitor: Visitor, orders: TourOrders) -> None:
        if name == "Customer":
            visitor.is_customer(orders.shopper.customer_id)
        visitor.is_role(name)

    return opens


def _open_question(visitor: Visitor, orders: TourOrders) -> None:
    shopper = orders.shopper
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(): 1})
    shopper.sees(order_id, "customerActionRequired")
    visitor.goes_to(f"/shop/orders/{order_id}")


def _delivered(visitor: Visitor, orders: TourOrders) -> None:
    visitor.goes_to(f"/shop/orders/{orders.delivered[1]}")


def _support(visitor: Visitor, orders: TourOrders) -> None:
    visitor.goes_to(f"/support/orders/{orders.delivered[0]}")


def _missing(visitor: Visitor, _orders: TourOrders) -> None:
    visitor.expect_errors("status of 404")
    visitor.goes_to("/shop/orders/nothing-of-this-name")


STOPS = [
    Stop("home", _home),
    *(Stop(role.name, _role(role.name)) for role in ROLES),
    Stop("an order with a question", _open_question),
    Stop("a delivered order", _delivered),
    Stop("an order in support", _support),
    Stop("a missing page", _missing),
]
