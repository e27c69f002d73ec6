"""Results of a run, as tables and as JSON."""

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
    """Results of one seed. Recovery times in seconds and the longest steps of slow orders are by order id."""

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
    kill_log: list[str] = field(default_factory=list)
    all_final_after: float = 0.0
    """Seconds from the last kill of the last round until every order was final."""

    @property
    def longest(self) -> float:
        """Return the longest recovery time of an order."""
        return max(self.recoveries.values(), default=0.0)

    @property
    def zero(self) -> bool:
        """Return whether all checks passed, regardless of recovery times."""
        return not self.faults and not self.errors

    @property
    def good(self) -> bool:
        """Return whether all checks passed and every order recovered in time."""
        return self.zero and self.longest <= RECOVERY_TARGET_S

    def slow(self) -> list[str]:
        """Return the orders that recovered too late."""
        late = [(took, order_id) for order_id, took in self.recoveries.items() if took > RECOVERY_TARGET_S]
        return [f"{order_id}: {took:.1f} s, {self.standstills[order_id]}" for took, order_id in sorted(late)[::-1]]


def table(tallies: Sequence[Tally]) -> str:
    """Return the results table of all seeds with totals."""
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
    """Return the counts of kills by process, of orders hit by step, and of orders by kind."""
    victims: Counter[str] = sum((one.victims for one in tallies), Counter())
    kills: Counter[str] = sum((one.coverage.kills for one in tallies), Counter())
    orders: Counter[str] = sum((one.coverage.orders for one in tallies), Counter())
    kinds: Counter[str] = sum((one.kinds for one in tallies), Counter())
    ends: Counter[str] = sum((one.ends for one in tallies), Counter())
    return "\n\n".join(
        [
            _counted("killed", "times", victims),
            aligned([["step of the orders", "kills", "orders"], *_steps(kills, orders)]),
            _counted("kind of order", "orders", kinds),
            _counted("end", "orders", ends),
        ]
    )


def _steps(kills: Counter[str], orders: Counter[str]) -> Iterable[list[str]]:
    return ([step, str(count), str(orders[step])] for step, count in kills.most_common())


def _counted(what: str, head: str, counts: Counter[str]) -> str:
    return aligned([[what, head], *([name, str(count)] for name, count in sorted(counts.items()))])


def as_json(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    """Return the results for `json.dump`."""
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
            "kill_log": one.kill_log,
        }
        for one in tallies
    ]


def _quantiles(figures: list[float]) -> dict[str, float]:
    ordered = sorted(figures)
    return {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in _SHARES.items() if ordered}


_SHARES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}
