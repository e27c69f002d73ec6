"""What notifications tells of its HTTP interface; deliveries come from the sidecar alone and are not part of it."""

from services.common.ids import ORDER_ID_PATTERN
from services.common.json_models import Json
from services.common.web.openapi import CURSOR, LIMIT, NEXT, Operation, Parameter, document
from services.notifications.models import DeadLetter, FeedEvent

_ORDER = Parameter("orderId", "only events of this order", {"type": "string", "pattern": f"^{ORDER_ID_PATTERN}$"})
_LAST = "the id of the last event that was seen: the stream goes on behind it"


def describe() -> Json:
    """Return the OpenAPI document of notifications."""
    about = "The durable feed of order events, as a list, a live stream and a page."
    return document("notifications", about, [*_lists(), *_live()])


def _lists() -> list[Operation]:
    return [
        Operation(
            "GET",
            "/events",
            "listEvents",
            "Events, newest first",
            list[FeedEvent],
            parameters=[LIMIT, CURSOR, _ORDER],
            refusals=[422],
            headers=NEXT,
        ),
        Operation(
            "GET",
            "/events/dead",
            "listDeadLetters",
            "Messages that could not be processed, newest first",
            list[DeadLetter],
            parameters=[LIMIT, CURSOR],
            refusals=[422],
            headers=NEXT,
        ),
    ]


def _live() -> list[Operation]:
    return [
        Operation(
            "GET",
            "/events/stream",
            "followEvents",
            "Events as they come (server-sent events)",
            "text/event-stream",
            parameters=[
                _ORDER,
                Parameter("lastEventId", _LAST, {"type": "string"}),
                Parameter("Last-Event-ID", f"{_LAST}; newer than the query", {"type": "string"}, place="header"),
            ],
            refusals=[422],
        ),
        Operation(
            "GET",
            "/",
            "showPage",
            "The feed's page",
            "text/html",
            parameters=[Parameter("orderId", "shows only this order", {"type": "string"})],
        ),
    ]
