"""What a run found, as tables for people and as JSON for programs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.coverage import Coverage
from tests.chaos.faults import Column, Fault
from tests.tables import aligned

RECOVERY_TARGET_S = 30.0


@dataclass
class Tally:
    """What one seed's rounds came to; recoveries in seconds by order id, and where the slow ones stood."""

    seed: int
    rounds: int = 0
    kills: int = 0
    processes: int = 0
    orders: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    victims: Counter[str] = field(default_factory=Counter)
    coverage: Coverage = field(default_factory=Coverage)
    faults: list[Fault] = field(default_factory=list)
    recoveries: dict[str, float] = field(default_factory=dict)
    standstills: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    all_final_after: float = 0.0
    """Seconds from the end of the last round's storm until every order was final."""

    @property
    def longest(self) -> float:
        """Return the longest recovery of an order."""
        return max(self.recoveries.values(), default=0.0)

    @property
    def zero(self) -> bool:
        """Tell whether nothing is wrong, however long it took."""
        return not self.faults and not self.errors

    @property
    def good(self) -> bool:
        """Tell whether the promise was kept."""
        return self.zero and self.longest <= RECOVERY_TARGET_S

    def slow(self) -> list[str]:
        """Return the orders that took longer than promised."""
        late = [(took, order_id) for order_id, took in self.recoveries.items() if took > RECOVERY_TARGET_S]
        return [f"{order_id}: {took:.1f} s, {self.standstills[order_id]}" for took, order_id in sorted(late)[::-1]]


def table(tallies: Sequence[Tally]) -> str:
    """Return the table of all seeds with its total."""
    heads = ["seed", "kills", "processes", "orders", *(column.value for column in Column), "longest recovery"]
    rows = [_row(str(one.seed), [one]) for one in tallies]
    if len(tallies) > 1:
        rows.append(_row("total", tallies))
    return aligned([heads, *rows])


def _row(name: str, tallies: Sequence[Tally]) -> list[str]:
    counts = Counter(fault.column for one in tallies for fault in one.faults)
    sums = [sum(getattr(one, what) for one in tallies) for what in ("kills", "processes", "orders")]
    figures = [*sums, *(counts[column] for column in Column)]
    return [name, *map(str, figures), f"{max(one.longest for one in tallies):.1f} s"]


def details(tallies: Sequence[Tally]) -> str:
    """Return what was killed how often, which steps the kills found orders in, and which orders there were."""
    victims: Counter[str] = sum((one.victims for one in tallies), Counter())
    kills: Counter[str] = sum((one.coverage.kills for one in tallies), Counter())
    orders: Counter[str] = sum((one.coverage.orders for one in tallies), Counter())
    kinds: Counter[str] = sum((one.kinds for one in tallies), Counter())
    ends: Counter[str] = sum((one.ends for one in tallies), Counter())
    return "\n\n".join(
        [
            _counted("killed", "times", victims),
            aligned([["orders were at the step", "kills", "orders"], *_steps(kills, orders)]),
            _counted("kind of order", "orders", kinds),
            _counted("end", "orders", ends),
        ]
    )


def _steps(kills: Counter[str], orders: Counter[str]) -> Iterable[list[str]]:
    return ([step, str(count), str(orders[step])] for step, count in kills.most_common())


def _counted(what: str, head: str, counts: Counter[str]) -> str:
    return aligned([[what, head], *([name, str(count)] for name, count in sorted(counts.items()))])


def as_json(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    """Return everything in a form for `json.dump`."""
    return [
        {
            "seed": one.seed,
            "rounds": one.rounds,
            "kills": one.kills,
            "processesKilled": one.processes,
            "orders": one.orders,
            "faults": {
                column.value: [str(fault) for fault in one.faults if fault.column is column] for column in Column
            },
            "longestRecoverySeconds": round(one.longest, 2),
            "recoveriesSeconds": _quantiles(list(one.recoveries.values())),
            "slow": one.slow(),
            "victims": dict(one.victims),
            "stepsHit": {step: [count, one.coverage.orders[step]] for step, count in one.coverage.kills.items()},
            "kinds": dict(one.kinds),
            "ends": dict(one.ends),
            "errors": one.errors,
            "diary": one.diary,
        }
        for one in tallies
    ]


def _quantiles(figures: list[float]) -> dict[str, float]:
    ordered = sorted(figures)
    return {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in _SHARES.items() if ordered}


_SHARES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}
