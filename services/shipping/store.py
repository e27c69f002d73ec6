"""Keeps bookings and the maintenance switch, and the bookings in step with the courier.

The courier is asked first and the booking written after; a cancellation is written first and then told to
the courier. Whatever falls between is repaired by the same request again, and a booking that a cancellation
overtook finds its record when it comes to write, and takes itself back.
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

        Raises the 409s of `domain.check_same`, and the 503 while shipping is not active; a booking that
        exists is returned even then.
        """
        booking = self._bookings.get(request.id)
        if booking is None:
            domain.check_active(self._settings.get(_SETTINGS_ID))
            booking = self._book_now(request)
        if booking.status is BookingStatus.CANCELLED:
            # On every repeat: the attempt that the courier confirmed may have died before it came here.
            self._courier.cancel(request.id)
        return domain.check_same(booking, request)

    def cancel(self, shipment_id: str) -> Booking:
        """Cancel the shipment's booking; one that does not exist can then never be made."""
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
        """Allow bookings or stop them."""
        return self._settings.update(_SETTINGS_ID, lambda now: domain.switch(now, active))

    def _book_now(self, request: BookingRequest) -> Booking:
        reference = self._courier.book(request.id, request.items)
        booking = domain.make_booking(request, reference, self._now())
        kept = self._bookings.update(request.id, lambda now: now or booking)
        log.info("courier answered", extra={"shipmentId": request.id, "courierReference": reference})
        return kept

    def _now(self) -> str:
        return rfc3339(self._clock())
