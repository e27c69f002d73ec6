"""Robots in the place of people: customers who answer, approvers who decide, couriers who drive."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json
from services.load_generator.run_stats import FINAL, Books, StreamOrder
from services.load_generator.schedule import Agenda
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend

APPROVER = "stream-approver"

_AT_ONCE = 20
"""So many orders are looked at each time: where all stand still because there are too many, looks make it worse."""


class People:
    """Do what is due with the orders of a run: when the feed tells of it, and when an order is seen to stand still.

    The feed may tell late or, over a restart of this process, never; so both ways lead to the same deeds, and each deed
    is planned once. What gets no answer is done again after `again` seconds.
    """

    def __init__(self, settings: StreamSettings, backend: Backend, books: Books, agenda: Agenda, again: float) -> None:
        self._settings, self._backend, self._books, self._agenda = settings, backend, books, agenda
        self._again = again

    def accepted(self, order: StreamOrder) -> None:
        """Let the customer of a new order change his mind, if he is one who does."""
        after = order.person.changes_mind
        if after is not None:
            self._plan(order, "cancel", after, lambda: self._backend.act(order.id, "cancel"))

    def heard(self, event: Json) -> None:
        """Take an event of the feed."""
        order = self._books.move(str(event.get("orderId")))
        if order is None:
            return
        subject, _, status = str(event.get("type")).partition(".")
        if subject == "order":
            self._order_is(order, status)
        elif subject == "shipment":
            self._parcel_is(order, str(event.get("fulfillmentId")), status)

    def look_after(self, orders: Sequence[StreamOrder]) -> None:
        """Look at orders that stand still, and do what is due. Raises TransientError and RefusedError."""
        standing = {order.id: order for order in orders[:_AT_ONCE]}
        for line in self._backend.orders_by_id(list(standing)):
            order, status = standing[line["id"]], line["status"]
            self._books.move(order.id)
            if status == "processing":
                self._agenda.add(0, partial(self._look_at_parcels, order))
            else:
                self._order_is(order, status)

    def _look_at_parcels(self, order: StreamOrder) -> None:
        # What cannot be seen now is seen the next time.
        with suppress(RefusedError, TransientError):
            for part in self._backend.order(order.id).get("fulfillments") or []:
                shipment = part.get("shipment") or {}
                self._parcel_is(order, str(shipment.get("id")), str(shipment.get("status")))

    def _order_is(self, order: StreamOrder, status: str) -> None:
        person = order.person
        if status in FINAL:
            self._books.end(order.id, status)
        elif status == "customerActionRequired" and person.answer is not None:
            answer = person.answer
            self._plan(order, "answer", 0, lambda: self._backend.act(order.id, answer))
        elif status == "approvalRequired" and person.approves is not None:
            approves = person.approves
            self._plan(order, "approve", 0, lambda: self._backend.approve(order.id, APPROVER, approves))

    def _parcel_is(self, order: StreamOrder, shipment_id: str, status: str) -> None:
        settings = self._settings
        following = {
            "booked": ("dispatched", settings.dispatch_after),
            "dispatched": ("delivered", settings.deliver_after),
        }
        if status in following:
            report, after = following[status]
            self._plan(order, f"{report} {shipment_id}", after, lambda: self._backend.report(shipment_id, report))

    def _plan(self, order: StreamOrder, name: str, after: float, deed: Callable[[], object]) -> None:
        if self._books.plan(order, name):
            self._agenda.add(after, lambda: self._do(order, deed))

    def _do(self, order: StreamOrder, deed: Callable[[], object]) -> None:
        try:
            # A refusal is fine: somebody else was faster, or the order goes another way by now.
            with suppress(RefusedError):
                deed()
        except TransientError:
            self._agenda.add(self._again, lambda: self._do(order, deed))
        else:
            self._books.done(order)
