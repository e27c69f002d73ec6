"""The API process: accepts orders and decisions, answers queries, and starts and signals workflows."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, Authenticator, guard
from services.common.clock import Clock, utc_now
from services.common.dapr.sidecar import TransientError
from services.common.faults import wiring
from services.common.server.http_server import serve
from services.common.web.base_app import create_base_app
from services.orderprocessing.adapters.history_archive import HistorySource
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.api.export_routes import ExportRoutes
from services.orderprocessing.api.order_routes import DecisionRoutes, FigureRoutes, Observer, OrderRoutes
from services.orderprocessing.api.routes import API
from services.orderprocessing.api.shipment_routes import ShipmentRoutes
from services.orderprocessing.application import admission
from services.orderprocessing.application.order_queries import OrderQueries
from services.orderprocessing.application.order_service import OrderService, Workflows
from services.orderprocessing.composition import Components, create_components
from services.orderprocessing.engine import outage


class WorkflowEngine(Workflows, Observer, HistorySource, Protocol):
    """The workflow engine, as the API uses it."""


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


def main() -> None:
    """Run the API until it is stopped. It needs no worker: without one, orders are accepted and wait."""
    components, stopping = create_components(), threading.Event()
    config, context = components.config, components.context
    backlog = admission.Backlog(OrderQueries(components.orders).waiting, config.backlog_limit)
    admission.run_in_background(backlog, stopping)
    app = create_app(
        components.orders,
        components.service,
        components.engine,
        ready=context.ready,
        admit=backlog.check,
        authenticator=context.authenticator,
    )
    _report_outages(components, stopping)
    # Faults are injected into the activities, which run in the workers, and not into the API's requests.
    wiring.register(app, context.fault_injector, fail_calls=False)

    def finish(_seconds: float) -> None:
        stopping.set()
        components.engine.stop()

    serve(app, config, finish)


def _report_outages(components: Components, stopping: threading.Event) -> None:
    """Log in the background what is missing while no workflow can run."""
    config, sidecar, workers = components.config, components.context.sidecar, components.workers

    def works() -> bool:
        try:
            return sidecar.healthy() and any(worker.alive for worker in workers.live().values())
        except TransientError:
            return False

    def explain() -> str:
        up = sidecar.healthy()
        sentence = outage.explain(Path(), up, config.dapr_http_port, config.sidecar_supervised)
        return sentence or ("" if components.engine.workers() else "no worker is connected; orders wait for one")

    outage.run_in_background(outage.OutageReporter(works, explain), stopping)
