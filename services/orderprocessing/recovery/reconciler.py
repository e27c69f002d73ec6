"""Finds what a crash left unfinished between two writes, and completes it.

That is: signals that were not sent, orders whose workflow never started, and index entries without a record.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.common.clock import rfc3339
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.common.records import Entry
from services.common.states import is_final
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.adapters.unreadable_orders import TolerantOrderReader
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.order import Order
from services.orderprocessing.engine.dispatcher import EngineUnavailableError
from services.orderprocessing.recovery.queue_delay import QueueDelayEstimate
from services.orderprocessing.recovery.stuck_workflows import StuckWorkflowRecovery

log = get_logger(__name__)

_PAGE = 100
_SIGNAL_GRACE = timedelta(seconds=5)
"""Another thread or replica may still send a younger signal."""
_GRACE = timedelta(seconds=10)
"""For everything else that may still happen by itself. All these times grow with the queue-delay estimate."""
_FIRST_PAUSE, _MAX_PAUSE = timedelta(seconds=20), timedelta(minutes=10)
"""Between two restarts for the same revision of an order. A workflow in a long backlog is healthy, only late, and each
signal costs as much as a step."""
_STALLED_AFTER = timedelta(seconds=10)
"""An order that waits for no person and has made no progress for so long may have lost its workflow, or have a stuck
one."""
_SIGNAL_LOST_AFTER = timedelta(minutes=2)
"""An order that waits for no person and has made no progress for so long may have lost a signal."""
_ORPHAN_AGE = timedelta(minutes=5)
"""Far longer than a request or a step takes between writing an index entry and its record."""
_CLOCK_SKEW = timedelta(seconds=10)
"""How far the clocks of machines may differ. A time that is later by more shows that the clock was set back."""
_MAX_WATCHED = 1000
_NEWEST = 200
"""How many of the newest orders are checked for a workflow that still runs although its order has ended."""
_FORGET_AFTER = timedelta(hours=1)
_MAX_FAILURES = 3
"""In a row; after that the engine is assumed to be unavailable."""


@dataclass(frozen=True)
class _Restart:
    """The last restart of an order's workflow: the record's revision, when the next may follow, and the pause."""

    rev: int
    until: datetime
    pause: timedelta


class Reconciler:
    """Scans the open orders and shipments at intervals; its cost depends on the backlog, not on the size of the store.

    An order whose record cannot be read keeps its index entries and is skipped until it is readable.
    """

    def __init__(
        self, orders: OrderRepository, service: OrderService, completed_steps: Callable[[], int] = lambda: 0
    ) -> None:
        """`completed_steps` returns how many steps of workflows this process has completed."""
        self._orders, self._service, self._queue_delay = orders, service, QueueDelayEstimate(completed_steps)
        self._stuck_workflows, self._reader = StuckWorkflowRecovery(service.recover), TolerantOrderReader(orders)
        self._suspected_orphans: set[str] = set()
        self._watched: set[str] = set()
        self._restarts: dict[str, _Restart] = {}
        self._first_seen: dict[tuple[str, int], str] = {}
        self._failures = 0
        self._found_lost = False

    def scan(self, now: datetime) -> int:
        """Repair what a crash left unfinished; return the number of repairs.

        Raises TransientError when the store or the engine does not answer.
        """
        self._stuck_workflows.begin_scan(now)
        self._first_seen = {key: at for key, at in self._first_seen.items() if at > rfc3339(now - _FORGET_AFTER)}
        if self._found_lost:
            self._watch_ended()
        repairs = self._scan_orders(now) + self._scan_shipments(now)
        self._queue_delay.update(now)
        return repairs

    def take_over(self) -> None:
        """Check the newest ended orders in the next scan: they may have ended while no process reconciled."""
        self._found_lost = True

    def follow_up(self, now: datetime) -> int:
        """Check the watched orders again; return the number of repairs. Raises TransientError like `scan`."""
        ids, self._watched = sorted(self._watched), set()
        self._stuck_workflows.begin_scan(now)
        repairs = 0
        for start in range(0, len(ids), _PAGE):
            for order in self._reader.read(ids[start : start + _PAGE]).orders:
                with self._reader.order(order.id):
                    repairs += self._check_order(order, now)
        return repairs

    def follow_up_in(self) -> float | None:
        """Return in how many seconds the follow-up is due, None when no order is watched."""
        return _SIGNAL_GRACE.total_seconds() if self._watched else None

    def _scan_orders(self, now: datetime) -> int:
        repairs = 0
        restarts, self._restarts = self._restarts, {}
        for entries in self._orders.orders.open_pages(_PAGE):
            result = self._reader.read([entry.id for entry in entries])
            orders = {order.id: order for order in result.orders}
            for entry in entries:
                order = orders.get(entry.id)
                with self._reader.order(entry.id):
                    if order is not None and order.entry_location == entry.entry_location:
                        if entry.id in restarts:
                            self._restarts[entry.id] = restarts[entry.id]
                        if _is_queued(order):
                            self._queue_delay.count()
                        repairs += self._refresh_entry(order, entry, order.status, now) or self._check_order(order, now)
                    elif entry.id not in result.unreadable:
                        repairs += self._drop_orphan(entry, now, of_shipments=False)
        return repairs

    def _scan_shipments(self, now: datetime) -> int:
        repairs = 0
        for entries in self._orders.shipments.open_pages(_PAGE):
            result = self._reader.read(list({entry.data["orderId"] for entry in entries}))
            parts = [(order, fulfillment) for order in result.orders for fulfillment in order.fulfillments or []]
            shipments = {part.id: (order, part.shipment) for order, part in parts if part.shipment}
            for entry in entries:
                order, shipment = shipments.get(entry.id, (None, None))
                with self._reader.order(entry.data["orderId"]):
                    if order is not None and shipment is not None and shipment.entry_location == entry.entry_location:
                        repairs += self._refresh_entry(order, entry, shipment.status, now)
                    elif entry.data["orderId"] not in result.unreadable:
                        repairs += self._drop_orphan(entry, now, of_shipments=True)
        return repairs

    def _refresh_entry(self, order: Order, entry: Entry, status: str, now: datetime) -> bool:
        """Update an index entry with an outdated status, which a crash between the two writes leaves behind."""
        if entry.data.get("status") == status or self._changed_at(order, now) > rfc3339(now - _SIGNAL_GRACE):
            return False
        log.warning("updating an outdated index entry", extra={"entryId": entry.id})
        self._orders.update(order.id, lambda unchanged: unchanged)
        return True

    def _check_order(self, order: Order, now: datetime) -> bool:
        if is_final(order.status):
            return self._check_ended(order, now)
        if not self._overdue(order, now):
            if order.pending_signals:
                self._watch(order.id)
            return not _waits_for_person(order) and self._check_progress(order, now)
        if self._restart(order, now):
            return True
        self._watch(order.id)
        return self._check_stuck(order, now)

    def _restart(self, order: Order, now: datetime) -> bool:
        """Start or signal the order's workflow, unless that was done a short time ago; return whether it was done."""
        last = self._restarts.get(order.id)
        last = last if last and last.rev == order.rev else None
        if last and now < last.until <= now + _MAX_PAUSE:
            return False
        # During a long scan the order may have made progress since it was read.
        if [current.rev for current in self._reader.read([order.id]).orders] != [order.rev]:
            self._watch(order.id)
            return False
        if not self._call_engine(self._service.restart, order):
            return False
        log.warning("restarted an overdue workflow", extra={"pendingSignals": sorted(order.pending_signals)})
        pause = min(2 * last.pause, _MAX_PAUSE) if last else _FIRST_PAUSE
        self._restarts[order.id] = _Restart(order.rev, now + pause, pause)
        self._found_lost = True
        return True

    def _check_progress(self, order: Order, now: datetime) -> bool:
        """Recover the workflow of an order that waits for no person and makes no progress; return whether it was."""
        self._watch(order.id)
        changed_at = self._changed_at(order, now)
        if changed_at > self._cutoff(_STALLED_AFTER, now):
            return False
        if self._check_stuck(order, now):
            return True
        return changed_at <= self._cutoff(_SIGNAL_LOST_AFTER, now) and self._restart(order, now)

    def _overdue(self, order: Order, now: datetime) -> bool:
        """Return whether the order's workflow missed a signal, a deadline, a decision, or the last delivery."""
        signal_cutoff, cutoff = self._cutoff(_SIGNAL_GRACE, now), self._cutoff(_GRACE, now)
        if any(self._past(order, since, now) <= signal_cutoff for since in order.pending_signals.values()):
            return True
        changed_at = self._changed_at(order, now)
        if order.deadline is not None and order.ending is None:
            # A deadline set before the clock was set back is too far away: the workflow sets it again.
            return order.deadline <= cutoff or (changed_at != order.updated_at and changed_at <= cutoff)
        all_ended = order.fulfillments is not None and all(is_final(part.status) for part in order.fulfillments)
        return changed_at <= cutoff and (order.cancel or order.ending is not None or all_ended)

    def _changed_at(self, order: Order, now: datetime) -> str:
        return self._past(order, order.updated_at, now)

    def _past(self, order: Order, at: str, now: datetime) -> str:
        """Return a time of an order's record, or if the clock was set back since, when this revision was first seen.

        Otherwise the order would be left alone until the clock reaches that time again.
        """
        latest = rfc3339(now + _CLOCK_SKEW)
        if at <= latest:
            return at
        key = (order.id, order.rev)
        if self._first_seen.get(key, at) > latest:
            self._first_seen[key] = rfc3339(now)
        return self._first_seen[key]

    def _cutoff(self, grace: timedelta, now: datetime) -> str:
        """Return the time before which a change is overdue, even for an order that waited in the queue."""
        return rfc3339(now - max(grace, self._queue_delay.delay()))

    def _check_ended(self, order: Order, now: datetime) -> bool:
        """Recover the workflow of an order that has ended, if it does not end with its order."""
        if self._changed_at(order, now) > rfc3339(now - _STALLED_AFTER):
            self._watch(order.id)
            return False
        return self._check_stuck(order, now)

    def _watch_ended(self) -> None:
        """Watch the newest orders that have ended: where one workflow was stuck, theirs may be too."""
        self._found_lost = False
        newest = self._orders.orders.read(_NEWEST).entries
        for entry in newest:
            if not entry.open:
                self._watch(entry.id)

    def _check_stuck(self, order: Order, now: datetime) -> bool:
        recovered = self._call_engine(lambda order: self._stuck_workflows.check(order, now), order)
        self._found_lost |= recovered
        return recovered

    def _watch(self, order_id: str) -> None:
        """Check the order again in the follow-up, unless too many are watched."""
        if len(self._watched) < _MAX_WATCHED:
            self._watched.add(order_id)

    def _call_engine(self, call: Callable[[Order], bool | None], order: Order) -> bool:
        """Make a call about an order's workflow; return False when there was nothing to do or the call failed.

        A failure may concern this workflow alone. Several in a row are raised.
        """
        try:
            result = call(order)
        except EngineUnavailableError:
            raise
        except TransientError as error:
            self._failures += 1
            if self._failures >= _MAX_FAILURES:
                self._failures = 0
                raise
            log.warning("could not signal the workflow", extra={"cause": str(error)})
            return False
        self._failures = 0
        return result is not False

    def _drop_orphan(self, entry: Entry, now: datetime, of_shipments: bool) -> bool:
        # The entry is written before its record, so the record may still come: the entry must be old, and must have had
        # no record in the scan before either, when everything that a crash had interrupted was resumed.
        if entry.at > rfc3339(now - _ORPHAN_AGE):
            return False
        if entry.id not in self._suspected_orphans:
            self._suspected_orphans.add(entry.id)
            return False
        self._suspected_orphans.discard(entry.id)
        log.warning("dropping an index entry without a record", extra={"entryId": entry.id})
        self._orders.drop_entry(entry, of_shipments)
        return True


def _is_queued(order: Order) -> bool:
    return not is_final(order.status) and (order.pending_signals != {} or not _waits_for_person(order))


def _waits_for_person(order: Order) -> bool:
    """Return whether the customer, the approver, or the courier of every open fulfillment has to act next."""
    open_parts = [part for part in order.fulfillments or [] if not is_final(part.status)]
    booked = [part for part in open_parts if part.shipment and part.shipment.courier_reference and part.reason is None]
    waits_for_decision = order.deadline is not None and order.ending is None
    return waits_for_decision or (open_parts != [] and booked == open_parts)
