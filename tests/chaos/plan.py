"""What is killed when: a plan made of the seed alone, so that a run can be repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.conditions import DISK_FULL, JOBS_DELETED

POWER_CUT = "everything (power cut)"
CONDITIONS = (JOBS_DELETED, DISK_FULL)

_PAUSE = (0.2, 4.0)
_ROUND = (8, 12)
_BEFORE_CONDITION = 4.0
_POWER_CUT_EVERY = 25
_PAIR_SHARE = 0.15
_SIDECAR = " sidecar"


@dataclass(frozen=True)
class Kill:
    """One blow: how long to wait before it, in seconds, and which processes it hits at once."""

    pause: float
    victims: tuple[str, ...]

    @property
    def power_cut(self) -> bool:
        """Tell whether everything is hit."""
        return self.victims == (POWER_CUT,)

    @property
    def condition(self) -> str | None:
        """Return the condition that is brought about instead of a kill, None for a kill."""
        return self.victims[0] if self.victims[0] in CONDITIONS else None


def make_plan(seed: int, names: Sequence[str], kills: int) -> list[list[Kill]]:
    """Return rounds of kills, `kills` in all: every name in turn, in an order anew for each turn.

    Each 25 kills have a power cut among them; now and then two processes that belong together are hit at once.
    """
    chance = Random(f"plan {seed}")
    planned: list[Kill] = []
    turn: list[str] = []
    for start in range(0, kills, _POWER_CUT_EVERY):
        size = min(_POWER_CUT_EVERY, kills - start)
        cut = chance.randrange(size) if size > _POWER_CUT_EVERY // 2 else None
        for number in range(size):
            turn = turn or chance.sample(list(names), len(names))
            victims = (POWER_CUT,) if number == cut else _victims(turn.pop(), names, chance)
            planned.append(Kill(round(chance.uniform(*_PAUSE), 3), victims))
    return _in_rounds(planned, chance)


def conditions_round(conditions: Sequence[str]) -> list[Kill]:
    """Return a round that brings about each condition once."""
    return [Kill(_BEFORE_CONDITION, (condition,)) for condition in conditions]


def _victims(first: str, names: Sequence[str], chance: Random) -> tuple[str, ...]:
    if chance.random() >= _PAIR_SHARE:
        return (first,)
    partner = _partner(first)
    return (first, partner) if partner in names else (first,)


def _partner(name: str) -> str:
    """Return what is hit together with a process: an app and its sidecar, Redis and who writes most to it."""
    if name.endswith(_SIDECAR):
        return name.removesuffix(_SIDECAR)
    known = {"redis": "orderprocessing", "placement": "scheduler", "scheduler": "redis"}
    return known.get(name, name + _SIDECAR)


def _in_rounds(planned: list[Kill], chance: Random) -> list[list[Kill]]:
    rounds = []
    while planned:
        size = chance.randint(*_ROUND)
        if len(planned) - size < _ROUND[0] // 2:
            size = len(planned)  # a last round of one or two kills is not worth its checks
        rounds.append(planned[:size])
        planned = planned[size:]
    return rounds
