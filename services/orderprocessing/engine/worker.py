"""The worker of this process: runs workflows and activities, and is kept connected to the sidecar."""

import functools
import math
import threading
import time
from collections.abc import Callable, Sequence
from logging import DEBUG, INFO
from typing import Any

from dapr.conf import settings
from dapr.ext.workflow import WorkflowRuntime

from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.orderprocessing.engine.liveness import LIVENESS_WORKFLOW, LivenessProbe, replica_name
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.workflow_client import Client, Host, connected_workers, sdk_logging

log = get_logger(__name__)

_CHECK = 1.0
_AT_ONCE = 0.01
_PATIENCE = 2.0
_MOST_PATIENCE = 30.0
_DEAF_FOR = 8.0
_MOST_DEAF = 600.0


class Worker:
    """The worker of this process, which runs workflows and activities while the sidecar is up.

    Only a `supervised` sidecar, which is started again when it ends, is ever asked to end.
    """

    def __init__(
        self,
        sidecar: Host,
        make: Callable[[], WorkflowRuntime],
        pulse: LivenessProbe,
        supervised: bool = False,
        check: float = _CHECK,
    ) -> None:
        self._sidecar, self._make, self._pulse, self._check = sidecar, make, pulse, check
        self._supervised = supervised
        self._runtime: WorkflowRuntime | None = None
        self._stopping = threading.Event()
        self._connected = False
        self._waits_for = ""
        self._patience = _PATIENCE
        self._seen_at = self._renewed_at = self._connected_at = self._unscheduled_at = -math.inf
        self._deaf_for = _DEAF_FOR

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        threading.Thread(target=self._keep_connected, name="worker", daemon=True).start()
        threading.Thread(target=self._pulse.run, args=(self._stopping,), name="pulse", daemon=True).start()

    def alive(self) -> bool:
        """Tell whether workflows really go on here."""
        return self._pulse.alive()

    def stop(self, seconds: float) -> None:
        """Disconnect when the results on their way are delivered, within `seconds`; what runs then runs again later."""
        self._stopping.set()
        if self._runtime is not None:
            _close(self._runtime).join(seconds)

    def _keep_connected(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._connected or self._sidecar.healthy():
                    self._look_after()
            except TransientError as error:
                log.log(DEBUG if str(error) == self._waits_for else INFO, "the workflow worker waits: %s", error)
                self._waits_for = str(error)
            except Exception:
                log.exception("the workflow worker could not be renewed")
            self._stopping.wait(self._check)

    def _look_after(self) -> None:
        """Renew a worker that stays cut off while the sidecar is up: the SDK waits up to 16 s before it tries again."""
        now, was_connected = time.monotonic(), self._connected
        self._connected = self._runtime is not None and self._runtime.wait_for_worker_ready(_AT_ONCE)
        if self._connected:
            if not was_connected:
                self._connected_at = now
            self._seen_at, self._patience = now, _PATIENCE
            self._wake_sidecar()
        elif not was_connected and now - max(self._seen_at, self._renewed_at) > self._patience:
            self._renew()

    def _wake_sidecar(self) -> None:
        """Have a sidecar restarted that has our connection and does nothing with it; unsupervised, connect to it anew.

        Dapr 1.18 may lock itself up so when processes die while a workflow waits to be handed to its worker: then it
        knows of no worker, or knows it, and takes no workflow.
        """
        if self._pulse.alive():
            self._deaf_for = _DEAF_FOR
        connected_for = time.monotonic() - self._connected_at
        if min(self._pulse.silence(), connected_for) > self._deaf_for and (
            connected_workers(self._sidecar) == 0 or self._takes_nothing(connected_for)
        ):
            self._deaf_for = min(2 * self._deaf_for, _MOST_DEAF)
            if self._supervised:
                log.warning("the sidecar does not take the worker in, and is asked to end")
                self._sidecar.shut_down()
            else:
                log.warning("the sidecar does not take the worker in, which connects again; if it stays so, restart it")
                self._renew()

    def _takes_nothing(self, connected_for: float) -> bool:
        takes_nothing_for = min(self._pulse.unanswered(), connected_for)
        # A pulse is overdue by then; before, the sidecar need not be asked, which logs an error for each answer.
        if takes_nothing_for < 1.5 * self._deaf_for:
            return False
        # Without the scheduler nothing runs either, and a new sidecar would not change that.
        if not self._sidecar.scheduler_available():
            self._unscheduled_at = time.monotonic()
        scheduled_for = time.monotonic() - self._unscheduled_at
        return min(takes_nothing_for, scheduled_for) > 2 * self._deaf_for

    def _renew(self) -> None:
        if self._runtime is not None:
            log.warning("the workflow worker is renewed")
            _close(self._runtime)
            # Longer each time, so that a machine that is only slow is not made slower.
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._renewed_at = time.monotonic()
        self._runtime = self._make()
        threading.Thread(target=_connect, args=(self._runtime,), name="worker-start", daemon=True).start()


def run_worker(
    sidecar: Host,
    workflows: Sequence[Callable[..., Any]],
    activities: Sequence[Callable[..., Any]],
    codec: Codec,
    prove: Callable[[], None],
    supervised: bool,
) -> Worker:
    """Start, in the background, the worker that runs these workflows and activities while the sidecar is up.

    It goes through the codec, and connects once `prove` raises no TransientError. `supervised` says that the sidecar
    is started again when it ends.
    """
    client = Client(sidecar, codec)
    pulse = LivenessProbe(
        lambda instance: client.start(LIVENESS_WORKFLOW, instance, None), replica_name(settings.DAPR_GRPC_PORT)
    )
    make = worker_maker(workflows, activities, pulse, [codec])

    def make_when_proved() -> WorkflowRuntime:
        prove()
        return make()

    worker = Worker(sidecar, make_when_proved, pulse, supervised)
    worker.start()
    return worker


def worker_maker(
    workflows: Sequence[Callable[..., Any]],
    activities: Sequence[Callable[..., Any]],
    pulse: LivenessProbe,
    interceptors: Sequence[Any] = (),
) -> Callable[[], WorkflowRuntime]:
    """Return what makes workers, one after another, that run these workflows and activities and show the pulse."""

    def make() -> WorkflowRuntime:
        runtime = WorkflowRuntime(logger_options=sdk_logging(), interceptors=interceptors)
        for workflow in (*workflows, pulse.workflow()):
            runtime.register_workflow(_afresh(workflow))
        for activity in activities:
            runtime.register_activity(_afresh(pulse.noted(activity)))
        return runtime

    return make


def _afresh(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as an object of its own: the SDK marks what it has registered, and takes it only once."""

    @functools.wraps(function, updated=())
    def again(*args: Any) -> Any:
        return function(*args)

    return again


def _connect(runtime: WorkflowRuntime) -> None:
    try:
        runtime.start()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        log.info("the workflow worker is not connected", extra={"cause": str(error)})
    else:
        log.info("the workflow worker is connected")


def _close(runtime: WorkflowRuntime) -> threading.Thread:
    """Let the worker end in the background: it delivers what it can first, which takes seconds."""
    closing = threading.Thread(target=runtime.shutdown, name="worker-stop", daemon=True)
    closing.start()
    return closing
