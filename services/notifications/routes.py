"""The HTTP interface of notifications: deliveries from the sidecar, the feed, its live stream and its page."""

from datetime import datetime

from dapr.ext.flask import DaprApp
from flask import Blueprint, Flask, Response, jsonify, render_template, request

from services.common.auth.access import key_removed, person
from services.common.clock import Clock
from services.common.encryption.encrypted_events import decrypt_event
from services.common.encryption.encryptor import Encryptor, TamperedError, UnknownKeyError
from services.common.logs import get_logger
from services.common.server.connection import client_disconnected
from services.common.web import api
from services.common.web.access_rules import CONSOLE, EVERYBODY, SIDECAR, people
from services.common.web.api import Reply
from services.common.web.base_app import content_policy, object_from, parse, read_body
from services.common.web.event_stream import stream_response
from services.common.web.openapi import NEXT, Parameter
from services.common.web.origins import reject_cross_site_stream
from services.common.web.paging import PageQuery, page_reply
from services.common.web.problems import Problem
from services.notifications import domain
from services.notifications.models import CloudEvent, DeadLetter, Deliveries, FeedEvent
from services.notifications.queries import LAST_EVENT, EventsQuery, FeedPageQuery, StreamQuery
from services.notifications.store import NotificationsStore
from services.notifications.stream import EventStreams

log = get_logger(__name__)

PUBSUB = "orders"
DEAD_LETTER_TOPIC = "order-events-dead"

_DELIVERIES = "/internal/events"
_DEAD_DELIVERIES = "/internal/dead-events"
_SUCCESS, _RETRY, _DROP = "SUCCESS", "RETRY", "DROP"
"""The result of a message for the sidecar: stored, to be delivered again, or to become a dead letter."""
_ANY_SIZE = 2**40
"""More bytes than the server accepts in a request."""

_HEADERS = {
    # Bootstrap's style sheet embeds its icons as data URLs.
    "Content-Security-Policy": content_policy("img-src 'self' data:"),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class DeliveryRoutes:
    """Messages from the sidecar. While the state store fails they get a 503, and the sidecar delivers them again."""

    def __init__(self, store: NotificationsStore, streams: EventStreams, clock: Clock, encryptor: Encryptor) -> None:
        self._store, self._streams, self._clock, self._encryptor = store, streams, clock, encryptor

    @api.delivery(_DELIVERIES)
    def order_events(self) -> Response:
        """Store the order events of a bulk delivery."""
        # A delivery has many messages; each is small, or is truncated when it is stored.
        request.max_content_length = _ANY_SIZE
        now, deliveries = self._clock(), read_body(Deliveries).entries
        results = {delivery.entry_id: _feed_event(delivery.event, now, self._encryptor) for delivery in deliveries}
        events = {entry_id: event for entry_id, event in results.items() if isinstance(event, FeedEvent)}
        excess = {event.id for event in self._store.keep_events(list(events.values()), now)}
        self._streams.stored()
        statuses = results | {key: _DROP if event.id in excess else _SUCCESS for key, event in events.items()}
        return jsonify(
            statuses=[{"entryId": delivery.entry_id, "status": statuses[delivery.entry_id]} for delivery in deliveries]
        )

    def dead_event(self) -> Response:
        """Store a dead letter."""
        # A rejected dead letter would be lost, so any size and type is accepted.
        request.max_content_length = _ANY_SIZE
        self._store.keep_dead_letter(request.get_data())
        return jsonify(status=_SUCCESS)


def _feed_event(message: bytes, now: datetime, encryptor: Encryptor) -> FeedEvent | str:
    """Return the event in a message, or the result of a message that cannot be stored."""
    try:
        return domain.feed_event(parse(CloudEvent, decrypt_event(object_from(message), encryptor)), now)
    except UnknownKeyError as error:
        log.error("an event cannot be decrypted before its key is available", extra={"cause": str(error)})
        return _RETRY
    except (Problem, TamperedError, domain.UnprocessableError) as error:
        log.warning("dropped a message that is not an order event", extra={"cause": str(error)[:500]})
        return _DROP


class FeedRoutes:
    """The feed of order events: lists, a live stream and a page."""

    def __init__(self, store: NotificationsStore, streams: EventStreams) -> None:
        self._store, self._streams = store, streams

    @api.get("/", "The feed's page", allow=people(), answer="text/html")
    def show_page(self, query: FeedPageQuery) -> str:
        """Return the page."""
        return render_template("feed.html", order_id=(query.order_id or "").strip()[:40])

    @api.get("/events", "Events, newest first", allow=people(), errors=[422], headers=NEXT)
    def list_events(self, query: EventsQuery) -> Reply[list[FeedEvent]]:
        """Return a page of all events, or of those of an order."""
        if query.order_id is None:
            page = self._store.events(query.limit, query.cursor)
        else:
            page = self._store.events_of(query.order_id, query.limit, query.cursor)
        return page_reply([FeedEvent.model_validate(entry.data) for entry in page.entries], page)

    @api.get(
        "/events/dead",
        "Messages that could not be processed, newest first",
        allow=people(),
        errors=[422],
        headers=NEXT,
    )
    def list_dead_letters(self, query: PageQuery) -> Reply[list[DeadLetter]]:
        """Return a page of dead letters."""
        page = self._store.dead_letters(query.limit, query.cursor)
        return page_reply([DeadLetter.model_validate(entry.data) for entry in page.entries], page)

    @api.get(
        "/events/stream",
        "A live stream of events (server-sent events)",
        allow=people(apps=(CONSOLE,)),
        answer="text/event-stream",
        parameters=[Parameter("Last-Event-ID", f"{LAST_EVENT}; newer than the query", {"type": "string"}, "header")],
        errors=[422],
    )
    def follow_events(self, query: StreamQuery) -> Response:
        """Return a stream of events."""
        reject_cross_site_stream()
        # A browser reconnects to the same URL, so the header is newer than the parameter.
        last_id = request.headers.get("Last-Event-ID") or query.last_event_id
        disconnected, removed, caller = client_disconnected(request.environ), key_removed(), person()
        name = caller.name if caller else None
        return stream_response(self._streams.open(last_id, query.order_id, lambda: disconnected() or removed(), name))


API = api.Api(
    "notifications",
    "The durable feed of order events, as a list, a live stream and a page.",
    [FeedRoutes, DeliveryRoutes],
    others={
        "GET /static/<path:filename>": EVERYBODY,
        "GET /dapr/subscribe": SIDECAR,
        f"POST {_DEAD_DELIVERIES}": SIDECAR,
    },
)


def register(app: Flask, deliveries: DeliveryRoutes, feed: FeedRoutes) -> None:
    """Add the routes and the subscription to the application."""
    API.register(app, deliveries)
    pages = Blueprint("feed", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    api.add_routes(pages, feed)

    @pages.after_request
    def _protect(answer: Response) -> Response:
        answer.headers.extend(_HEADERS)
        return answer

    app.register_blueprint(pages)
    # The extension does not support bulk deliveries: components/order-events.yaml subscribes to order events. Metadata
    # is passed each time, because the extension's default is one dictionary for all subscriptions.
    subscribe = DaprApp(app).subscribe(PUBSUB, DEAD_LETTER_TOPIC, metadata={}, route=_DEAD_DELIVERIES)
    subscribe(deliveries.dead_event)
