"""A plan depends on its seed alone and spares nobody."""

from collections import Counter

from tests.chaos.plan import POWER_CUT, Kill, make_plan

SERVICES = ["orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud"]
NAMES = ["redis", "placement", "scheduler", *SERVICES, *(f"{name} sidecar" for name in SERVICES)]


def flat(rounds: list[list[Kill]]) -> list[Kill]:
    return [kill for kills in rounds for kill in kills]


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan(1, NAMES, 100) == make_plan(1, NAMES, 100)
    assert make_plan(1, NAMES, 100) != make_plan(2, NAMES, 100)


def test_a_plan_has_as_many_kills_as_asked_for_in_rounds_that_are_worth_their_checks() -> None:
    for kills in (1, 5, 13, 20, 21, 170):
        rounds = make_plan(3, NAMES, kills)
        assert len(flat(rounds)) == kills
        assert all(4 <= len(one) <= 16 for one in rounds) or kills < 4


def test_every_process_is_killed_in_turn_and_everything_at_once_now_and_then() -> None:
    plan = flat(make_plan(4, NAMES, 100))
    times = Counter(kill.victims[0] for kill in plan)
    assert times.pop(POWER_CUT) == 4
    assert set(times) == set(NAMES)
    assert max(times.values()) - min(times.values()) <= 1
    assert any(len(kill.victims) == 2 for kill in plan)


def test_the_short_form_has_every_process_and_a_power_cut_whatever_the_seed() -> None:
    for seed in range(50):
        hit = {victim for kill in flat(make_plan(seed, NAMES, 20)) for victim in kill.victims}
        assert hit == {*NAMES, POWER_CUT}


def test_two_at_once_are_processes_that_run_here() -> None:
    names = [*NAMES, "orderprocessing-2", "orderprocessing-2 sidecar"]
    victims = {victim for seed in range(20) for kill in flat(make_plan(seed, names, 50)) for victim in kill.victims}
    assert victims == {*names, POWER_CUT}
