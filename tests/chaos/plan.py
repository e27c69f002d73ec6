"""The plan of kills, derived from the seed alone so that a run is reproducible."""

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
_TWO_WAREHOUSES_SHARE = 0.15
_SIDECAR = " sidecar"


@dataclass(frozen=True)
class Kill:
    """One kill: the pause before it in seconds, and the processes that it kills at the same time."""

    pause: float
    victims: tuple[str, ...]

    @property
    def power_cut(self) -> bool:
        """Return whether all processes are killed."""
        return self.victims == (POWER_CUT,)

    @property
    def condition(self) -> str | None:
        """Return the condition to cause instead of a kill, or None for a kill."""
        return self.victims[0] if self.victims[0] in CONDITIONS else None


def make_plan(seed: int, names: Sequence[str], kills: int) -> list[list[Kill]]:
    """Return rounds with a total of `kills` kills: every process in turn, shuffled for each turn.

    Every 25 kills include a power cut. Sometimes two related processes are killed at the same time.
    """
    random = Random(f"plan {seed}")
    planned: list[Kill] = []
    turn: list[str] = []
    for start in range(0, kills, _POWER_CUT_EVERY):
        size = min(_POWER_CUT_EVERY, kills - start)
        cut = random.randrange(size) if size > _POWER_CUT_EVERY // 2 else None
        for number in range(size):
            turn = turn or random.sample(list(names), len(names))
            victims = (POWER_CUT,) if number == cut else _victims(turn.pop(), names, random)
            planned.append(Kill(round(random.uniform(*_PAUSE), 3), victims))
    return _in_rounds(planned, random)


def conditions_round(conditions: Sequence[str]) -> list[Kill]:
    """Return a round that causes each condition once."""
    return [Kill(_BEFORE_CONDITION, (condition,)) for condition in conditions]


def _victims(first: str, names: Sequence[str], random: Random) -> tuple[str, ...]:
    if random.random() >= _TWO_WAREHOUSES_SHARE:
        return (first,)
    partner = _partner(first)
    return (first, partner) if partner in names else (first,)


def _partner(name: str) -> str:
    """Return the process that is killed together with another: an app and its sidecar, Redis and its main writer."""
    if name.endswith(_SIDECAR):
        return name.removesuffix(_SIDECAR)
    known = {"redis": "worker-1", "placement": "scheduler", "scheduler": "redis"}
    return known.get(name, name + _SIDECAR)


def _in_rounds(planned: list[Kill], random: Random) -> list[list[Kill]]:
    rounds = []
    while planned:
        size = random.randint(*_ROUND)
        if len(planned) - size < _ROUND[0] // 2:
            size = len(planned)  # avoids a last round of one or two kills
        rounds.append(planned[:size])
        planned = planned[size:]
    return rounds
