"""The export of complete workflow histories: all events with all their data, for a replay or for evidence."""

from google.protobuf.json_format import MessageToDict

from services.common.errors import NotAllowedError
from services.common.json_models import ApiModel, Json
from services.common.web import api
from services.common.web.access_rules import people
from services.orderprocessing.adapters.history_archive import HistorySource
from services.orderprocessing.application.order_service import OrderService

_MAX_BYTES = 32 * 1024 * 1024
"""Far more than the histories of an order have; the engine stops an instance above 4 MiB."""


class ExportedInstance(ApiModel):
    """A workflow instance; each event is the engine's HistoryEvent in the JSON form of protobuf."""

    instance_id: str
    events: list[Json]


class HistoryExport(ApiModel):
    """The workflow instances of an order: its own, then those of its charges and shipments."""

    order_id: str
    instances: list[ExportedInstance]


class ExportRoutes:
    """Exports of histories."""

    def __init__(self, service: OrderService, source: HistorySource) -> None:
        self._service, self._source = service, source

    @api.get(
        "/orders/<order_id>/history/export",
        "The complete history of the order's workflows, which `oms replay` reads",
        allow=people(),
        errors=[404, 409],
    )
    def export_history(self, order_id: str) -> HistoryExport:
        """Return all events of an order's workflow instances, decrypted and not truncated."""
        histories = self._source.events(self._service.instances(order_id))
        if sum(event.ByteSize() for _, events in histories for event in events) > _MAX_BYTES:
            raise NotAllowedError("historyTooLong", f"the history has more than {_MAX_BYTES} bytes")
        instances = [
            ExportedInstance(instance_id=instance, events=[MessageToDict(event) for event in events])
            for instance, events in histories
        ]
        return HistoryExport(order_id=order_id, instances=instances)
