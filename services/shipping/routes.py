"""Shipping's HTTP interface."""

from services.common.identity import Role
from services.common.ids import is_fulfillment_id
from services.common.logs import about_order
from services.common.web import api
from services.common.web.access_rules import people, services
from services.common.web.openapi import Link
from services.common.web.problems import not_found
from services.shipping import domain
from services.shipping.models import Booking, BookingAnswer, BookingPath, BookingRequest, Settings, SettingsAnswer
from services.shipping.store import ShippingStore

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

_BY_ANSWER = {"shipmentId": "$response.body#/id"}


class ShippingRoutes:
    """Bookings, and the maintenance switch."""

    def __init__(self, store: ShippingStore) -> None:
        self._store = store

    @api.post(
        "/bookings",
        "Book a courier for a shipment, once",
        allow=_ORDERS,
        errors=[409],
        links=[Link("cancelBooking", _BY_ANSWER), Link("showBooking", _BY_ANSWER)],
    )
    def book(self, body: BookingRequest) -> BookingAnswer:
        """Book a courier."""
        with about_order(body.order_id):
            return domain.booking_answer(self._store.book(body))

    @api.post(
        "/bookings/<shipment_id>/cancel",
        "Cancel the booking of a shipment",
        allow=_ORDERS,
        errors=[404, 422],
        links=[Link("showBooking", _BY_ANSWER)],
    )
    def cancel_booking(self, path: BookingPath) -> BookingAnswer:
        """Cancel a booking."""
        return domain.booking_answer(self._store.cancel(path.shipment_id))

    @api.get("/bookings/<shipment_id>", "A booking", allow=_MANAGER, errors=[404])
    def show_booking(self, shipment_id: str) -> Booking:
        """Return a booking."""
        booking = self._store.find(shipment_id) if is_fulfillment_id(shipment_id) else None
        if booking is None:
            raise not_found("booking", shipment_id)
        return booking

    @api.post("/shipping/activate", "Accept new bookings", allow=_MANAGER)
    def activate(self) -> SettingsAnswer:
        """End maintenance."""
        return _settings_answer(self._store.switch(True))

    @api.post("/shipping/deactivate", "Reject new bookings", allow=_MANAGER)
    def deactivate(self) -> SettingsAnswer:
        """Begin maintenance."""
        return _settings_answer(self._store.switch(False))

    @api.get("/shipping/settings", "Whether new bookings are accepted", allow=_MANAGER)
    def show_settings(self) -> SettingsAnswer:
        """Return the settings."""
        return _settings_answer(self._store.settings())


API = api.Api("shipping", "Courier bookings. While shipping is not active, new bookings get a 503.", [ShippingRoutes])


def _settings_answer(settings: Settings) -> SettingsAnswer:
    return SettingsAnswer(active=settings.active, maintenance_mode=not settings.active)
