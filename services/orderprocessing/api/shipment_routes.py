"""The shipment API over HTTP."""

from services.common.identity import Role
from services.common.logs import about_order
from services.common.states import ShipmentStatus
from services.common.web import api
from services.common.web.access_rules import CONSOLE, people
from services.common.web.api import Reply
from services.common.web.openapi import NEXT, Link
from services.common.web.paging import PageQuery, page_reply
from services.orderprocessing.api.schemas import ShipmentAnswer, ShipmentLine, shipment_answer
from services.orderprocessing.application.order_queries import OrderQueries
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.fulfillment_rules import find
from services.orderprocessing.domain.order import ShipmentRequest

_COURIERS = people(Role.COURIER, apps=(CONSOLE,))

_BY_SHIPMENT = {"shipmentId": "$response.body#/id"}
_REPORT_FIRST = Link("reportShipment", {"shipmentId": "$response.body#/0/id"})


class ShipmentRoutes:
    """Shipments, and the courier's reports about them."""

    def __init__(self, service: OrderService, queries: OrderQueries) -> None:
        self._service, self._queries = service, queries

    @api.get(
        "/shipments", "Shipments, newest first", allow=_COURIERS, errors=[422], headers=NEXT, links=[_REPORT_FIRST]
    )
    def list_shipments(self, query: PageQuery) -> Reply[list[ShipmentLine]]:
        """Return a page of shipments."""
        return self._page(query, pending=False)

    @api.get(
        "/shipments/pending",
        "Those that are neither delivered nor cancelled",
        allow=_COURIERS,
        errors=[422],
        headers=NEXT,
        links=[_REPORT_FIRST],
    )
    def list_pending_shipments(self, query: PageQuery) -> Reply[list[ShipmentLine]]:
        """Return a page of open shipments."""
        return self._page(query, pending=True)

    @api.get("/shipments/<shipment_id>", "A shipment", allow=_COURIERS, errors=[404])
    def show_shipment(self, shipment_id: str) -> ShipmentAnswer:
        """Return a shipment."""
        _, fulfillment, shipment = self._service.shipment(shipment_id)
        return shipment_answer(fulfillment, shipment)

    @api.post(
        "/shipments/<shipment_id>/status",
        "The courier's report",
        allow=_COURIERS,
        status=202,
        errors=[404, 409],
        links=[Link("showShipment", _BY_SHIPMENT), Link("reportShipment", _BY_SHIPMENT)],
    )
    def report_shipment(self, shipment_id: str, body: ShipmentRequest) -> ShipmentAnswer:
        """Record the courier's report."""
        order, _, _ = self._service.shipment(shipment_id)
        with about_order(order.id):
            order = self._service.report(order.id, shipment_id, ShipmentStatus(body.status))
            fulfillment, _, shipment = find(order, shipment_id)
        return shipment_answer(fulfillment, shipment)

    def _page(self, query: PageQuery, *, pending: bool) -> Reply[list[ShipmentLine]]:
        lines, page = self._queries.shipments(query.limit, query.cursor, pending=pending)
        return page_reply([ShipmentLine.model_validate(line) for line in lines], page)
