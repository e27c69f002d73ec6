"""A plan depends only on its seed and includes every process."""

from collections import Counter

from tests.chaos.plan import POWER_CUT, Kill, make_plan

SERVICES = ["orderprocessing", "notifications", "inventory", "billing", "shipping", "fraud"]
WORKERS = ["worker-1", "worker-2"]
NAMES = ["redis", "placement", "scheduler", *SERVICES, *(f"{name} sidecar" for name in SERVICES), *WORKERS]


def flat(rounds: list[list[Kill]]) -> list[Kill]:
    return [kill for kills in rounds for kill in kills]


def test_plan_depends_only_on_the_seed() -> None:
    assert make_plan(1, NAMES, 100) == make_plan(1, NAMES, 100)
    assert make_plan(1, NAMES, 100) != make_plan(2, NAMES, 100)


def test_plan_has_the_requested_number_of_kills_in_rounds_of_sensible_size() -> None:
    for kills in (1, 5, 13, 20, 21, 170):
        rounds = make_plan(3, NAMES, kills)
        assert len(flat(rounds)) == kills
        assert all(4 <= len(one) <= 16 for one in rounds) or kills < 4


def test_plan_kills_every_process_in_turn_with_occasional_power_cuts() -> None:
    plan = flat(make_plan(4, NAMES, 100))
    times = Counter(kill.victims[0] for kill in plan)
    assert times.pop(POWER_CUT) == 4
    assert set(times) == set(NAMES)
    assert max(times.values()) - min(times.values()) <= 1
    assert any(len(kill.victims) == 2 for kill in plan)


def test_short_plan_has_every_process_and_a_power_cut_for_any_seed() -> None:
    for seed in range(50):
        hit = {victim for kill in flat(make_plan(seed, NAMES, 20)) for victim in kill.victims}
        assert hit == {*NAMES, POWER_CUT}


def test_processes_killed_together_exist_in_the_system() -> None:
    names = [*NAMES, "orderprocessing-2", "orderprocessing-2 sidecar"]
    victims = {victim for seed in range(20) for kill in flat(make_plan(seed, names, 50)) for victim in kill.victims}
    assert victims == {*names, POWER_CUT}
