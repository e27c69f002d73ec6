from random import Random

import pytest

from services.common.web.base_app import parse
from services.common.web.problems import Problem
from services.load_generator.scenarios import Mix
from services.load_generator.settings import StreamSettings
from tests.unit.web.fake_orders import DEAR, GOODS, SCARCE
from tests.unit.web.fakes import item


def wrong(**form: str) -> dict[str, str]:
    with pytest.raises(Problem) as caught:
        parse(StreamSettings, dict(form))
    assert caught.value.status == 422
    return {error["field"]: error["detail"] for error in caught.value.errors}


def mix(**settings: float) -> Mix:
    return Mix(StreamSettings(**settings), GOODS, Random(7))


def share(count: int, of: int) -> float:
    return 100 * count / of


def test_the_text_of_a_form_becomes_numbers_and_what_it_leaves_out_has_a_default() -> None:
    settings = parse(StreamSettings, {"rate": "0.5", "duration": "30", "changeMind": "10"})
    assert (settings.rate, settings.duration, settings.change_mind, settings.orders) == (0.5, 30.0, 10.0, 15)
    assert settings.amend + settings.cancel + settings.silent == 100


def test_no_stream_has_more_than_twelve_thousand_orders_and_none_has_none() -> None:
    assert StreamSettings(rate=20, duration=600).orders == 12_000
    assert StreamSettings(rate=0.1, duration=5).orders == 1


def test_every_wrong_field_is_said_at_once() -> None:
    fields = wrong(
        rate="21", duration="", missing="-1", deliverAfter="nan", amend="50", reject="10", approverSilent="0", raet="1"
    )
    assert set(fields) == {"rate", "duration", "missing", "deliverAfter", "silent", "approverSilent", "raet"}
    assert "must make 100 % together, they make 70 %" in fields["silent"]


def test_a_share_that_is_wrong_by_itself_is_not_said_to_make_a_wrong_sum_too() -> None:
    assert set(wrong(amend="101", cancel="0", silent="0")) == {"amend"}


def test_orders_are_mixed_by_the_shares() -> None:
    baskets = [mixed.basket() for mixed in [mix(missing=30, dear=20)] for _ in range(2000)]
    assert 27 < share(sum(SCARCE in basket for basket in baskets), 2000) < 33
    assert 17 < share(sum(DEAR in basket for basket in baskets), 2000) < 23
    assert all(set(basket) - {SCARCE} for basket in baskets)


def test_shares_of_nothing_and_of_all_are_exact() -> None:
    assert not any({SCARCE, DEAR} & set(basket) for mixed in [mix(missing=0, dear=0)] for basket in [mixed.basket()])
    assert all({SCARCE, DEAR} <= set(mixed.basket()) for mixed in [mix(missing=100, dear=100)] for _ in range(100))


def test_where_nothing_is_dear_much_of_something_is_ordered() -> None:
    milk = item("milk", 400, 5000)
    assert Mix(StreamSettings(missing=0, dear=100), [milk], Random(7)).basket() == {"milk": 250}


def test_what_is_dear_is_as_configured() -> None:
    assert Mix(StreamSettings(missing=0, dear=100), [item("milk", 400, 5000)], Random(7), 2000).basket() == {"milk": 5}
    assert all(Mix(StreamSettings(missing=0, dear=100), GOODS, Random(7), 0).basket().values())


def test_without_goods_on_the_shelves_nothing_can_be_ordered() -> None:
    assert Mix(StreamSettings(), [item("milk", 400, 0)], Random(7)).empty
    assert not mix().empty


def test_people_behave_by_the_shares() -> None:
    mixed = mix(amend=50, cancel=30, silent=20, approve=60, reject=30, approver_silent=10, change_mind=5)
    people = [mixed.person() for _ in range(4000)]
    answers = [share(sum(one.answer == answer for one in people), 4000) for answer in ("amend", "cancel", None)]
    verdicts = [share(sum(one.approves is verdict for one in people), 4000) for verdict in (True, False, None)]
    assert answers == [pytest.approx(50, abs=4), pytest.approx(30, abs=4), pytest.approx(20, abs=4)]
    assert verdicts == [pytest.approx(60, abs=4), pytest.approx(30, abs=4), pytest.approx(10, abs=4)]
    assert share(sum(one.changes_mind is not None for one in people), 4000) == pytest.approx(5, abs=2)
