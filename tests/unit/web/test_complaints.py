"""What is wrong with a form is said in words for who filled it in."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.web.problems import Problem, invalid
from services.web.views.form_errors import readable
from services.web.views.labels import field_of
from tests.unit.web.fakes import FakeShop, console

JSON = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("/store/restock", {"sku": "", "formKey": "k"}, {"sku": "must not be empty", "warehouse": "must not be empty"}),
        ("/store/items", {"sku": "x" * 101, "price": "1"}, {"sku": "must have at most 100 characters"}),
        ("/operator/stream", {"rate": "many"}, {"rate": "must be a number"}),
        ("/operator/stream", {"rate": "21"}, {"rate": "must be 20 or less"}),
        ("/operator/stream", {"duration": "1"}, {"duration": "must be 5 or more"}),
        ("/operator/chaos", {"service": "redis"}, {"service": "is none of the choices"}),
        ("/shop/customer", {"customer": " "}, {"customer": "must not be empty"}),
    ],
)
def test_no_form_is_refused_in_the_words_of_a_program(path: str, form: dict[str, str], told: dict[str, str]) -> None:
    answer = console(FakeShop()).post(path, data=form, headers=JSON).get_json()
    errors = {error["field"]: error["detail"] for error in answer["errors"]}
    assert errors | told == errors
    assert not any(word in answer["detail"] for word in ("String", "Input", "Field"))


def test_other_problems_stay_as_they_are() -> None:
    for one in (Problem(409, "late", "too late"), Problem(422, "priceChanged", "a price"), invalid(("a", "is odd"))):
        assert readable(one).body() == one.body()


@pytest.mark.parametrize(
    ("name", "called"),
    [("dispatchAfter", "Dispatch after"), ("sku", "SKU"), ("quantity:milk", "milk"), ("items.0.sku", "items.0.sku")],
)
def test_a_field_is_called_as_a_person_would(name: str, called: str) -> None:
    assert field_of(name) == called


@pytest.mark.parametrize(
    ("path", "service", "told"),
    [
        ("/shop/orders/A1", "orderprocessing", "The order service does not answer right now."),
        ("/store/", "inventory", "The inventory does not answer right now."),
    ],
)
def test_a_service_that_is_away_is_named(path: str, service: str, told: str) -> None:
    shop = FakeShop()
    for asked in ("orders/A1", "inventory"):
        shop.on(service, "GET", asked, TransientError("no answer"))
    assert told in console(shop).get(path, headers={"Accept": "text/html"}).text
