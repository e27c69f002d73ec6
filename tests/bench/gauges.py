"""Resource usage of a running system: CPU time and memory of each process, and counters of the sidecars. Linux only."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

from launcher.system.stack import Stack

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_COUNTED = {
    "dapr_component_state_count": "state operations",
    "dapr_runtime_workflow_activity_execution_count": "activities",
    "dapr_component_pubsub_egress_bulk_event_count": "events published",
    "dapr_component_pubsub_ingress_bulk_count": "deliveries to the feed",
}
_LINE = re.compile(r"^(\w+)\{.*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Use:
    """CPU time of a process in seconds, and its current memory in bytes."""

    cpu: float
    memory: int


def use_of_each(stack: Stack) -> dict[str, Use]:
    """Return the usage of each running process, by name."""
    pids = {name: stack.pid(name) for name in stack.names()}
    return {name: _use(pid) for name, pid in pids.items() if pid is not None}


def _use(pid: int) -> Use:
    # After the program name, which may contain any character. See proc(5), fields 14, 15 and 24.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Use((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE)


def counts(stack: Stack) -> Counter[str]:
    """Return the sums of the counters of all sidecars."""
    found: Counter[str] = Counter()
    for app in stack.apps():
        answer = requests.get(f"http://127.0.0.1:{app.ports['metricsPort']}/metrics", timeout=5)
        for name, value in _LINE.findall(answer.text):
            if name in _COUNTED:
                found[_COUNTED[name]] += round(float(value))
    return found
