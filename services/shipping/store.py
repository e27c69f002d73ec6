"""Stores bookings and the maintenance switch, and keeps the bookings consistent with the courier.

For a booking, the courier is called first and the record is written after; for a cancellation it is the other way
round. Repeating a request completes it after a crash in between. A booking finds the record of a concurrent
cancellation when it writes its own, and undoes itself.
"""

from services.common.clock import Clock, rfc3339
from services.common.logs import get_logger
from services.common.storage.documents import Documents, Records
from services.shipping import domain
from services.shipping.courier import Courier
from services.shipping.models import Booking, BookingRequest, BookingStatus, Settings

log = get_logger(__name__)

_SETTINGS_ID = "shipping"


class ShippingStore:
    """Bookings by shipment id, and the switch. Every method may raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock, courier: Courier) -> None:
        self._bookings = Records(documents, "booking", Booking)
        self._settings = Records(documents, "settings", Settings)
        self._clock, self._courier = clock, courier

    def book(self, request: BookingRequest) -> Booking:
        """Book the courier once for the shipment.

        Raises the 409s of `domain.check_same`, and the 503 for a new booking while shipping is not active.
        """
        booking = self._bookings.get(request.id)
        if booking is None:
            domain.check_active(self._settings.get(_SETTINGS_ID))
            booking = self._book_now(request)
        if booking.status is BookingStatus.CANCELLED:
            # With every repeat, because the attempt that the courier confirmed may have crashed before this step.
            self._courier.cancel(request.id)
        return domain.check_same(booking, request)

    def cancel(self, shipment_id: str) -> Booking:
        """Cancel the shipment's booking; a booking that does not exist can never be made afterwards."""
        booking = self._bookings.update(shipment_id, lambda now: domain.cancel(now, shipment_id, self._now()))
        self._courier.cancel(shipment_id)
        log.info("booking cancelled", extra={"shipmentId": shipment_id})
        return booking

    def find(self, shipment_id: str) -> Booking | None:
        """Return the shipment's booking, or None."""
        return self._bookings.get(shipment_id)

    def settings(self) -> Settings:
        """Return the switch; a fresh store is active."""
        return self._settings.get(_SETTINGS_ID) or Settings()

    def switch(self, active: bool) -> Settings:
        """Allow or reject new bookings."""
        return self._settings.update(_SETTINGS_ID, lambda now: domain.switch(now, active))

    def _book_now(self, request: BookingRequest) -> Booking:
        reference = self._courier.book(request.id, request.items)
        booking = domain.make_booking(request, reference, self._now())
        stored = self._bookings.update(request.id, lambda now: now or booking)
        log.info("courier responded", extra={"shipmentId": request.id, "courierReference": reference})
        return stored

    def _now(self) -> str:
        return rfc3339(self._clock())
