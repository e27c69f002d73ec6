"""The orderprocessing service: the order and shipment APIs, and the worker of the workflows behind them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flask import Flask
from pydantic import Field

from services.common.auth.access import NO_AUTHENTICATION, Authenticator, guard
from services.common.clock import Clock, utc_now
from services.common.config import Money, Seconds, ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.encryption.encrypted_events import EncryptingPublisher, Publisher
from services.common.encryption.encryptor import Encryptor
from services.common.faults import injector, wiring
from services.common.server.http_server import serve
from services.common.service import configure, prepare
from services.common.web.base_app import create_base_app
from services.orderprocessing.activities.dependencies import Dependencies
from services.orderprocessing.adapters import history_archive
from services.orderprocessing.adapters.history_archive import HistoryArchive, HistorySource
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.service_clients import Billing, Fraud, Inventory, Invoker, Shipping
from services.orderprocessing.api.export_routes import ExportRoutes
from services.orderprocessing.api.order_routes import DecisionRoutes, FigureRoutes, Observer, OrderRoutes
from services.orderprocessing.api.routes import API
from services.orderprocessing.api.shipment_routes import ShipmentRoutes
from services.orderprocessing.application import admission
from services.orderprocessing.application.order_queries import OrderQueries
from services.orderprocessing.application.order_service import OrderService, Workflows
from services.orderprocessing.application.price_list import PriceList
from services.orderprocessing.domain.order_rules import Policy
from services.orderprocessing.engine import outage
from services.orderprocessing.engine.in_flight import InFlightActivities
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.worker import Worker, run_worker
from services.orderprocessing.engine.workflow_client import Engine, configure_sdk
from services.orderprocessing.recovery import history_archiver
from services.orderprocessing.recovery.reconciler import Reconciler
from services.orderprocessing.recovery.scan_loop import run_in_background
from services.orderprocessing.registry import WORKFLOWS, Around, bound_activities
from services.orderprocessing.workflows.policies import Timeouts, longest_try

_DISCONNECTED_WITHIN = 0.5


class OrderProcessingConfig(ServiceConfig):
    """The shop's rules; durations in seconds. `sidecar_supervised`: a supervisor restarts the sidecar when it ends."""

    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    server_threads: int = Field(default=24, ge=1, le=512)
    order_action_timeout: Seconds = 30.0
    approval_timeout: Seconds = 24 * 3600.0
    approval_threshold: Money = 100_000
    charge_timeout: Seconds = 30.0
    booking_timeout: Seconds = 30.0
    reconcile_interval: Seconds = 10.0
    backlog_limit: int = Field(default=400, ge=1, le=1_000_000)
    history_archive_time: Seconds = history_archive.DEFAULT_SECONDS
    history_archive_limit: int = Field(default=history_archive.DEFAULT_LIMIT, ge=1024, le=64 * 1024 * 1024)
    history_archive_interval: Seconds = 30.0
    sidecar_supervised: bool = False

    def timeouts(self) -> Timeouts:
        """Return the timeouts of the workflows, and the longest duration of one try."""
        return Timeouts(self.charge_timeout, self.booking_timeout, longest_try(self.call_timeout))

    def policy(self) -> Policy:
        """Return the settings of the domain's rules."""
        return Policy(self.order_action_timeout, self.approval_timeout, self.approval_threshold)


class WorkflowEngine(Workflows, Observer, HistorySource, Protocol):
    """The workflow engine, as the API uses it."""


class SidecarClient(Invoker, Publisher, Protocol):
    """The sidecar, as the activities use it."""


def create_service(orders: OrderRepository, invoker: Invoker, engine: Workflows) -> OrderService:
    """Return the use cases, shared by the API and the reconciler."""
    return OrderService(orders, PriceList(Inventory(invoker).prices), engine)


def create_app(
    orders: OrderRepository,
    service: OrderService,
    engine: WorkflowEngine,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    admit: Callable[[], None] = lambda: None,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application; `admit` raises OverloadedError while new orders are rejected."""
    app = create_base_app("orderprocessing", ready)
    guard(app, API.rules, authenticator)
    queries = OrderQueries(orders, clock)
    API.register(
        app,
        OrderRoutes(service, queries, engine, clock, admit),
        ExportRoutes(service, engine),
        DecisionRoutes(service),
        FigureRoutes(queries, engine),
        ShipmentRoutes(service, queries),
    )
    return app


def create_dependencies(
    config: OrderProcessingConfig, orders: OrderRepository, sidecar: SidecarClient, encryptor: Encryptor
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
    )


def report_outages(config: OrderProcessingConfig, sidecar: Sidecar, worker: Worker, stopping: threading.Event) -> None:
    """Log in the background what is missing while no workflow can run."""

    def explain() -> str:
        return outage.explain(Path(), sidecar.healthy(), config.dapr_http_port, config.sidecar_supervised)

    reporter = outage.OutageReporter(lambda: sidecar.healthy() and worker.alive(), explain)
    outage.run_in_background(reporter, stopping)


def main() -> None:
    """Run the service until it is stopped."""
    config = configure(OrderProcessingConfig, app_port=3000, dapr_http_port=3500, dapr_grpc_port=3600)
    configure_sdk(config, config.dapr_grpc_port)
    context = prepare(config)
    sidecar, fault_injector, codec = context.sidecar, context.fault_injector, Codec(context.encryptor)
    orders = OrderRepository(context.documents)
    archive = HistoryArchive(context.documents, config.history_archive_time, config.history_archive_limit)
    engine = Engine(sidecar, config.timeouts(), codec, archive)
    service = create_service(orders, sidecar, engine)
    in_flight, stopping = InFlightActivities(), threading.Event()
    deps = create_dependencies(config, orders, sidecar, context.encryptor)
    activities = bound_activities(deps, _around(in_flight, fault_injector))
    worker = run_worker(
        sidecar, WORKFLOWS, activities, codec, context.encrypted_documents.verify_keys, config.sidecar_supervised
    )
    run_in_background(Reconciler(orders, service, in_flight.completed), config.reconcile_interval, stopping)
    archiver = history_archiver.HistoryArchiver(orders, service, engine, archive)
    history_archiver.run_in_background(archiver, config.history_archive_interval, stopping)
    backlog = admission.Backlog(OrderQueries(orders).waiting, config.backlog_limit)
    admission.run_in_background(backlog, stopping)
    report_outages(config, sidecar, worker, stopping)
    app = create_app(
        orders,
        service,
        engine,
        ready=lambda: context.ready() and engine.ready() and worker.alive(),
        admit=backlog.check,
        authenticator=context.authenticator,
    )
    # Faults are injected into the activities, not into the API's requests.
    wiring.register(app, fault_injector, fail_calls=False)

    def finish(seconds: float) -> None:
        stopping.set()
        engine.stop()
        in_flight.stop(seconds)
        worker.stop(_DISCONNECTED_WITHIN)

    serve(app, config, finish)


def _around(in_flight: InFlightActivities, fault_injector: injector.FaultInjector | None) -> Around:
    """Return a wrapper for activities that counts them and, with a fault injector, makes some fail."""
    return (
        in_flight.run
        if fault_injector is None
        else lambda activity: in_flight.run(lambda: fault_injector.call(activity))
    )


if __name__ == "__main__":
    main()
