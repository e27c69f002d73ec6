"""Records the histories of all scenarios anew, from a separate system on other ports: `make record-histories`."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.collector import Collector
from tests.e2e.groups import Scenario, ScenarioRunner
from tests.e2e.launch import SHORT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.scenarios import SCENARIOS
from tests.e2e.shopper import Shopper
from tests.replay.recordings import file_of
from workflow_testing import History, write_histories
from workflow_testing.histories import parse_histories

PORT_OFFSET = 9000
_ENDED_WITHIN = 15.0


def main() -> int:
    """Run every scenario and write the histories of its orders; return 1 if a scenario failed."""
    failed = []
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("--set", required=True, dest="recordings", help="the set of recordings to write")
    recordings = parser.parse_args().recordings
    with (
        tempfile.TemporaryDirectory() as folder,
        Collector() as collector,
        running(make_stack(Path(folder), PORT_OFFSET, SHORT, collector.address)) as system,
    ):
        run_scenario = ScenarioRunner(system)
        for scenario in SCENARIOS:
            try:
                record(scenario, run_scenario(scenario), recordings)
            except Exception as error:  # noqa: BLE001 - the others are recorded all the same
                failed.append(f"{scenario.name}: {error}")
    sys.stderr.write("".join(f"not recorded: {line}\n" for line in failed))
    return int(bool(failed))


def record(scenario: Scenario, shopper: Shopper, recordings: str) -> None:
    """Write the histories of a scenario's orders."""
    histories = [history for order_id in shopper.placed for history in complete(shopper, order_id)]
    path = file_of(recordings, scenario.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_histories(path, histories)
    sys.stdout.write(f"{path.name}: {len(histories)} workflow instances, {path.stat().st_size} bytes\n")


def complete(shopper: Shopper, order_id: str) -> list[History]:
    """Return the histories of an order when its workflows have ended, or as they are while it waits for a person."""

    def ended() -> list[History]:
        histories = export(shopper, order_id)
        assert histories, f"{order_id} has no history"
        assert all(one.events[-1].HasField("executionCompleted") for one in histories), f"{order_id} still runs"
        return histories

    try:
        return eventually(ended, _ENDED_WITHIN)
    except AssertionError:
        return export(shopper, order_id)


def export(shopper: Shopper, order_id: str) -> list[History]:
    """Return the histories of an order as they are."""
    return parse_histories(without_paths(shopper.shop.get("orderprocessing", f"/orders/{order_id}/history/export")))


def without_paths(document: Any) -> Any:
    """Return an export without the stack traces of failures, which have paths of this machine."""
    if isinstance(document, dict):
        return {name: without_paths(value) for name, value in document.items() if name != "stackTrace"}
    return [without_paths(each) for each in document] if isinstance(document, list) else document


if __name__ == "__main__":
    sys.exit(main())
