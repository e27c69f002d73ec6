"""The HTTP interface of orderprocessing: all of its routes."""

from services.common.web.api import Api
from services.orderprocessing.api.export_routes import ExportRoutes
from services.orderprocessing.api.order_routes import DecisionRoutes, FigureRoutes, OrderRoutes
from services.orderprocessing.api.shipment_routes import ShipmentRoutes

API = Api(
    "orderprocessing",
    "Orders, shipments and approvals. Amounts are whole cents, times RFC 3339 in UTC.",
    [OrderRoutes, ExportRoutes, DecisionRoutes, FigureRoutes, ShipmentRoutes],
)
