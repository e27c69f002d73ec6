"""The endpoints of notifications: deliveries from the sidecar, the feed, its live stream and its page."""

from collections.abc import Callable
from datetime import datetime

from dapr.ext.flask import DaprApp
from flask import Blueprint, Flask, Response, jsonify, render_template, request

from services.common.auth.access import key_removed, person
from services.common.clock import Clock
from services.common.encryption.encrypted_events import decrypt_event
from services.common.encryption.encryptor import Encryptor, TamperedError, UnknownKeyError
from services.common.logs import get_logger
from services.common.records import BadCursorError, Slice
from services.common.server.connection import client_disconnected
from services.common.web.base_app import content_policy, object_from, paginated, parse, read_body, read_limit
from services.common.web.event_stream import reject_cross_site, stream_response
from services.common.web.problems import Problem, invalid
from services.notifications import domain
from services.notifications.models import CloudEvent, Deliveries, FeedEvent
from services.notifications.store import NotificationsStore
from services.notifications.stream import EventStreams

log = get_logger(__name__)

PUBSUB = "orders"
DEAD_LETTER_TOPIC = "order-events-dead"

_DELIVERIES = "/internal/events"
_SUCCESS, _RETRY, _DROP = "SUCCESS", "RETRY", "DROP"
"""What is answered of a message: it is kept, to be delivered again, or a dead letter."""
_ANY_SIZE = 2**40
"""More bytes than the server lets a request have."""

_HEADERS = {
    "Content-Security-Policy": content_policy(),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, store: NotificationsStore, streams: EventStreams, clock: Clock, encryptor: Encryptor) -> None:
    """Add the service's endpoints to the application; `encryptor` opens the events."""
    _register_deliveries(app, store, streams, clock, encryptor)
    feed = Blueprint("feed", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    _register_lists(feed, store)
    _register_stream(feed, streams)
    _register_page(feed)
    app.register_blueprint(feed)


def _register_deliveries(
    app: Flask, store: NotificationsStore, streams: EventStreams, clock: Clock, encryptor: Encryptor
) -> None:
    """Take what the sidecar delivers. A state store that fails is answered 503, by which it delivers again."""

    @app.post(_DELIVERIES)
    def _order_events() -> Response:
        # Many messages at once; each is as small as an event is, or is cut where it is kept.
        request.max_content_length = _ANY_SIZE
        now, deliveries = clock(), read_body(Deliveries).entries
        found = {one.entry_id: _feed_event(one.event, now, encryptor) for one in deliveries}
        events = {entry_id: one for entry_id, one in found.items() if isinstance(one, FeedEvent)}
        unfit = {event.id for event in store.keep_events(list(events.values()), now)}
        streams.stored()
        kept = {entry_id: _DROP if event.id in unfit else _SUCCESS for entry_id, event in events.items()}
        statuses = {**found, **kept}
        return jsonify(statuses=[{"entryId": one.entry_id, "status": statuses[one.entry_id]} for one in deliveries])

    def dead_event() -> Response:
        # The last stop for a message: whatever its size and type, it is not refused.
        request.max_content_length = _ANY_SIZE
        store.keep_dead_letter(request.get_data())
        return jsonify(status="SUCCESS")

    # Order events come in bulk, which this extension does not know of: components/order-events.yaml subscribes to them.
    # Metadata is given each time, because the extension's default is one dictionary for all subscriptions.
    DaprApp(app).subscribe(PUBSUB, DEAD_LETTER_TOPIC, metadata={}, route="/internal/dead-events")(dead_event)


def _feed_event(message: bytes, now: datetime, encryptor: Encryptor) -> FeedEvent | str:
    """Return what the feed keeps of a message; of one that it cannot read, what the sidecar is to do with it."""
    try:
        return domain.feed_event(parse(CloudEvent, decrypt_event(object_from(message), encryptor)), now)
    except UnknownKeyError as error:
        log.error("an event waits for the key that it is sealed with", extra={"cause": str(error)})
        return _RETRY
    except (Problem, TamperedError, domain.UnprocessableError) as error:
        log.warning("dropped a message that is no order event", extra={"cause": str(error)[:500]})
        return _DROP


def _register_lists(feed: Blueprint, store: NotificationsStore) -> None:
    @feed.get("/events")
    def _events() -> Response:
        order_id = request.args.get("orderId")
        if order_id is None:
            return _list(store.events)
        return _list(lambda limit, cursor: store.events_of(order_id, limit, cursor), _wrong_order_id(order_id))

    @feed.get("/events/dead")
    def _dead() -> Response:
        return _list(store.dead_letters)


def _list(read: Callable[[int, str | None], Slice], wrong: list[tuple[str, str]] | None = None) -> Response:
    """Answer a page of what `read` gives. Raises one 422 for `wrong`, the limit and the cursor."""
    limit, found = 1, list(wrong or [])
    try:
        limit = read_limit()
    except Problem as problem:
        found += [(error["field"], error["detail"]) for error in problem.errors]
    page = Slice([], None)
    if not wrong:
        try:
            page = read(limit, request.args.get("cursor"))
        except BadCursorError:
            found.append(("cursor", "is not a cursor of this list"))
    if found:
        raise invalid(*found)
    return paginated([entry.data for entry in page.entries], page)


def _register_stream(feed: Blueprint, streams: EventStreams) -> None:
    @feed.get("/events/stream")
    def _stream() -> Response:
        reject_cross_site()
        order_id = request.args.get("orderId")
        if wrong := _wrong_order_id(order_id):
            raise invalid(*wrong)
        # A browser that reconnects keeps the address, so its header is the newer of the two.
        last_id = request.headers.get("Last-Event-ID") or request.args.get("lastEventId")
        disconnected, removed, somebody = client_disconnected(request.environ), key_removed(), person()
        who = somebody.name if somebody else None
        return stream_response(streams.open(last_id, order_id, lambda: disconnected() or removed(), who))


def _register_page(feed: Blueprint) -> None:
    @feed.get("/")
    def _page() -> str:
        return render_template("feed.html", order_id=request.args.get("orderId", "").strip()[:40])

    @feed.after_request
    def _protect(answer: Response) -> Response:
        answer.headers.extend(_HEADERS)
        return answer


def _wrong_order_id(order_id: str | None) -> list[tuple[str, str]]:
    if order_id is None or domain.is_order_id(order_id):
        return []
    return [("orderId", "must be 1 to 40 letters, digits, '_' and '-', beginning with a letter or digit")]
