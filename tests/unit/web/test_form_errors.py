"""Errors of forms are readable."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.web.problems import Problem, invalid
from services.web.views.form_errors import with_readable_errors
from services.web.views.labels import field_label
from tests.unit.web.fakes import FakeShop, console

JSON = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("path", "form", "expected"),
    [
        ("/store/restock", {"sku": "", "formKey": "k"}, {"sku": "must not be empty", "warehouse": "must not be empty"}),
        ("/store/items", {"sku": "x" * 101, "price": "1"}, {"sku": "must have at most 100 characters"}),
        ("/operator/stream", {"rate": "many"}, {"rate": "must be a number"}),
        ("/operator/stream", {"rate": "21"}, {"rate": "must be 20 or less"}),
        ("/operator/stream", {"duration": "1"}, {"duration": "must be 5 or more"}),
        ("/operator/chaos", {"service": "redis"}, {"service": "is not one of the choices"}),
        ("/shop/customer", {"customer": " "}, {"customer": "must not be empty"}),
    ],
)
def test_form_errors_are_readable(path: str, form: dict[str, str], expected: dict[str, str]) -> None:
    answer = console(FakeShop()).post(path, data=form, headers=JSON).get_json()
    errors = {error["field"]: error["detail"] for error in answer["errors"]}
    assert errors | expected == errors
    assert not any(word in answer["detail"] for word in ("String", "Input", "Field"))


def test_other_problems_are_unchanged() -> None:
    for problem in (
        Problem(409, "late", "too late"),
        Problem(422, "priceChanged", "a price"),
        invalid(("a", "is odd")),
    ):
        assert with_readable_errors(problem).body() == problem.body()


@pytest.mark.parametrize(
    ("name", "label"),
    [("dispatchAfter", "Dispatch after"), ("sku", "SKU"), ("quantity:milk", "milk"), ("items.0.sku", "items.0.sku")],
)
def test_a_field_has_a_label(name: str, label: str) -> None:
    assert field_label(name) == label


@pytest.mark.parametrize(
    ("path", "service", "text"),
    [
        ("/shop/orders/A1", "orderprocessing", "The order service is not responding."),
        ("/store/", "inventory", "The inventory service is not responding."),
    ],
)
def test_an_unavailable_service_is_named(path: str, service: str, text: str) -> None:
    shop = FakeShop()
    for resource in ("orders/A1", "inventory"):
        shop.on(service, "GET", resource, TransientError("no answer"))
    assert text in console(shop).get(path, headers={"Accept": "text/html"}).text
