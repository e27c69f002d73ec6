"""Takes a request for an order apart: brings both forms into one, checks it whole, and prices it."""

import hashlib
import json
import time
from collections.abc import Callable
from decimal import Decimal
from threading import Lock
from typing import Any

from services.common.dapr.sidecar import TransientError
from services.common.json_models import Wire
from services.common.money import CURRENCY, minor_units
from services.common.web.base_app import parse
from services.common.web.problems import Problem, invalid
from services.orderprocessing.domain.order import JsonObject, Line, OrderRequest


class Draft(Wire):
    """A checked request: what is ordered, by whom, and the total that the client expects, in minor units."""

    id: str | None
    customer_id: str
    items: dict[str, int]
    total: int | None

    @property
    def fingerprint(self) -> str:
        """A digest that is equal for requests that mean the same."""
        meaning = json.dumps([self.customer_id, sorted(self.items.items())], ensure_ascii=True)
        return hashlib.sha256(meaning.encode()).hexdigest()


def read_draft(body: JsonObject) -> Draft:
    """Check a request in either form. Raises the 422 that names every wrong field."""
    wrong: list[dict[str, str]] = []
    total = None
    try:
        total = _total(body.get("total"))
    except ValueError as error:
        wrong.append({"field": "total", "detail": str(error)})
    normal, places = _normal_form(body)
    try:
        request = parse(OrderRequest, normal)
    except Problem as problem:
        wrong = [one | {"field": _as_sent(one["field"], body, places)} for one in problem.errors] + wrong
    if wrong:
        raise invalid(*((one["field"], one["detail"]) for one in wrong))
    items: dict[str, int] = {}
    for item in request.items:
        items[item.sku] = items.get(item.sku, 0) + item.quantity
    return Draft(id=request.id, customer_id=request.customer_id, items=items, total=total)


def _normal_form(body: JsonObject) -> tuple[JsonObject, list[int]]:
    """Bring both forms into one; also return, for each item of it, where the client sent it."""
    normal = {key: value for key, value in body.items() if key in {"id", "customerId", "items"}}
    if "customerId" not in normal and "customer" in body:
        normal["customerId"] = body["customer"]
    if not isinstance(body.get("items"), list):
        return normal, []
    items: list[Any] = []
    places: list[int] = []
    strings: dict[str, JsonObject] = {}
    for place, item in enumerate(body["items"]):
        if isinstance(item, str) and item in strings:
            strings[item]["quantity"] += 1
            continue
        if isinstance(item, str):
            strings[item] = {"sku": item, "quantity": 1}
        items.append(strings[item] if isinstance(item, str) else item)
        places.append(place)
    return normal | {"items": items}, places


def _as_sent(field: str, body: JsonObject, places: list[int]) -> str:
    """Name a wrong field as the client's own form has it."""
    if field == "customerId" and "customerId" not in body and "customer" in body:
        return "customer"
    parts = field.split(".")
    if parts[0] != "items" or len(parts) == 1:
        return field
    place = places[int(parts[1])]
    return f"items.{place}" if isinstance(body["items"][place], str) else ".".join(["items", str(place), *parts[2:]])


def _total(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")
    try:
        return minor_units(Decimal(value))
    except ArithmeticError as error:
        raise ValueError("not an amount of money") from error


class Catalogue:
    """The prices, read from inventory at most once a second and kept while inventory is away.

    A price that changed a moment ago may be seen a second later; an SKU that is not known, or a total that does not
    fit, is looked up anew before it is refused, and not refused for good while that cannot be done.
    """

    def __init__(self, fetch: Callable[[], dict[str, int]], lifetime: float = 1.0) -> None:
        self._fetch, self._lifetime = fetch, lifetime
        self._prices: dict[str, int] = {}
        self._fetched_at = -lifetime
        self._guard = Lock()

    def price(self, draft: Draft) -> list[Line]:
        """Return the draft's lines with their prices.

        Raises the 422 for unknown SKUs and for another total, and TransientError while there is no price list.
        """
        prices = self._current(self._lifetime)
        if _wrong(draft, prices):
            prices = self._current(0)
        wrong = _wrong(draft, prices)
        if wrong:
            raise invalid(*wrong)
        return [Line(sku=sku, quantity=quantity, unit_price=prices[sku]) for sku, quantity in draft.items.items()]

    def _current(self, lifetime: float) -> dict[str, int]:
        with self._guard:
            if time.monotonic() - self._fetched_at >= lifetime:
                try:
                    self._prices = self._fetch()
                except TransientError:
                    if not self._prices or not lifetime:
                        raise
                self._fetched_at = time.monotonic()
            return self._prices


def _wrong(draft: Draft, prices: dict[str, int]) -> list[tuple[str, str]]:
    unknown = [("items", f"there is no SKU {sku!r}") for sku in draft.items if sku not in prices]
    if unknown or draft.total is None:
        return unknown
    goods = sum(prices[sku] * quantity for sku, quantity in draft.items.items())
    if goods == draft.total:
        return []
    return [("total", f"the goods cost {goods / 100:.2f} {CURRENCY}, not {draft.total / 100:.2f}")]
