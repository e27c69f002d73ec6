"""The scheduler's etcd has no port, and a scheduler that no longer schedules is restarted."""

import stat
import subprocess
from collections.abc import Iterator

import grpc
import pytest

from launcher.system.stack import Stack
from tests.chaos.etcd import EVERYTHING, delete_keys
from tests.e2e.crashes import kill
from tests.e2e.polling import eventually

PORT_OFFSET = 4500
LEASE_S = 20.0
"""A killed scheduler keeps its leadership in etcd for this long."""
RESTARTED_WITHIN_S = 90.0
_WATCH_HOSTS = "/dapr.proto.scheduler.v1.Scheduler/WatchHosts"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(state_dir=tmp_path_factory.mktemp("scheduler"), port_offset=PORT_OFFSET)
    try:
        stack.start_services()
        yield stack
    finally:
        stack.stop()


def leads(stack: Stack) -> bool:
    """Return whether the scheduler leads. Only a leader announces its address to sidecars."""
    with grpc.insecure_channel(f"127.0.0.1:{stack.ports.scheduler}") as channel:
        try:
            return bool(next(channel.unary_stream(_WATCH_HOSTS)(b"", timeout=2)))
        except grpc.RpcError:
            return False


def test_etcd_of_the_scheduler_has_no_port(stack: Stack) -> None:
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    mine = [line.split()[3] for line in listing.splitlines() if f"pid={stack.pid('scheduler')}," in line]
    assert sorted(int(address.rpartition(":")[2]) for address in mine) == sorted(stack.ports.of("scheduler").values())
    folder = stack.state_dir / "scheduler"
    assert stat.S_ISSOCK((folder / "etcd.sock").stat().st_mode)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_killed_scheduler_leads_again_before_its_old_lease_expires(stack: Stack) -> None:
    eventually(lambda: leads(stack))
    kill(stack, "scheduler")
    eventually(lambda: leads(stack), LEASE_S / 2)


def test_scheduler_that_lost_its_leadership_is_restarted_and_leads_again(stack: Stack) -> None:
    eventually(lambda: leads(stack))
    before = stack.pid("scheduler")
    delete_keys(stack.state_dir, EVERYTHING)
    eventually(lambda: stack.pid("scheduler") not in {before, None}, RESTARTED_WITHIN_S)
    eventually(lambda: leads(stack))
