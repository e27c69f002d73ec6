"""The scheduler's etcd has no port, it is restarted when it no longer schedules, and it copes with the clock."""

import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from launcher.system.stack import Stack
from services.common.clock import rfc3339
from tests.chaos.etcd import EVERYTHING, delete_keys
from tests.chaos.vdso import ClockNotAdjustableError
from tests.chaos.wall_clock import WallClock
from tests.e2e.crashes import kill
from tests.e2e.polling import eventually

PORT_OFFSET = 4500
LEASE_S = 20.0
"""A killed scheduler keeps its leadership in etcd for this long."""
RESTARTED_WITHIN_S = 90.0
HOUR = 3600
_SCHEDULER = "/dapr.proto.scheduler.v1.Scheduler"

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
            return bool(next(channel.unary_stream(f"{_SCHEDULER}/WatchHosts")(b"", timeout=2)))
        except grpc.RpcError:
            return False


DUE_TIME = b"\x1a"
"""The tag of the field in the scheduler's answer."""


def schedule(stack: Stack, name: str, due_in: int) -> None:
    """Schedule a job of a workflow, as daprd does."""
    at = rfc3339(datetime.now(UTC) + timedelta(seconds=due_in))
    call_scheduler(stack, "ScheduleJob", field(1, name), field(2, field(3, at)), field(3, OF_WORKFLOW))


def due(stack: Stack, name: str) -> str | None:
    """Return when a job is due, as it was requested; None while the scheduler does not answer."""
    try:
        answer = call_scheduler(stack, "GetJob", field(1, name), field(2, OF_WORKFLOW))
    except grpc.RpcError:
        return None
    length, text = answer.partition(DUE_TIME)[2][:1], answer.partition(DUE_TIME)[2][1:]
    return text[: length[0]].decode()


def call_scheduler(stack: Stack, method: str, *fields: bytes) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{stack.ports.scheduler}") as channel:
        return bytes(channel.unary_unary(f"{_SCHEDULER}/{method}")(b"".join(fields), timeout=5, wait_for_ready=True))


def field(number: int, value: str | bytes) -> bytes:
    """Encode a field of a protobuf message: a text or a message."""
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


OF_WORKFLOW = (
    field(1, "orderprocessing")
    + field(2, "default")
    + field(3, field(2, field(1, "order-A1") + field(2, "dapr.internal.default.orderprocessing.workflow")))
)
"""The metadata of the jobs of a workflow instance."""


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


def test_wake_up_that_is_due_after_the_clock_was_set_back_is_triggered_at_once(stack: Stack) -> None:
    eventually(lambda: leads(stack))
    schedule(stack, "new-event-1", due_in=HOUR)
    schedule(stack, "timer-1", due_in=HOUR)
    kill(stack, "scheduler")
    eventually(lambda: due(stack, "new-event-1") == "0s")
    assert due(stack, "timer-1") != "0s"


def test_wake_ups_are_checked_for_as_long_as_the_clock_was_ahead(stack: Stack) -> None:
    log = stack.logs / "scheduler.log"
    eventually(lambda: leads(stack))
    try:
        with WallClock(lambda: [pid for pid in [stack.pid("scheduler")] if pid is not None]) as clock:
            clock.set_ahead(2 * HOUR)
            eventually(lambda: "the clock was set forward by 2h0m0s" in log.read_text())
            clock.set_ahead(0)
            eventually(lambda: "the clock was set back by 2h0m0s" in log.read_text())
    except ClockNotAdjustableError as error:
        pytest.skip(str(error))
    schedule(stack, "new-event-2", due_in=HOUR)
    eventually(lambda: due(stack, "new-event-2") == "0s")
