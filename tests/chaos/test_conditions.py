"""The crash matrix with failures of the environment: deleted jobs, a full disk, a wall clock that jumps."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from launcher.console import print_line
from tests.chaos.campaign import Campaign, Settings, make_stack
from tests.chaos.conditions import CLOCK_JUMPS, DISK_FULL, small_disk
from tests.chaos.plan import CONDITIONS
from tests.chaos.report import Tally, table
from tests.chaos.vdso import ClockNotAdjustableError
from tests.chaos.wall_clock import require_adjustable
from tests.e2e.launch import log_ends

SEED = 1
PORT_OFFSET = 4600
ALL_FINAL_WITHIN_S = 90.0
"""After the last condition. An activity without its job counts as lost after 20 s, its retry after 80 s."""

_TIMESTAMP = re.compile(r"^(?:time=\"|\{.*\"ts\":\")?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", re.MULTILINE)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def missing() -> dict[str, str]:
    """Return the conditions that cannot be caused here, with the reason. `tally` fills it."""
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the system."""
    return tmp_path_factory.mktemp("conditions")


@pytest.fixture(scope="module")
def tally(folder: Path, missing: dict[str, str]) -> Iterator[Tally]:
    with ExitStack() as prepared:
        _prepare(prepared, folder, missing)
        conditions = tuple(condition for condition in CONDITIONS if condition not in missing)
        settings = Settings(kills=0, port_offset=PORT_OFFSET, conditions=conditions)
        stack = prepared.enter_context(make_stack(folder, settings))
        try:
            tally = Campaign(stack, SEED, settings, print_line).run()
        except Exception as error:
            raise AssertionError(f"{error}\n{log_ends(folder)}") from error
        print_line(f"{table([tally])}\nLast order final after {tally.all_final_after:.1f} s")
        yield tally


def _prepare(prepared: ExitStack, folder: Path, missing: dict[str, str]) -> None:
    """Mount a small disk on the folder, if possible, and check whether the wall clock can be set."""
    try:
        require_adjustable()
    except ClockNotAdjustableError as error:
        missing[CLOCK_JUMPS] = f"no other wall clock: {error}"
    try:
        if os.geteuid() != 0:
            raise PermissionError("only root may mount a small disk")
        prepared.enter_context(small_disk(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        missing[DISK_FULL] = f"no small disk: {error}"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_was_caused_while_orders_were_in_flight(
    tally: Tally, missing: dict[str, str], condition: str
) -> None:
    if condition in missing:
        pytest.skip(missing[condition])
    assert tally.victims[condition] == 1
    assert tally.orders >= 10


def test_service_sidecar_and_scheduler_saw_the_clock_jump(tally: Tally, folder: Path, missing: dict[str, str]) -> None:
    if CLOCK_JUMPS in missing:
        pytest.skip(missing[CLOCK_JUMPS])
    assert tally.victims[CLOCK_JUMPS] == 1
    for name in ("orderprocessing", "orderprocessing-sidecar", "scheduler"):
        log = (folder / "logs" / f"{name}.log").read_text()
        logged_at = [datetime.fromisoformat(f"{text}Z") for text in _TIMESTAMP.findall(log)]
        steps = {round((after - before) / timedelta(hours=1)) for before, after in pairwise(logged_at)}
        assert {-1, 1} <= steps, name


def test_no_order_is_lost_or_stuck_and_no_effect_is_duplicated(tally: Tally) -> None:
    assert not tally.errors
    assert not tally.faults, "\n".join(map(str, tally.faults))


def test_every_order_is_final_in_time(tally: Tally) -> None:
    assert tally.all_final_after < ALL_FINAL_WITHIN_S
