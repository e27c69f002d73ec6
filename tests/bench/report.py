"""What a benchmark found, as tables for people and as JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.gauges import Use
from tests.bench.load import Course
from tests.tables import aligned

_MB = 2**20
_SHARES = (0.5, 0.95, 0.99)
ENGINE_WORK = 9.4
"""What the engine does for an order, in activities: three workflows, two of them children, five activities and two
events, by what each costs by itself (docs/performance.md)."""


@dataclass
class Finding:
    """One run: what became of its orders, what it cost each process (CPU in seconds), and what the sidecars counted."""

    name: str
    course: Course
    cpu: dict[str, float]
    counted: Counter[str]

    @property
    def cpu_an_order(self) -> float:
        """CPU time of the whole system per order, in milliseconds."""
        return sum(self.cpu.values()) * 1000 / max(len(self.course.accepted_in), 1)


@dataclass
class Findings:
    """A whole benchmark; `engine` is the bare engine's activities per second, memory is in bytes."""

    engine: float
    idle: dict[str, Use] = field(default_factory=dict)
    after: dict[str, Use] = field(default_factory=dict)
    runs: list[Finding] = field(default_factory=list)


def share(values: Sequence[float], part: float) -> float:
    """Return the value below which this part of the values lies; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def tables(findings: Findings) -> str:
    """Return everything as text."""
    names = [one.name for one in findings.runs]
    return "\n\n".join(
        [
            aligned([_HEADS, *(_run_row(one) for one in findings.runs)]),
            aligned([["CPU ms an order", *names, "MB idle", "MB after"], *_process_rows(findings)]),
            aligned([["an order is", *names], *_count_rows(findings.runs)]),
            _engine_sentence(findings),
        ]
    )


_TIMES = ["p50", "p95", "p99"]
_HEADS = ["run", "orders", "refused", "orders/s", "accept ms:", *_TIMES, "to its end s:", *_TIMES, "CPU ms an order"]


def _run_row(run: Finding) -> list[str]:
    course = run.course
    accepted = [f"{share(course.accepted_in, part) * 1000:.0f}" for part in _SHARES]
    ended = [f"{share(course.ended_in, part):.1f}" for part in _SHARES]
    return [
        run.name,
        str(course.orders),
        str(course.refused),
        f"{course.per_second:.1f}",
        "",
        *accepted,
        "",
        *ended,
        f"{run.cpu_an_order:.0f}",
    ]


def _process_rows(findings: Findings) -> list[list[str]]:
    last = findings.runs[-1].cpu
    rows = []
    for name in sorted(findings.idle, key=lambda one: -last.get(one, 0.0)):
        costs = [f"{one.cpu.get(name, 0.0) * 1000 / max(len(one.course.accepted_in), 1):.1f}" for one in findings.runs]
        memory = [f"{uses[name].memory / _MB:.0f}" if name in uses else "" for uses in (findings.idle, findings.after)]
        rows.append([name, *costs, *memory])
    totals = [f"{sum(use.memory for use in uses.values()) / _MB:.0f}" for uses in (findings.idle, findings.after)]
    return [*rows, ["all", *(f"{one.cpu_an_order:.1f}" for one in findings.runs), *totals]]


def _count_rows(runs: Sequence[Finding]) -> list[list[str]]:
    names = sorted({name for run in runs for name in run.counted})
    return [
        [name, *(f"{run.counted[name] / max(len(run.course.accepted_in), 1):.1f}" for run in runs)] for name in names
    ]


def _engine_sentence(findings: Findings) -> str:
    fastest = max(one.course.per_second for one in findings.runs)
    return (
        f"The bare engine did {findings.engine:.0f} activities a second in the same run. What an order asks of it is "
        f"worth {ENGINE_WORK:.1f} activities, so {findings.engine / ENGINE_WORK:.0f} orders a second are its limit; "
        f"the system at its fastest did {fastest:.1f}: {fastest * ENGINE_WORK / findings.engine:.0%} of that."
    )


def as_json(findings: Findings) -> dict[str, Any]:
    """Return everything for programs; times in seconds, memory in bytes."""
    return {
        "engineActivitiesPerSecond": findings.engine,
        "engineOrdersPerSecond": findings.engine / ENGINE_WORK,
        "memoryIdle": {name: use.memory for name, use in findings.idle.items()},
        "memoryAfter": {name: use.memory for name, use in findings.after.items()},
        "runs": [
            {
                "name": one.name,
                "orders": one.course.orders,
                "refused": one.course.refused,
                "statuses": one.course.statuses,
                "ordersPerSecond": one.course.per_second,
                "accept": {f"p{part * 100:.0f}": share(one.course.accepted_in, part) for part in _SHARES},
                "end": {f"p{part * 100:.0f}": share(one.course.ended_in, part) for part in _SHARES},
                "cpu": one.cpu,
                "counted": dict(one.counted),
            }
            for one in findings.runs
        ],
    }
