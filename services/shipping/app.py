"""The shipping service: courier bookings and a maintenance switch."""

from collections.abc import Callable

from flask import Flask

from services.common.auth.access import NO_AUTHENTICATION, Authenticator
from services.common.clock import Clock, utc_now
from services.common.config import ServiceConfig
from services.common.service import create_service_app, run_service
from services.common.storage.documents import Documents
from services.shipping.courier import Courier, SimulatedCourier
from services.shipping.routes import API, ShippingRoutes
from services.shipping.store import ShippingStore


def create_app(
    config: ServiceConfig,
    documents: Documents,
    clock: Clock = utc_now,
    ready: Callable[[], bool] = lambda: True,
    courier: Courier | None = None,
    authenticator: Authenticator = NO_AUTHENTICATION,
) -> Flask:
    """Return the application; `courier` defaults to the simulated one."""
    return create_service_app(
        API, ready, authenticator, ShippingRoutes(ShippingStore(documents, clock, courier or SimulatedCourier()))
    )


def main() -> None:
    """Run the service, configured by the environment."""
    run_service(ServiceConfig, create_app, app_port=3004, dapr_http_port=3504)


if __name__ == "__main__":
    main()
