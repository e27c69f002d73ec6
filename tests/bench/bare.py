"""`python -m tests.bench.bare`: the workflow engine alone, with empty activities, for comparison."""

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dapr.ext.workflow import DaprWorkflowClient, DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime
from flask import Flask, Response, jsonify, request

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.server.http_server import serve
from services.common.service import configure
from services.common.web.base_app import create_base_app
from services.orderprocessing.engine.workflow_client import configure_sdk

IN_SEQUENCE = 5
_STARTERS = 16


class BareConfig(ServiceConfig):
    """Configuration with the gRPC port of the sidecar."""

    dapr_grpc_port: int


def bare_workflow(ctx: DaprWorkflowContext, _payload: Any) -> Generator[Any, Any, None]:
    """Run five empty activities."""
    for _ in range(IN_SEQUENCE):
        yield ctx.call_activity(empty_activity, input=None)


def empty_activity(_ctx: WorkflowActivityContext, _payload: Any) -> None:
    """Do nothing."""


def create_app(sidecar: Sidecar, ready: threading.Event) -> Flask:
    """Return the application. `POST /runs?workflows=N` runs N workflows and returns the duration in seconds."""
    app = create_base_app("bare", lambda: ready.is_set() and sidecar.healthy())

    @app.post("/runs")
    def _run() -> Response:
        client = DaprWorkflowClient()
        workflows = int(request.args["workflows"])

        def run(_number: int) -> None:
            instance = client.schedule_new_workflow(bare_workflow)
            client.wait_for_workflow_completion(instance, timeout_in_seconds=120)

        began = time.perf_counter()
        with ThreadPoolExecutor(_STARTERS) as starters:
            list(starters.map(run, range(workflows)))
        return jsonify(seconds=time.perf_counter() - began, activities=workflows * IN_SEQUENCE)

    return app


def main() -> None:
    """Run until stopped by a signal."""
    config = configure(BareConfig, app_port=3000, dapr_http_port=3500, dapr_grpc_port=3600)
    configure_sdk(config, config.dapr_grpc_port)
    sidecar, ready = Sidecar(config), threading.Event()
    runtime = WorkflowRuntime()
    runtime.register_workflow(bare_workflow)
    runtime.register_activity(empty_activity)

    def connect() -> None:
        while not sidecar.healthy():
            threading.Event().wait(0.2)
        runtime.start()  # type: ignore[no-untyped-call]
        ready.set()

    threading.Thread(target=connect, daemon=True).start()
    serve(create_app(sidecar, ready), config)


if __name__ == "__main__":
    main()
