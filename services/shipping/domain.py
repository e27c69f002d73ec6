"""The rules of bookings: what may be booked, and the effect of a cancellation."""

from services.common.errors import NotAllowedError, UnavailableError
from services.common.ids import split_fulfillment_id
from services.shipping.models import Booking, BookingAnswer, BookingRequest, BookingStatus, Settings


def check_same(booking: Booking, request: BookingRequest) -> Booking:
    """Return the booking if it matches the request.

    Raises the 409 `bookingCancelled` for one that was cancelled and `bookingExists` for other content.
    """
    if booking.status is BookingStatus.CANCELLED:
        raise NotAllowedError("bookingCancelled", f"the booking of shipment {booking.id} was cancelled")
    if (booking.order_id, booking.items) != (request.order_id, tuple(request.items)):
        raise NotAllowedError("bookingExists", f"shipment {booking.id} is booked with other content")
    return booking


def check_active(settings: Settings | None) -> None:
    """Raise the 503 for new bookings during maintenance."""
    if settings is not None and not settings.active:
        raise UnavailableError("unavailable", "shipping is in maintenance and accepts no bookings")


def make_booking(request: BookingRequest, courier_reference: str, at: str) -> Booking:
    """Return the record of a booking that the courier has confirmed."""
    return Booking(
        id=request.id,
        order_id=request.order_id,
        status=BookingStatus.BOOKED,
        items=tuple(request.items),
        courier_reference=courier_reference,
        created_at=at,
        updated_at=at,
    )


def cancel(booking: Booking | None, shipment_id: str, at: str) -> Booking:
    """Return the booking as cancelled; for an unknown one, return a tombstone that blocks it."""
    if booking is None:
        order_id, _ = split_fulfillment_id(shipment_id)
        return Booking(id=shipment_id, order_id=order_id, status=BookingStatus.CANCELLED, created_at=at, updated_at=at)
    if booking.status is BookingStatus.CANCELLED:
        return booking
    return booking.model_copy(update={"status": BookingStatus.CANCELLED, "updated_at": at})


def switch(settings: Settings | None, active: bool) -> Settings:
    """Return the settings with bookings allowed or not; the same object if nothing changes."""
    return settings if settings is not None and settings.active is active else Settings(active=active)


def booking_answer(booking: Booking) -> BookingAnswer:
    """Return the response to a booking or a cancellation."""
    return BookingAnswer(id=booking.id, status=booking.status, courier_reference=booking.courier_reference)
