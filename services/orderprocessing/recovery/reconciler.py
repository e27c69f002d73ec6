"""Finds what a crash left between two writes, and finishes it.

That is: pending_signals that nobody rang, orders whose workflow never started, lines of lists that point nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.common.clock import rfc3339
from services.common.dapr.sidecar import TransientError
from services.common.logs import get_logger
from services.common.records import Entry
from services.orderprocessing.adapters.order_repository import OrderStore
from services.orderprocessing.adapters.unreadable_orders import SkipUnreadable
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.domain.order import Order
from services.orderprocessing.domain.states import is_final
from services.orderprocessing.engine.dispatcher import EngineUnavailableError
from services.orderprocessing.recovery.queue_delay import QueueDelayEstimate
from services.orderprocessing.recovery.stuck_workflows import StuckWorkflowRecovery

log = get_logger(__name__)

_PAGE = 100
_BELL_GRACE = timedelta(seconds=5)
"""A younger signal may still be rung by another thread or replica."""
_GRACE = timedelta(seconds=10)
"""What else is younger may be about to move. Where many wait for their turn, all of these times are longer."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=20), timedelta(minutes=10)
"""Between the times that the same news is told: where the backlog is long, nothing is wrong with a workflow that has
not looked yet, and telling it again costs as much as work does."""
_STANDING = timedelta(seconds=10)
"""After this without a step, an order that waits for nobody is looked at: its workflow may be gone or wait for ever."""
_STANDSTILL = timedelta(minutes=2)
"""After this without a step, an order that waits for nobody is rung: a signal may have been lost."""
_ORPHAN_AGE = timedelta(minutes=5)
"""Far longer than a request or a step takes between a list's line and the record that it points to."""
_MOST_WATCHED = 1000
_NEWEST = 200
"""Of the newest orders, so many are looked at for a workflow that goes on though its order has ended."""
_MOST_UNHEARD = 3
"""In a row: then it is not those orders, the engine is away."""


@dataclass(frozen=True)
class _Told:
    """What a workflow was told the last time: the record's revision then, and how long to wait before telling again."""

    rev: int
    until: datetime
    pause: timedelta


class Reconciler:
    """Goes through what is open, now and then; that is the backlog, whatever the store holds.

    An order whose record cannot be read keeps its lines, and is passed over until it can be.
    """

    def __init__(self, orders: OrderStore, service: OrderService, steps: Callable[[], int] = lambda: 0) -> None:
        """`steps` tells how many steps of workflows were done here so far."""
        self._orders, self._service, self._turns = orders, service, QueueDelayEstimate(steps)
        self._healer, self._passing_over = StuckWorkflowRecovery(service.recover), SkipUnreadable(orders)
        self._suspects: set[str] = set()
        self._young: set[str] = set()
        self._told: dict[str, _Told] = {}
        self._undelivered = 0
        self._found_lost = False

    def scan(self, now: datetime) -> int:
        """Mend what a crash left behind some seconds before `now`; return how much that was.

        Raises TransientError when the store or the engine gives no answer: the next calls would get none either.
        """
        self._healer.begin(now)
        if self._found_lost:
            self._watch_ended()
        mended = self._mend_orders(now) + self._mend_shipments(now)
        self._turns.end_round(now)
        return mended

    def follow_up(self, now: datetime) -> int:
        """Look again at the orders alone whose pending_signals were young the last time; return how many were mended.

        Raises TransientError like `scan`.
        """
        ids, self._young = sorted(self._young), set()
        self._healer.begin(now)
        mended = 0
        for start in range(0, len(ids), _PAGE):
            for order in self._passing_over.read(ids[start : start + _PAGE]).orders:
                with self._passing_over.order(order.id):
                    mended += self._reach(order, now)
        return mended

    def follow_up_in(self) -> float | None:
        """Return in how many seconds to follow up, None when there is nothing to look at again."""
        return _BELL_GRACE.total_seconds() if self._young else None

    def _mend_orders(self, now: datetime) -> int:
        mended = 0
        told, self._told = self._told, {}
        for entries in self._orders.orders.open_pages(_PAGE):
            found = self._passing_over.read([entry.id for entry in entries])
            orders = {order.id: order for order in found.orders}
            for entry in entries:
                order = orders.get(entry.id)
                with self._passing_over.order(entry.id):
                    if order is not None and order.entry_location == entry.entry_location:
                        if entry.id in told:
                            self._told[entry.id] = told[entry.id]
                        if _needs_a_turn(order):
                            self._turns.count()
                        mended += self._refresh(order, entry, order.status, now) or self._reach(order, now)
                    elif entry.id not in found.unreadable:
                        mended += self._drop(entry, now, of_shipments=False)
        return mended

    def _mend_shipments(self, now: datetime) -> int:
        mended = 0
        for entries in self._orders.shipments.open_pages(_PAGE):
            found = self._passing_over.read(list({entry.data["orderId"] for entry in entries}))
            parts = [(order, one) for order in found.orders for one in order.fulfillments or []]
            shipments = {one.id: (order, one.shipment) for order, one in parts if one.shipment}
            for entry in entries:
                order, shipment = shipments.get(entry.id, (None, None))
                with self._passing_over.order(entry.data["orderId"]):
                    if order is not None and shipment is not None and shipment.entry_location == entry.entry_location:
                        mended += self._refresh(order, entry, shipment.status, now)
                    elif entry.data["orderId"] not in found.unreadable:
                        mended += self._drop(entry, now, of_shipments=True)
        return mended

    def _refresh(self, order: Order, entry: Entry, status: str, now: datetime) -> bool:
        """Bring a line up to date that tells an older status than its record: a crash came between the two writes."""
        if entry.data.get("status") == status or order.updated_at > rfc3339(now - _BELL_GRACE):
            return False
        log.warning("a line of a list is behind its record, writing it again", extra={"entryId": entry.id})
        self._orders.update(order.id, lambda unchanged: unchanged)
        return True

    def _reach(self, order: Order, now: datetime) -> bool:
        if is_final(order.status):
            return self._see_off(order, now)
        if not _overdue(order, self._ago(_BELL_GRACE, now), self._ago(_GRACE, now)):
            if order.pending_signals:
                self._watch(order.id)
            return not _waits_for_somebody(order) and self._look_after(order, now)
        if self._revive(order, now):
            return True
        # It was told and has not moved.
        self._watch(order.id)
        return self._heal(order, now)

    def _revive(self, order: Order, now: datetime) -> bool:
        """Tell an order's workflow that there is news, unless that was done a while ago only; tell whether."""
        known = self._told.get(order.id)
        known = known if known and known.rev == order.rev else None
        if known and now < known.until:
            return False
        # In a long round it may have moved on since it was read.
        if [one.rev for one in self._passing_over.read([order.id]).orders] != [order.rev]:
            self._watch(order.id)
            return False
        if not self._tell(self._service.restart, order):
            return False
        log.warning(
            "the workflow should have moved on, revived it", extra={"pending_signals": sorted(order.pending_signals)}
        )
        pause = min(2 * known.pause, _LONGEST_PAUSE) if known else _FIRST_PAUSE
        self._told[order.id] = _Told(order.rev, now + pause, pause)
        self._found_lost = True
        return True

    def _look_after(self, order: Order, now: datetime) -> bool:
        """See that an order moves which waits for nobody."""
        self._watch(order.id)
        if order.updated_at > self._ago(_STANDING, now):
            return False
        if self._heal(order, now):
            return True
        return order.updated_at <= self._ago(_STANDSTILL, now) and self._revive(order, now)

    def _ago(self, grace: timedelta, now: datetime) -> str:
        """Return the moment before which what stands still since then has waited for longer than its turn takes."""
        return rfc3339(now - max(grace, self._turns.wait()))

    def _see_off(self, order: Order, now: datetime) -> bool:
        """See that the workflow of an order that has ended ends too, for one that was looked after until then."""
        if order.updated_at > rfc3339(now - _STANDING):
            self._watch(order.id)
            return False
        return self._heal(order, now)

    def _watch_ended(self) -> None:
        """Look at the newest orders that have ended: where one workflow was stuck, theirs may be too."""
        self._found_lost = False
        newest = self._orders.orders.read(_NEWEST).entries
        for entry in newest:
            if not entry.open:
                self._watch(entry.id)

    def _heal(self, order: Order, now: datetime) -> bool:
        healed = self._tell(lambda order: self._healer.heal(order, now), order)
        self._found_lost |= healed
        return healed

    def _watch(self, order_id: str) -> None:
        """Look at the order again in the follow-up, unless there are too many to look at."""
        if len(self._young) < _MOST_WATCHED:
            self._young.add(order_id)

    def _tell(self, tell: Callable[[Order], bool | None], order: Order) -> bool:
        """Do something about an order's workflow; False when there was nothing to do or it failed.

        A failure may be a fault of this one alone.
        """
        try:
            done = tell(order)
        except EngineUnavailableError:
            raise
        except TransientError as error:
            self._undelivered += 1
            if self._undelivered >= _MOST_UNHEARD:
                self._undelivered = 0
                raise
            log.warning("the workflow does not hear", extra={"cause": str(error)})
            return False
        self._undelivered = 0
        return done is not False

    def _drop(self, entry: Entry, now: datetime, of_shipments: bool) -> bool:
        # The line is written before what it points to, so it may be about to become true: it must be old, and have
        # pointed nowhere the last time too, before everything that a crash had stopped went on.
        if entry.at > rfc3339(now - _ORPHAN_AGE):
            return False
        if entry.id not in self._suspects:
            self._suspects.add(entry.id)
            return False
        self._suspects.discard(entry.id)
        log.warning("a line of a list points nowhere, dropping it", extra={"entryId": entry.id})
        self._orders.drop_line(entry, of_shipments)
        return True


def _overdue(order: Order, late_bell: str, late: str) -> bool:
    """Tell whether the order's workflow has missed something: a signal, a deadline, a decision, the last delivery."""
    if any(since <= late_bell for since in order.pending_signals.values()):
        return True
    if order.deadline is not None and order.ending is None:
        return order.deadline <= late
    all_ended = order.fulfillments is not None and all(is_final(one.status) for one in order.fulfillments)
    return order.updated_at <= late and (order.cancel or order.ending is not None or all_ended)


def _needs_a_turn(order: Order) -> bool:
    return not is_final(order.status) and (order.pending_signals != {} or not _waits_for_somebody(order))


def _waits_for_somebody(order: Order) -> bool:
    """Tell whether it is for a person to act: the customer, the approver, or the courier of every open fulfillment."""
    going_on = [one for one in order.fulfillments or [] if not is_final(one.status)]
    with_courier = [one for one in going_on if one.reason is None and one.shipment and one.shipment.courier_reference]
    answer_wanted = order.deadline is not None and order.ending is None
    return answer_wanted or (going_on != [] and with_courier == going_on)
