"""What shipping tells of its HTTP interface."""

from services.common.json_models import Json
from services.common.web.openapi import Link, Operation, document
from services.shipping.models import Booking, BookingAnswer, BookingRequest, SettingsAnswer


def describe() -> Json:
    """Return shipping's OpenAPI document."""
    by_answer = {"shipmentId": "$response.body#/id"}
    return document(
        "shipping",
        "Courier bookings. While it is not active, nothing new is booked: 503.",
        [
            Operation(
                "POST",
                "/bookings",
                "book",
                "Book a courier for a shipment, once",
                BookingAnswer,
                body=BookingRequest,
                refusals=[409],
                links=[Link("cancelBooking", by_answer), Link("showBooking", by_answer)],
                internal=True,
            ),
            Operation(
                "POST",
                "/bookings/{shipmentId}/cancel",
                "cancelBooking",
                "Call the courier off",
                BookingAnswer,
                refusals=[404, 422],
                links=[Link("showBooking", by_answer)],
                internal=True,
            ),
            Operation("GET", "/bookings/{shipmentId}", "showBooking", "A booking", Booking, refusals=[404]),
            Operation("POST", "/shipping/activate", "activate", "Take bookings again", SettingsAnswer),
            Operation("POST", "/shipping/deactivate", "deactivate", "Take no bookings", SettingsAnswer),
            Operation("GET", "/shipping/settings", "showSettings", "Whether bookings are taken", SettingsAnswer),
        ],
    )
