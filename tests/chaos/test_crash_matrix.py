"""The short crash matrix kills every process at least once and all at the same time once, then adds fault injection.

`make chaos` runs the long form.
"""

import pytest

from launcher.console import print_line
from launcher.paths import ROOT
from launcher.system.template import read_template
from launcher.system.workers import DEFAULT_WORKERS
from tests.chaos.campaign import SHORT, Campaign, make_stack
from tests.chaos.plan import POWER_CUT
from tests.chaos.report import Tally, details, table
from tests.e2e.launch import log_ends

SERVICES = {app.app_id for app in read_template(ROOT / "dapr.yaml").apps}
SEED = 1
WORKERS = {f"worker-{number}" for number in range(1, DEFAULT_WORKERS + 1)}
NAMES = {"redis", "placement", "scheduler", *SERVICES, *(f"{name} sidecar" for name in SERVICES), *WORKERS}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    folder = tmp_path_factory.mktemp("chaos")
    with make_stack(folder, SHORT) as stack:
        try:
            tally = Campaign(stack, SEED, SHORT, print_line).run()
        except Exception as error:
            raise AssertionError(f"{error}\n{log_ends(folder)}") from error
    print_line(f"{details([tally])}\n\n{table([tally])}\nState and logs: {folder}")
    return tally


def test_every_process_was_killed_while_orders_were_in_flight(tally: Tally) -> None:
    assert tally.kills == SHORT.kills
    assert set(tally.victims) >= NAMES | {POWER_CUT}
    assert tally.orders >= 30
    assert len(tally.coverage.kills) >= 5


def test_no_order_is_lost_or_stuck_and_no_effect_is_duplicated(tally: Tally) -> None:
    assert not tally.errors
    assert not tally.faults, "\n".join(map(str, tally.faults))


def test_every_order_recovers_in_time(tally: Tally) -> None:
    assert not tally.slow()
