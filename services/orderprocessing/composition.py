"""What an API process and a worker process have in common: configuration, repositories, engine client, use cases."""

from dataclasses import dataclass

from services.common.service import ServiceContext, configure, prepare
from services.orderprocessing.adapters.history_archive import HistoryArchive
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.service_clients import Inventory, Invoker
from services.orderprocessing.adapters.worker_registry import WorkerRegistry
from services.orderprocessing.application.order_service import OrderService, Workflows
from services.orderprocessing.application.price_list import PriceList
from services.orderprocessing.config import OrderProcessingConfig
from services.orderprocessing.engine.engine import Engine
from services.orderprocessing.engine.payload_codec import Codec
from services.orderprocessing.engine.worker.liveness import sidecar_name
from services.orderprocessing.engine.workflow_client import configure_sdk


@dataclass(frozen=True)
class Components:
    """The components of a process. `sidecar_name` distinguishes its sidecar from those of the other replicas."""

    config: OrderProcessingConfig
    context: ServiceContext
    codec: Codec
    orders: OrderRepository
    engine: Engine
    archive: HistoryArchive
    service: OrderService
    workers: WorkerRegistry
    sidecar_name: str


def create_components() -> Components:
    """Read the configuration from the environment and create the components. Ends the process if it is invalid."""
    config = configure(OrderProcessingConfig, app_port=3000, dapr_http_port=3500, dapr_grpc_port=3600)
    configure_sdk(config, config.dapr_grpc_port)
    context, name = prepare(config), sidecar_name(config.dapr_grpc_port)
    codec, orders = Codec(context.encryptor), OrderRepository(context.documents)
    workers = WorkerRegistry(context.documents)
    archive = HistoryArchive(context.documents, config.history_archive_time, config.history_archive_limit)
    engine = Engine(context.sidecar, config.timeouts(), codec, lambda: workers.count_elsewhere(name), archive)
    service = create_service(orders, context.sidecar, engine)
    return Components(config, context, codec, orders, engine, archive, service, workers, name)


def create_service(orders: OrderRepository, invoker: Invoker, engine: Workflows) -> OrderService:
    """Return the use cases, shared by the API and the reconciler."""
    return OrderService(orders, PriceList(Inventory(invoker).prices), engine)
