"""`python -m tests.bench`: throughput, latency and cost of orders, compared with the limit of the workflow engine."""

import argparse
import json
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import requests

from launcher.console import print_line
from launcher.paths import ROOT
from launcher.system.stack import Stack
from tests.bench.gauges import counts, use_of_each
from tests.bench.load import Course, as_fast_as_taken, at_rate
from tests.bench.report import Finding, Findings, as_json, tables
from tests.e2e.client import Shop

_WARM_UP = 30
_QUIET = 3.0
_BARE_WORKFLOWS = 200
_TIMEOUT = 900.0


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark on an empty system and print the results. Return 0 if every accepted order completed."""
    options = _parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="oms-bench-"))
    try:
        findings = Findings(engine=bare_engine(folder / "bare", options.port_offset, options.workflows))
        measure(folder / "system", options, findings)
    finally:
        shutil.rmtree(folder)
    print_line(f"\n{tables(findings)}")
    if options.json:
        options.json.write_text(json.dumps(as_json(findings), indent=2) + "\n")
    return 0 if all(set(run.course.statuses) <= {"completed"} for run in findings.runs) else 1


def bare_engine(folder: Path, port_offset: int, workflows: int) -> float:
    """Return how many empty activities per second the engine runs."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "components", folder / "components")
    # The run template up to its second app, with the bare worker instead of the first app.
    head, first, *_rest = (ROOT / "dapr.yaml").read_text().split("  - appID: ")
    template = folder / "dapr.yaml"
    bare = re.sub(r'"launcher".*\]', '"tests.bench.bare"]', first)
    template.write_text(f"{head}  - appID: {bare}")
    with Stack(state_dir=folder / "state", port_offset=port_offset, run_template=template) as stack:
        url = f"{stack.address('orderprocessing')}/runs"
        requests.post(url, params={"workflows": str(_WARM_UP)}, timeout=_TIMEOUT)
        answer = requests.post(url, params={"workflows": str(workflows)}, timeout=_TIMEOUT).json()
        return float(answer["activities"] / answer["seconds"])


def measure(folder: Path, options: argparse.Namespace, findings: Findings) -> None:
    """Run orders at maximum throughput and at each rate, on one system."""
    with Stack(state_dir=folder, port_offset=options.port_offset) as stack:
        shop = Shop(stack.address, stack.sidecar_address)
        findings.idle = use_of_each(stack)
        as_fast_as_taken(shop, _WARM_UP, options.customers, _TIMEOUT)
        runs: list[tuple[str, Callable[[], Course]]] = [
            (f"{rate:g}/s", lambda rate=rate: at_rate(shop, rate, options.seconds, _TIMEOUT))  # type: ignore[misc]
            for rate in options.rates
        ]
        runs.append(
            (
                f"{options.customers} customers",
                lambda: as_fast_as_taken(shop, options.orders, options.customers, _TIMEOUT),
            )
        )
        for name, run in runs:
            findings.runs.append(_measured(stack, name, run))
        findings.after = use_of_each(stack)


def _measured(stack: Stack, name: str, run: Callable[[], Course]) -> Finding:
    # Background work of the previous run, mostly deliveries, must not count for this one.
    threading.Event().wait(_QUIET)
    cpu, counted = use_of_each(stack), counts(stack)
    course = run()
    after, counted_after = use_of_each(stack), counts(stack)
    print_line(f"  {name}: {course.per_second:.1f} orders/s, {course.statuses}")
    return Finding(
        name, course, {process: after[process].cpu - cpu[process].cpu for process in after}, counted_after - counted
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--orders", type=int, default=400, help="number of orders at maximum throughput")
    parser.add_argument("--customers", type=int, default=16, help="number of concurrent customers")
    parser.add_argument("--rates", type=float, nargs="*", default=[2.0, 5.0, 10.0], help="orders per second")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration of each rate")
    parser.add_argument("--workflows", type=int, default=_BARE_WORKFLOWS, help="workflows of the bare engine")
    parser.add_argument("--port-offset", type=int, default=1000, help="offset from the default ports")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
