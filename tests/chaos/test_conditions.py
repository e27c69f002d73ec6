"""The crash matrix with failures of the environment: deleted jobs and a full disk."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from launcher.console import print_line
from tests.chaos.campaign import Campaign, Settings, make_stack
from tests.chaos.conditions import DISK_FULL, JOBS_DELETED, small_disk
from tests.chaos.report import Tally, table
from tests.e2e.launch import log_ends

SEED = 1
PORT_OFFSET = 4600
ALL_FINAL_WITHIN_S = 90.0
"""After the last condition. An activity without its job counts as lost after 20 s, its retry after 80 s."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def missing() -> dict[str, str]:
    """Return the conditions that cannot be caused here, with the reason. `tally` fills it."""
    return {}


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory, missing: dict[str, str]) -> Iterator[Tally]:
    folder = tmp_path_factory.mktemp("conditions")
    with ExitStack() as prepared:
        _prepare(prepared, folder, missing)
        conditions = tuple(one for one in (JOBS_DELETED, DISK_FULL) if one not in missing)
        settings = Settings(kills=0, port_offset=PORT_OFFSET, conditions=conditions)
        stack = prepared.enter_context(make_stack(folder, settings))
        try:
            tally = Campaign(stack, SEED, settings, print_line).run()
        except Exception as error:
            raise AssertionError(f"{error}\n{log_ends(folder)}") from error
        print_line(f"{table([tally])}\nLast order final after {tally.all_final_after:.1f} s")
        yield tally


def _prepare(prepared: ExitStack, folder: Path, missing: dict[str, str]) -> None:
    """Mount a small disk on the folder, if possible."""
    try:
        if os.geteuid() != 0:
            raise PermissionError("only root may mount a small disk")
        prepared.enter_context(small_disk(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        missing[DISK_FULL] = f"no small disk: {error}"


@pytest.mark.parametrize("condition", [JOBS_DELETED, DISK_FULL])
def test_each_condition_was_caused_while_orders_were_in_flight(
    tally: Tally, missing: dict[str, str], condition: str
) -> None:
    if condition in missing:
        pytest.skip(missing[condition])
    assert tally.victims[condition] == 1
    assert tally.orders >= 10


def test_no_order_is_lost_or_stuck_and_no_effect_is_duplicated(tally: Tally) -> None:
    assert not tally.errors
    assert not tally.faults, "\n".join(map(str, tally.faults))


def test_every_order_is_final_in_time(tally: Tally) -> None:
    assert tally.all_final_after < ALL_FINAL_WITHIN_S
