"""A worker process: runs workflows and activities, and repairs what a crash left unfinished.

Any number of workers may run, several on one sidecar. A worker listens on no port.
"""

import logging
import os
import signal
import sys
import threading
from typing import NoReturn, Protocol

from services.common.encryption.encrypted_events import EncryptingPublisher, Publisher
from services.common.encryption.encryptor import Encryptor
from services.common.faults.injector import FaultInjector
from services.common.logs import get_logger
from services.orderprocessing.activities.dependencies import Decisions, Dependencies
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.service_clients import Billing, Fraud, Inventory, Invoker, Shipping
from services.orderprocessing.composition import Components, create_components
from services.orderprocessing.config import OrderProcessingConfig
from services.orderprocessing.engine.worker.activity_recorder import ActivityRecorder
from services.orderprocessing.engine.worker.heartbeat import Heartbeat
from services.orderprocessing.engine.worker.in_flight import InFlightActivities
from services.orderprocessing.engine.worker.probe_responder import respond_to_probes
from services.orderprocessing.engine.worker.worker import Worker, run_worker
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentity, worker_identity
from services.orderprocessing.recovery import history_archiver
from services.orderprocessing.recovery.completed_steps import CompletedSteps
from services.orderprocessing.recovery.history_archiver import HistoryArchiver
from services.orderprocessing.recovery.reconciler import Reconciler
from services.orderprocessing.recovery.scan_loop import run_in_background
from services.orderprocessing.registry import WORKFLOWS, Around, bound_activities

log = get_logger(__name__)

_FINISH_SECONDS = 10.0
"""Time for in-flight activities to end after a stop was requested."""
_DISCONNECTED_WITHIN = 0.5
_REMOVED_WITHIN = 1.0
"""Time to leave the registry of workers, which otherwise forgets a worker some seconds later."""


class SidecarClient(Invoker, Publisher, Protocol):
    """The sidecar, as the activities use it."""


def create_dependencies(
    config: OrderProcessingConfig,
    orders: OrderRepository,
    sidecar: SidecarClient,
    encryptor: Encryptor,
    decisions: Decisions,
) -> Dependencies:
    """Return the dependencies of the activities."""
    return Dependencies(
        orders=orders,
        inventory=Inventory(sidecar),
        billing=Billing(sidecar),
        fraud=Fraud(sidecar),
        shipping=Shipping(sidecar),
        publisher=EncryptingPublisher(sidecar, encryptor),
        policy=config.policy(),
        decisions=decisions,
    )


def main() -> None:
    """Run the worker until it is stopped."""
    components, stopping, in_flight = create_components(), threading.Event(), InFlightActivities()
    config = components.config
    identity = worker_identity(config)
    worker = _start_worker(components, identity, in_flight)
    heartbeat = Heartbeat(components.workers, identity, components.sidecar_name, in_flight.completed, worker)
    heartbeat.start(stopping)
    reconciler = Reconciler(components.orders, components.service, CompletedSteps(components.workers.all))
    run_in_background(reconciler, config.reconcile_interval, stopping, heartbeat.leads)
    archiver = HistoryArchiver(components.orders, components.service, components.engine, components.archive)
    history_archiver.run_in_background(archiver, config.history_archive_interval, stopping, heartbeat.leads)

    def state() -> str:
        if stopping.is_set():
            return "stopping"
        return "running" if worker.alive() else "starting"

    if config.probe_fd is not None:
        respond_to_probes(config.probe_fd, lambda: {"Worker-State": state(), "Worker-Version": identity.version})
    log.info("the worker has started", extra={"worker": identity.name, "version": identity.version})
    _wait_for_signal()
    log.info("stopping")
    stopping.set()
    components.engine.stop()
    in_flight.stop(_FINISH_SECONDS)
    worker.stop(_DISCONNECTED_WITHIN)
    removal = threading.Thread(target=heartbeat.stop, daemon=True)
    removal.start()
    removal.join(_REMOVED_WITHIN)
    _end_process()


def _start_worker(components: Components, identity: WorkerIdentity, in_flight: InFlightActivities) -> Worker:
    config, context, recorder = components.config, components.context, ActivityRecorder(identity)
    deps = create_dependencies(config, components.orders, context.sidecar, context.encryptor, components.service)
    activities = bound_activities(deps, recorder, _around(in_flight, context.fault_injector))
    return run_worker(
        context.sidecar,
        WORKFLOWS,
        activities,
        recorder,
        components.codec,
        context.encrypted_documents.verify_keys,
        config.sidecar_supervised,
        identity.name,
    )


def _around(in_flight: InFlightActivities, fault_injector: FaultInjector | None) -> Around:
    """Return a wrapper for activities that counts them and, with a fault injector, makes some fail."""
    return (
        in_flight.run
        if fault_injector is None
        else lambda activity: in_flight.run(lambda: fault_injector.call(activity))
    )


def _wait_for_signal() -> None:
    """Wait until SIGTERM or SIGINT arrives."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    stop.wait()


def _end_process() -> NoReturn:
    log.info("stopped")
    logging.shutdown()
    sys.stdout.flush()
    # An ordinary exit would wait seconds for idle threads of the workflow SDK.
    os._exit(0)


if __name__ == "__main__":
    main()
