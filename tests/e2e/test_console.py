"""The output of `make run`, and that no process remains however it ends."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.paths import ROOT
from launcher.system.template import read_template
from tests.commands import Command
from tests.e2e.client import Shop
from tests.e2e.polling import stays
from tests.e2e.shopper import Shopper

PORT_OFFSET = 5000
_IDLE_S = 15.0
"""Longer than any interval of background work."""
_READY = "Press Ctrl-C to stop the system."
_MILESTONES = ["received", "reserved", "charged", "booked", "dispatched", "delivered", "completed"]


def make_run(folder: Path, *, terminal: bool = False) -> Command:
    options = f"--port-offset {PORT_OFFSET} --state-dir {folder}"
    return Command(["make", "run", f"OPTIONS={options}"], terminal=terminal)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with make_run(tmp_path_factory.mktemp("run")) as command:
        command.prints(_READY)
        yield command


@pytest.fixture(scope="module")
def shopper() -> Shopper:
    apps = {app.name: app.shifted(PORT_OFFSET, app.name) for app in read_template(ROOT / "dapr.yaml").apps}
    return Shopper(Shop(lambda name: apps[name].address, lambda name: apps[name].sidecar_address))


def lines_about(console: Command, order_id: str) -> list[str]:
    return [line for line in console.output.splitlines() if f"order {order_id}" in line]


def test_each_milestone_of_an_order_is_printed_once_with_its_worker(console: Command, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.delivers(order_id)
    console.prints(f"order {order_id}: completed")
    lines = lines_about(console, order_id)
    assert [line.rpartition(": ")[2] for line in lines] == _MILESTONES
    for line in lines:
        assert re.fullmatch(rf"(orderprocessing|worker-\d) +\| \d\d:\d\d:\d\d order {order_id}: \w+", line)


def test_order_that_does_not_complete_prints_the_reason(console: Command, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(price=200_000, a=1): 1})
    shopper.sees(order_id, "approvalRequired")
    shopper.shop.approve(order_id, approved=False)
    console.prints(f"order {order_id}: cancelled")
    seen = [line.rpartition(f"{order_id}: ")[2] for line in lines_about(console, order_id)]
    assert seen[:4] == ["received", "reserved", "approval required", "rejected"]
    assert seen[-1] == "cancelled (approval rejected)"


def test_failed_call_prints_its_retry_and_killed_process_prints_its_restart(console: Command, shopper: Shopper) -> None:
    shipping = console.process("services.shipping.app").pid
    os.kill(shipping, signal.SIGSTOP)
    order_id = shopper.orders({shopper.goods(a=1): 1})
    console.prints(f"could not book the courier for order {order_id}")
    [line] = [line for line in lines_about(console, order_id) if "could not" in line][:1]
    assert re.search(r"warning: could not book the courier for order \S+ \(.+\); trying again within 2 s$", line)
    os.kill(shipping, signal.SIGKILL)
    console.prints("shipping was killed by SIGKILL; restarting it in 0.5 s.")
    console.prints("shipping is running again.")
    console.prints(f"order {order_id}: booked")


def test_no_line_contains_a_customer_id(console: Command, shopper: Shopper) -> None:
    # The ids of the orders and goods of this customer begin with the customer id.
    assert not re.search(rf"{shopper.customer_id}(?!-)", console.output)


@pytest.mark.timeout(180)
def test_idle_system_prints_nothing(console: Command, shopper: Shopper) -> None:
    shopper.delivers(shopper.orders({shopper.goods(a=1): 1}))
    stays(lambda: console.output, _IDLE_S)


def test_killed_make_leaves_no_process(console: Command) -> None:
    assert len(console.processes()) > len(read_template(ROOT / "dapr.yaml").apps) * 2 + 3
    console.send(signal.SIGKILL)
    console.leaves_nothing()


def test_sigterm_during_the_start_leaves_no_process(tmp_path: Path) -> None:
    with make_run(tmp_path) as command:
        command.process("--etcd-data-dir")
        command.send(signal.SIGTERM)
        command.leaves_nothing()
        assert "Stopped. No process is left running." in command.output


def test_closed_terminal_during_the_start_leaves_no_process(tmp_path: Path) -> None:
    with make_run(tmp_path, terminal=True) as command:
        command.process("daprd --app-id")
        command.close_terminal()
        command.leaves_nothing()


def test_launcher_killed_during_the_stop_leaves_no_process(tmp_path: Path) -> None:
    with make_run(tmp_path) as command:
        command.prints(_READY)
        command.send(signal.SIGTERM)
        command.prints("Stopping ...")
        os.kill(command.process("launcher run").pid, signal.SIGKILL)
        command.leaves_nothing()
