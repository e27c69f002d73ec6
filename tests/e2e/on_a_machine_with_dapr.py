"""Run by `test_dapr_run.py` on a separate machine, in this order: each test continues where the previous one ended."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.ports import ControlPorts, is_free
from launcher.setup.dapr import Dapr
from launcher.supervision.child_process import Child
from launcher.supervision.processes import wait_ended
from launcher.supervision.supervisor import SupervisedProcess
from launcher.system import control_plane
from launcher.system.apps import Tokens
from launcher.system.stack import Stack
from tests.e2e.client import Shop
from tests.e2e.dapr_cli import check_cli
from tests.e2e.launch import log_ends
from tests.e2e.machine import MACHINE, Machine
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import Shopper

READY_S = 90.0
HIGH_VALUE = 120_000
SECTION = re.compile(r"^## Start with `dapr run`\n(.*?)^## ", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine(Path(os.environ[MACHINE]))


@pytest.fixture(scope="module")
def run_command(machine: Machine) -> str:
    """Run the first commands of the README section, and return its last command."""
    section = SECTION.search((machine.checkout / "README.md").read_text())
    assert section, "README has no section about dapr run"
    *first, last = re.findall(r"^    (.+)$", section[1], re.MULTILINE)
    for command in first:
        subprocess.run(command, shell=True, cwd=machine.checkout, check=True)
    assert first
    return last


@pytest.fixture(scope="module")
def stack(machine: Machine) -> Stack:
    """Return the system of `make run`, on the default ports."""
    return Stack(root=machine.checkout, state_dir=machine.checkout / ".state")


@pytest.fixture(scope="module")
def shopper(stack: Stack) -> Shopper:
    return Shopper(Shop(stack.address, stack.sidecar_address))


@pytest.fixture(scope="module")
def control_plane_processes(machine: Machine) -> Iterator[dict[str, SupervisedProcess]]:
    """Run Redis, placement and scheduler like the containers of `dapr init`, on the default ports."""
    names = list(control_plane.SERVICES)
    services = control_plane.start(Dapr(machine.control_plane), ControlPorts(), machine.folder / "volumes", names)
    try:
        yield {service.name: service for service in services}
    finally:
        control_plane.stop(services)


@contextmanager
def running(command: str, machine: Machine, **env: str) -> Iterator[Child]:
    """Run the command of the README as in a terminal, and press Ctrl-C at the end."""
    child = Child("console", ["sh", "-c", f"exec {command}"], machine.folder, cwd=machine.checkout, env=env)
    try:
        yield child
        os.kill(child.pid, signal.SIGINT)
        eventually(child.ended)
    except Exception as error:
        logs = log_ends(machine.folder) + log_ends(machine.checkout / ".dapr")
        raise AssertionError(f"{error}\n{logs}") from error
    finally:
        child.stop()


def wait_ready(shop: Shop, stack: Stack) -> None:
    for app in stack.apps():
        eventually(lambda app=app: shop.is_ready(app.app_id), READY_S)


def place_high_value_order(shopper: Shopper) -> str:
    order_id = shopper.orders({shopper.goods(price=HIGH_VALUE, a=2): 1})
    shopper.sees(order_id, "approvalRequired")
    return order_id


def test_console_reports_missing_redis_placement_and_scheduler_once(run_command: str, machine: Machine) -> None:
    child = Child("nothing", ["sh", "-c", f"exec {run_command}"], machine.folder, cwd=machine.checkout)
    try:
        eventually(lambda: "start what is missing by `dapr init`" in child.log.read_text(), 60)
    finally:
        # `dapr run` ignores Ctrl-C while it starts.
        os.killpg(child.pid, signal.SIGKILL)
        child.stop()
    log = child.log.read_text()
    assert log.count("Redis at localhost:6379 and placement at 127.0.0.1:50005 and scheduler at 127.0.0.1:50006") == 1
    assert log.count("could not count the backlog") == 1
    assert log.count("\n") < 15, log


def test_commands_of_the_readme_start_the_system(
    run_command: str,
    machine: Machine,
    stack: Stack,
    shopper: Shopper,
    control_plane_processes: dict[str, SupervisedProcess],
) -> None:
    with running(run_command, machine):
        wait_ready(shopper.shop, stack)
        assert shopper.shop.call("inventory", "POST", "/reservations", {}).status_code == 422
        check_cli(machine.checkout, shopper)
        shopper.delivers(shopper.orders({shopper.goods(a=2): 1}))
        place_high_value_order(shopper)
        killed_worker_is_restarted_and_another_one_added(machine)
        processes = list(worker_processes(machine).values())
    holds(lambda: not wait_ended([process for process in processes if process], 0))
    keys = machine.checkout / ".state" / "keys.json"
    assert keys.stat().st_mode & 0o777 == 0o600
    holds(lambda: assert_free(stack))


def oms_worker(machine: Machine, *arguments: str) -> str:
    """Run `oms worker` in the checkout and return its output."""
    command = [machine.checkout / ".venv" / "bin" / "python", "-m", "services.oms.cli", "worker", *arguments]
    return subprocess.run(command, cwd=machine.checkout, check=True, capture_output=True, text=True).stdout


def worker_processes(machine: Machine) -> dict[str, int | None]:
    """Return the process id of each worker, by name."""
    workers = json.loads(oms_worker(machine, "list", "--json"))
    return {worker["name"]: worker["processId"] for worker in workers}


def killed_worker_is_restarted_and_another_one_added(machine: Machine) -> None:
    before = worker_processes(machine)
    assert set(before) == {"worker-1", "worker-2"}
    killed = before["worker-1"]
    assert killed
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: worker_processes(machine)["worker-1"] not in {None, killed})
    assert worker_processes(machine)["worker-2"] == before["worker-2"]
    assert "Started worker-3." in oms_worker(machine, "start")
    assert worker_processes(machine)["worker-3"]


def assert_free(stack: Stack) -> None:
    taken = {name: port for app in stack.apps() for name, port in app.named_ports().items() if not is_free(port)}
    assert taken == {}


def test_make_run_continues_the_orders_of_dapr_run(
    stack: Stack,
    shopper: Shopper,
    control_plane_processes: dict[str, SupervisedProcess],
    capsys: pytest.CaptureFixture[str],
) -> None:
    delivered, waiting = shopper.placed[-2:]
    with stack:
        assert set(stack.names()).isdisjoint(control_plane_processes)
        assert shopper.shop.order(delivered)["status"] == "completed"
        shopper.shop.approve(waiting)
        shopper.delivers(waiting)
        place_high_value_order(shopper)
    assert "Using the redis that already answers on port 6379" in capsys.readouterr().out


def test_dapr_run_continues_the_orders_of_make_run_and_sidecars_survive_a_placement_outage(
    run_command: str,
    machine: Machine,
    stack: Stack,
    shopper: Shopper,
    control_plane_processes: dict[str, SupervisedProcess],
) -> None:
    *delivered, waiting = shopper.placed
    with running(run_command, machine, **Tokens().environment()) as console:
        wait_ready(shopper.shop, stack)
        assert shopper.shop.call("inventory", "POST", "/reservations", {}).status_code == 401
        for order_id in delivered:
            assert shopper.shop.order(order_id)["status"] == "completed"
        shopper.shop.approve(waiting)
        shopper.delivers(waiting)
        with control_plane_processes["placement"].stopped(kill=True):
            eventually(lambda: "gives the worker no work; reconnecting" in console.log.read_text(), 60)
        # No supervisor restarts sidecars here, so this shows that the sidecar kept running.
        shopper.delivers(shopper.orders({shopper.goods(a=2): 1}))
