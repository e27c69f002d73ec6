import pytest

from services.common.ids import check_owner, fulfillment_id, is_fulfillment_id, split_fulfillment_id


def test_a_fulfillment_id_is_made_and_taken_apart() -> None:
    assert fulfillment_id("A1-176", 12) == "A1-176:12"
    assert split_fulfillment_id("A1-176:12") == ("A1-176", 12)


@pytest.mark.parametrize("text", ["", "A1", "A1:", "A1:0", "A1:01", "A1:12345", "A1:1\n", ":1", "-a:1", "a:1:1", "é:1"])
def test_other_text_is_not_a_fulfillment_id(text: str) -> None:
    assert not is_fulfillment_id(text)
    with pytest.raises(ValueError, match="is not a fulfillment id"):
        split_fulfillment_id(text)


def test_an_owner_is_the_order_in_the_fulfillment_id() -> None:
    assert check_owner("A1", "A1:1") == check_owner("A1", None) == "A1"
    with pytest.raises(ValueError, match="must be the order"):
        check_owner("A", "A1:1")
