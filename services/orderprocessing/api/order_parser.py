"""Reads a request for an order: brings both forms into one and names every wrong field at once."""

from decimal import Decimal
from typing import Any

from services.common.money import minor_units
from services.common.web.base_app import parse
from services.common.web.problems import Problem, invalid
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.order import JsonObject, OrderRequest


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
