"""The forms of the store manager."""

import pytest

from services.web.views.stock import Restock, format_major_units, parse_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("59.90", 5990),
        ("59.9", 5990),
        ("59", 5900),
        ("0", 0),
        ("0.01", 1),
        ("1,289.00", 128900),
        ("1,000,000", 100000000),
        ("59.900", 5990),
        ("007", 700),
        ("4,50", 450),
        ("59,9", 5990),
        ("1.289,50", 128950),
        ("1 289,50", 128950),
        ("1\u202f289,50", 128950),
        ("1'289.50", 128950),
        ("1.000.000", 100000000),
        ("1,289", 128900),
    ],
)
def test_an_amount_is_parsed_in_any_usual_format(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "-1",
        "+1",
        "1.2.3",
        "1.289.50",
        "1,289,50",
        "1 28",
        "59,999.999",
        "4,50,",
        "59.999",
        ".5",
        "5.",
        "1e3",
        "NaN",
        "$5",
        "\u0665",
        "1" * 16,
    ],
)
def test_other_text_is_not_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(text)


@pytest.mark.parametrize("amount", [0, 1, 99, 100, 5990, 10**15])
def test_formatting_and_parsing_are_inverse(amount: int) -> None:
    assert parse_amount(format_major_units(amount)) == amount


def test_a_repeated_form_has_the_same_key_and_a_corrected_form_a_new_one() -> None:
    form = Restock(sku="a", warehouse="b", quantity="5", form_key="k")
    assert form.key() == Restock(sku="a", warehouse="b", quantity="5", form_key="k").key()
    others = [
        Restock(sku="x", warehouse="b", quantity="5", form_key="k"),
        Restock(sku="a", warehouse="x", quantity="5", form_key="k"),
        Restock(sku="a", warehouse="b", quantity="6", form_key="k"),
        Restock(sku="a", warehouse="b", quantity="5", form_key="x"),
    ]
    assert len({form.key(), *(other.key() for other in others)}) == 5
