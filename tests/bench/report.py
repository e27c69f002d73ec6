"""Benchmark results as tables and as JSON."""

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
"""Work of the engine for an order, in units of activities: three workflows, two of them children, five activities and
two events, by their measured costs (docs/performance.md)."""


@dataclass
class Finding:
    """Results of a run: its orders, the CPU time of each process in seconds, and the counters of the sidecars."""

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
    """Results of a benchmark. `engine` is in activities per second of the bare engine, memory in bytes."""

    engine: float
    idle: dict[str, Use] = field(default_factory=dict)
    after: dict[str, Use] = field(default_factory=dict)
    runs: list[Finding] = field(default_factory=list)


def share(values: Sequence[float], part: float) -> float:
    """Return the quantile of the values, or 0 without values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def tables(findings: Findings) -> str:
    """Return the results as text."""
    names = [one.name for one in findings.runs]
    return "\n\n".join(
        [
            aligned([_HEADS, *(_run_row(one) for one in findings.runs)]),
            aligned([["CPU ms/order", *names, "MB idle", "MB after"], *_process_rows(findings)]),
            aligned([["per order", *names], *_count_rows(findings.runs)]),
            _engine_sentence(findings),
        ]
    )


_TIMES = ["p50", "p95", "p99"]
_HEADS = ["run", "orders", "refused", "orders/s", "accept ms:", *_TIMES, "to completion s:", *_TIMES, "CPU ms/order"]


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
        f"The bare engine ran {findings.engine:.0f} activities per second in the same run. An order corresponds to "
        f"{ENGINE_WORK:.1f} activities, so its limit is {findings.engine / ENGINE_WORK:.0f} orders per second. "
        f"The system reached {fastest:.1f}: {fastest * ENGINE_WORK / findings.engine:.0%} of that."
    )


def as_json(findings: Findings) -> dict[str, Any]:
    """Return the results for `json.dump`, with times in seconds and memory in bytes."""
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
