"""Parses an order request: converts both forms to the normal form and reports all invalid fields at once."""

from decimal import Decimal
from typing import Any

from services.common.money import minor_units
from services.common.web.base_app import parse
from services.common.web.problems import Problem, invalid
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.order import JsonObject, OrderRequest


def read_draft(body: JsonObject) -> Draft:
    """Parse a request in either form. Raises a 422 Problem that names every invalid field."""
    errors: list[dict[str, str]] = []
    total = None
    try:
        total = _total(body.get("total"))
    except ValueError as error:
        errors.append({"field": "total", "detail": str(error)})
    normal, positions = _normal_form(body)
    try:
        request = parse(OrderRequest, normal)
    except Problem as problem:
        errors = [error | {"field": _as_sent(error["field"], body, positions)} for error in problem.errors] + errors
    if errors:
        raise invalid(*((error["field"], error["detail"]) for error in errors))
    items: dict[str, int] = {}
    for item in request.items:
        items[item.sku] = items.get(item.sku, 0) + item.quantity
    return Draft(id=request.id, customer_id=request.customer_id, items=items, total=total)


def _normal_form(body: JsonObject) -> tuple[JsonObject, list[int]]:
    """Convert either form to the normal form; also return the position of each item in the client's request."""
    normal = {key: value for key, value in body.items() if key in {"id", "customerId", "items"}}
    if "customerId" not in normal and "customer" in body:
        normal["customerId"] = body["customer"]
    if not isinstance(body.get("items"), list):
        return normal, []
    items: list[Any] = []
    positions: list[int] = []
    strings: dict[str, JsonObject] = {}
    for position, item in enumerate(body["items"]):
        if isinstance(item, str) and item in strings:
            strings[item]["quantity"] += 1
            continue
        if isinstance(item, str):
            strings[item] = {"sku": item, "quantity": 1}
        items.append(strings[item] if isinstance(item, str) else item)
        positions.append(position)
    return normal | {"items": items}, positions


def _as_sent(field: str, body: JsonObject, positions: list[int]) -> str:
    """Return the name of an invalid field in the form that the client used."""
    if field == "customerId" and "customerId" not in body and "customer" in body:
        return "customer"
    parts = field.split(".")
    if parts[0] != "items" or len(parts) == 1:
        return field
    position = positions[int(parts[1])]
    return (
        f"items.{position}"
        if isinstance(body["items"][position], str)
        else ".".join(["items", str(position), *parts[2:]])
    )


def _total(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")
    try:
        return minor_units(Decimal(value))
    except ArithmeticError as error:
        raise ValueError("not an amount of money") from error
