from random import Random

import pytest

from services.common.web.base_app import parse
from services.common.web.problems import Problem
from services.load_generator.scenarios import Scenarios
from services.load_generator.settings import StreamSettings
from tests.unit.web.fake_orders import GOODS, HIGH_VALUE, OUT_OF_STOCK
from tests.unit.web.fakes import item


def wrong(**form: str) -> dict[str, str]:
    with pytest.raises(Problem) as caught:
        parse(StreamSettings, dict(form))
    assert caught.value.status == 422
    return {error["field"]: error["detail"] for error in caught.value.errors}


def scenarios(**settings: float) -> Scenarios:
    return Scenarios(StreamSettings(**settings), GOODS, Random(7))


def share(count: int, of: int) -> float:
    return 100 * count / of


def test_form_text_is_parsed_and_missing_fields_have_defaults() -> None:
    settings = parse(StreamSettings, {"rate": "0.5", "duration": "30", "changeMind": "10"})
    assert (settings.rate, settings.duration, settings.change_mind, settings.orders) == (0.5, 30.0, 10.0, 15)
    assert settings.amend + settings.cancel + settings.silent == 100


def test_a_stream_has_from_one_to_twelve_thousand_orders() -> None:
    assert StreamSettings(rate=20, duration=600).orders == 12_000
    assert StreamSettings(rate=0.1, duration=5).orders == 1


def test_all_invalid_fields_are_reported_together() -> None:
    fields = wrong(
        rate="21",
        duration="",
        outOfStock="-1",
        deliverAfter="nan",
        amend="50",
        reject="10",
        approverSilent="0",
        raet="1",
    )
    assert set(fields) == {"rate", "duration", "outOfStock", "deliverAfter", "silent", "approverSilent", "raet"}
    assert "must add up to 100 %; they add up to 70 %" in fields["silent"]


def test_an_invalid_share_is_not_also_reported_as_a_wrong_sum() -> None:
    assert set(wrong(amend="101", cancel="0", silent="0")) == {"amend"}


def test_orders_follow_the_shares() -> None:
    baskets = [source.basket() for source in [scenarios(out_of_stock=30, high_value=20)] for _ in range(2000)]
    assert 27 < share(sum(OUT_OF_STOCK in basket for basket in baskets), 2000) < 33
    assert 17 < share(sum(HIGH_VALUE in basket for basket in baskets), 2000) < 23
    assert all(set(basket) - {OUT_OF_STOCK} for basket in baskets)


def test_shares_of_0_and_100_percent_are_exact() -> None:
    assert not any(
        {OUT_OF_STOCK, HIGH_VALUE} & set(basket)
        for source in [scenarios(out_of_stock=0, high_value=0)]
        for basket in [source.basket()]
    )
    assert all(
        {OUT_OF_STOCK, HIGH_VALUE} <= set(source.basket())
        for source in [scenarios(out_of_stock=100, high_value=100)]
        for _ in range(100)
    )


def test_without_high_value_items_a_large_quantity_reaches_the_threshold() -> None:
    milk = item("milk", 400, 5000)
    assert Scenarios(StreamSettings(out_of_stock=0, high_value=100), [milk], Random(7)).basket() == {"milk": 250}


def test_the_approval_threshold_is_configurable() -> None:
    assert Scenarios(
        StreamSettings(out_of_stock=0, high_value=100), [item("milk", 400, 5000)], Random(7), 2000
    ).basket() == {"milk": 5}
    assert all(Scenarios(StreamSettings(out_of_stock=0, high_value=100), GOODS, Random(7), 0).basket().values())


def test_without_stock_nothing_can_be_ordered() -> None:
    assert Scenarios(StreamSettings(), [item("milk", 400, 0)], Random(7)).empty
    assert not scenarios().empty


def test_users_behave_with_the_given_shares() -> None:
    source = scenarios(amend=50, cancel=30, silent=20, approve=60, reject=30, approver_silent=10, change_mind=5)
    behaviors = [source.behavior() for _ in range(4000)]
    answers = [
        share(sum(behavior.customer_action == answer for behavior in behaviors), 4000)
        for answer in ("amend", "cancel", None)
    ]
    verdicts = [
        share(sum(behavior.approves is verdict for behavior in behaviors), 4000) for verdict in (True, False, None)
    ]
    assert answers == [pytest.approx(50, abs=4), pytest.approx(30, abs=4), pytest.approx(20, abs=4)]
    assert verdicts == [pytest.approx(60, abs=4), pytest.approx(30, abs=4), pytest.approx(10, abs=4)]
    assert share(sum(behavior.cancels_after is not None for behavior in behaviors), 4000) == pytest.approx(5, abs=2)
