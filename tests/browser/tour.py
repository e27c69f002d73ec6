"""Every page that there is, the roles' own and those behind them, with something to see on it.

Whoever ordered what is to be seen has a name, and goods with names, that would like to be scripts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.web.pages import ROLES
from tests.browser.visitor import NAMES, Visitor
from tests.e2e.client import Shop
from tests.e2e.shopper import Shopper


class HostileShopper(Shopper):
    """A customer whose name, and the names of whose goods, would like to be a script."""

    def __init__(self, shop: Shop, name: str) -> None:
        super().__init__(shop)
        self.customer_id = f"{name}{self.customer_id}"


@dataclass(frozen=True)
class Furniture:
    """Orders that are there for as long as the pages are looked at."""

    shopper: Shopper
    booked: list[str]
    dear: list[str]
    over: list[str]


def furnish(shop: Shop) -> Furniture:
    """Place the orders, one of each kind for each hostile name."""
    shoppers = [HostileShopper(shop, name) for name in NAMES]
    booked = [one.orders({one.goods(a=1): 1, one.goods(b=1): 1}) for one in shoppers]
    dear = [one.orders({one.goods(price=60_000, a=2): 2}) for one in shoppers]
    over = [one.orders({one.goods(a=1): 1, one.goods(b=1): 1}) for one in shoppers]
    for shopper, waiting, expensive, delivered in zip(shoppers, booked, dear, over, strict=True):
        shopper.sees_shipments(waiting, "booked")
        shopper.sees(expensive, "approvalRequired")
        shopper.delivers(delivered)
    return Furniture(shoppers[0], booked, dear, over)


@dataclass(frozen=True)
class Stop:
    """A page, by a name for it, and how to open it."""

    name: str
    opens: Callable[[Visitor, Furniture], None]

    def __str__(self) -> str:
        return self.name


def _home(visitor: Visitor, _furniture: Furniture) -> None:
    visitor.goes_to("/")


def _role(name: str) -> Callable[[Visitor, Furniture], None]:
    def opens(visitor: Visitor, furniture: Furniture) -> None:
        if name == "Customer":
            visitor.is_customer(furniture.shopper.customer_id)
        visitor.is_role(name)

    return opens


def _asking(visitor: Visitor, furniture: Furniture) -> None:
    shopper = furniture.shopper
    order_id = shopper.orders({shopper.goods(a=1): 1, shopper.goods(): 1})
    shopper.sees(order_id, "customerActionRequired")
    visitor.goes_to(f"/shop/orders/{order_id}")


def _over(visitor: Visitor, furniture: Furniture) -> None:
    visitor.goes_to(f"/shop/orders/{furniture.over[1]}")


def _support(visitor: Visitor, furniture: Furniture) -> None:
    visitor.goes_to(f"/support/orders/{furniture.over[0]}")


def _nowhere(visitor: Visitor, _furniture: Furniture) -> None:
    visitor.excuse("status of 404")
    visitor.goes_to("/shop/orders/nothing-of-this-name")


STOPS = [
    Stop("home", _home),
    *(Stop(role.name, _role(role.name)) for role in ROLES),
    Stop("an order that asks", _asking),
    Stop("an order that is over", _over),
    Stop("an order as support sees it", _support),
    Stop("a page that is not there", _nowhere),
]
