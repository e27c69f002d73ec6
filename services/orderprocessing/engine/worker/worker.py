"""The workflow worker of this process: runs workflows and activities, and reconnects when the connection is lost."""

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
from services.orderprocessing.engine.external_events import ExternalEvents
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.liveness import LIVENESS_WORKFLOW, LivenessProbe, liveness_name
from services.orderprocessing.engine.workflow_client import Client, WorkflowSidecar, connected_workers, sdk_logging
from services.orderprocessing.workflows.versions import version_of

log = get_logger(__name__)

_CHECK_INTERVAL = 1.0
_NO_WAIT = 0.01
_RECONNECT_AFTER = 2.0
_MAX_RECONNECT_AFTER = 30.0
_UNRESPONSIVE_AFTER = 8.0
_MAX_UNRESPONSIVE_AFTER = 600.0


class Worker:
    """The workflow worker of this process, connected while the sidecar is up.

    Only a `supervised` sidecar, which its supervisor restarts, is ever shut down.
    """

    def __init__(
        self,
        sidecar: WorkflowSidecar,
        make: Callable[[], WorkflowRuntime],
        liveness: LivenessProbe,
        supervised: bool = False,
        check_interval: float = _CHECK_INTERVAL,
    ) -> None:
        self._sidecar, self._make, self._liveness, self._check_interval = sidecar, make, liveness, check_interval
        self._supervised = supervised
        self._runtime: WorkflowRuntime | None = None
        self._stopping = threading.Event()
        self._connected = False
        self._last_error = ""
        self._reconnect_after = _RECONNECT_AFTER
        self._last_connected_at = self._renewed_at = self._connected_at = self._unscheduled_at = -math.inf
        self._unresponsive_after = _UNRESPONSIVE_AFTER

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        threading.Thread(target=self._keep_connected, name="worker", daemon=True).start()
        threading.Thread(target=self._liveness.run, args=(self._stopping,), name="liveness", daemon=True).start()

    def alive(self) -> bool:
        """Return whether workflows and activities really run here."""
        return self._liveness.alive()

    def connected(self) -> bool:
        """Return whether this worker is connected to its sidecar, which may still give it no work."""
        return self._connected

    def stop(self, seconds: float) -> None:
        """Disconnect, delivering results for at most `seconds`. Activities still in flight are run again later."""
        self._stopping.set()
        if self._runtime is not None:
            _close(self._runtime).join(seconds)

    def _keep_connected(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._connected or self._sidecar.healthy():
                    self._check_connection()
            except TransientError as error:
                log.log(DEBUG if str(error) == self._last_error else INFO, "the workflow worker is waiting: %s", error)
                self._last_error = str(error)
            except Exception:
                log.exception("could not renew the workflow worker")
            self._stopping.wait(self._check_interval)

    def _check_connection(self) -> None:
        """Renew a worker that stays disconnected while the sidecar is up; the SDK waits up to 16 s between tries."""
        now, was_connected = time.monotonic(), self._connected
        self._connected = self._runtime is not None and self._runtime.wait_for_worker_ready(_NO_WAIT)
        if self._connected:
            if not was_connected:
                self._connected_at = now
            self._last_connected_at, self._reconnect_after = now, _RECONNECT_AFTER
            self._check_sidecar()
        elif not was_connected and now - max(self._last_connected_at, self._renewed_at) > self._reconnect_after:
            self._renew()

    def _check_sidecar(self) -> None:
        """Restart a sidecar that the worker is connected to and that runs nothing; unsupervised, only reconnect.

        Dapr 1.18 may deadlock when processes die while it hands a workflow to a worker. Then it reports no worker, or
        reports it and accepts no workflow.
        """
        if self._liveness.alive():
            self._unresponsive_after = _UNRESPONSIVE_AFTER
        connected_for = time.monotonic() - self._connected_at
        if min(self._liveness.idle_seconds(), connected_for) > self._unresponsive_after and (
            connected_workers(self._sidecar) == 0 or self._accepts_no_workflow(connected_for)
        ):
            self._unresponsive_after = min(2 * self._unresponsive_after, _MAX_UNRESPONSIVE_AFTER)
            if self._supervised:
                log.warning("the sidecar gives the worker no work; restarting the sidecar")
                self._sidecar.shut_down()
            else:
                log.warning("the sidecar gives the worker no work; reconnecting; if this repeats, restart the sidecar")
                self._renew()

    def _accepts_no_workflow(self, connected_for: float) -> bool:
        unresponsive_for = min(self._liveness.unresponsive_seconds(), connected_for)
        # By then a liveness probe is overdue. Asked earlier, the sidecar would only log an error for each answer.
        if unresponsive_for < 1.5 * self._unresponsive_after:
            return False
        # Without the scheduler nothing runs either, and restarting the sidecar would not change that.
        if not self._sidecar.scheduler_available():
            self._unscheduled_at = time.monotonic()
        scheduled_for = time.monotonic() - self._unscheduled_at
        return min(unresponsive_for, scheduled_for) > 2 * self._unresponsive_after

    def _renew(self) -> None:
        if self._runtime is not None:
            log.warning("renewing the workflow worker")
            _close(self._runtime)
            # Longer each time, so that a slow machine is not slowed down further.
            self._reconnect_after = min(2 * self._reconnect_after, _MAX_RECONNECT_AFTER)
        self._renewed_at = time.monotonic()
        self._runtime = self._make()
        threading.Thread(target=_connect, args=(self._runtime,), name="worker-start", daemon=True).start()


def run_worker(
    sidecar: WorkflowSidecar,
    workflows: Sequence[Callable[..., Any]],
    activities: Sequence[Callable[..., Any]],
    recorder: ActivityRecorder,
    codec: Codec,
    verify_keys: Callable[[], None],
    supervised: bool,
    name: str,
) -> Worker:
    """Start the worker of these workflows and activities in the background.

    `name` is unique among the workers. Its messages pass through the recorder, and then their payloads through the
    codec. It connects once `verify_keys` raises no TransientError. A `supervised` sidecar is restarted by its
    supervisor when it ends.
    """
    client = Client(sidecar, codec)
    liveness = LivenessProbe(
        lambda instance: client.start(LIVENESS_WORKFLOW, instance, None), liveness_name(settings.DAPR_GRPC_PORT, name)
    )
    make = worker_maker(workflows, activities, liveness, [recorder, ExternalEvents(), codec])

    def make_with_keys() -> WorkflowRuntime:
        verify_keys()
        return make()

    worker = Worker(sidecar, make_with_keys, liveness, supervised)
    worker.start()
    return worker


def worker_maker(
    workflows: Sequence[Callable[..., Any]],
    activities: Sequence[Callable[..., Any]],
    liveness: LivenessProbe,
    interceptors: Sequence[Any] = (),
) -> Callable[[], WorkflowRuntime]:
    """Return a factory of workers that run these workflows and activities and record them for the liveness probe."""

    def make() -> WorkflowRuntime:
        # The interceptors count tries in whole histories, and do not translate those that the SDK itself requests.
        runtime = WorkflowRuntime(
            logger_options=sdk_logging(), interceptors=interceptors, disable_stateful_history=True
        )
        for workflow in (*workflows, liveness.workflow()):
            _register(runtime, workflow)
        for activity in activities:
            runtime.register_activity(_copy(liveness.recording(activity)))
        return runtime

    return make


def _register(runtime: WorkflowRuntime, workflow: Callable[..., Any]) -> None:
    declared = version_of(workflow)
    if declared is None:
        runtime.register_workflow(_copy(workflow))
        return
    runtime.register_versioned_workflow(
        _copy(workflow), name=declared.workflow, version_name=declared.name, is_latest=declared.is_latest
    )


def _copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of the function: the SDK marks a function when it is registered, and registers it only once."""

    @functools.wraps(function, updated=())
    def copy(*args: Any) -> Any:
        return function(*args)

    return copy


def _connect(runtime: WorkflowRuntime) -> None:
    try:
        runtime.start()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        log.info("the workflow worker is not connected", extra={"cause": str(error)})
    else:
        log.info("the workflow worker is connected")


def _close(runtime: WorkflowRuntime) -> threading.Thread:
    """Shut the worker down in the background; it delivers its results first, which takes seconds."""
    closing = threading.Thread(target=runtime.shutdown, name="worker-stop", daemon=True)
    closing.start()
    return closing
