"""One run of the stream: sends orders by a fixed schedule, and has the robots look after them until all are final.

All of it lives in this process's memory: a restart of the console ends the run. Its orders go on, without robots.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.common.clock import rfc3339, utc_now
from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.logs import get_logger
from services.load_generator.latency_stats import Window
from services.load_generator.run_stats import Books, StreamOrder
from services.load_generator.scenarios import Mix
from services.load_generator.schedule import Agenda
from services.load_generator.settings import StreamSettings
from services.load_generator.simulated_users import People
from services.web.clients.backend import Backend

log = get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """What bounds a run; durations in seconds.

    At most `senders` posts and `robots` other calls are under way at once. A call without an answer is repeated after
    `again`; orders that did not move for `patience` are looked at every `look`. After the last order was
    due the run ends, whatever is still open, when no order has ended for `settle`, or `longest` is over.
    """

    senders: int = 16
    robots: int = 8
    again: float = 1.0
    look: float = 3.0
    patience: float = 5.0
    settle: float = 300.0
    longest: float = 1800.0
    tick: float = 0.25


@dataclass
class _Schedule:
    """Which order is due when, and when the last one was sent; guarded by `guard`."""

    began: float = field(default_factory=time.monotonic)
    guard: threading.Lock = field(default_factory=threading.Lock)
    next: int = 0
    late: float = 0.0
    sent: float = field(default_factory=time.monotonic)

    def rate(self, orders: int, overdue: float) -> float:
        """Return how many orders a second were sent since the first one; an order that is overdue counts as a gap."""
        return max(orders - 1, 0) / max(self.sent + overdue - self.began, 0.001)


class Run:
    """A run of the stream, from its start to its end."""

    def __init__(self, name: str, settings: StreamSettings, mix: Mix, backend: Backend, pace: Pace) -> None:
        self.name, self.settings, self.posts = name, settings, Window()
        self._mix, self._backend, self._pace = mix, backend, pace
        self.books = Books()
        self._agenda = Agenda(pace.robots)
        self._people = People(settings, backend, self.books, self._agenda, pace.again)
        self._began = rfc3339(utc_now())
        self._schedule = _Schedule()
        self._stopped: float | None = None
        self._no_more = threading.Event()
        self._over = threading.Event()
        self._senders = [
            threading.Thread(target=self._send_orders, name="stream", daemon=True) for _ in range(pace.senders)
        ]

    def start(self) -> None:
        """Begin, in the background."""
        for sender in self._senders:
            sender.start()
        threading.Thread(target=self._look_after, name="stream-keeper", daemon=True).start()

    def stop(self) -> None:
        """Send no more orders; those that were sent run out."""
        if not self._no_more.is_set():
            self._stopped = time.monotonic()
            self._no_more.set()

    def end(self) -> None:
        """End at once; the orders stay as they are."""
        self._no_more.set()
        self._over.set()
        self._agenda.end()

    @property
    def longest(self) -> int:
        """For how many seconds it may take from its start, at most."""
        return int(self.settings.duration + self._pace.longest) + 1

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._over.is_set()

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take an event of the feed."""
        if not self.over:
            self._people.heard(dict(event))

    def summary(self) -> dict[str, Any]:
        """Return how the run stands."""
        totals = self.books.totals()
        state = "over" if self.over else "sending" if self._sends() else "settling"
        overdue = self._overdue()
        return {
            "name": self.name,
            "state": state,
            "stopped": self._no_more.is_set(),
            "startedAt": self._began,
            "asked": self.settings.orders,
            "sent": totals.sent,
            "accepted": totals.accepted,
            "open": totals.open,
            "refused": {str(status): count for status, count in totals.refused.items()},
            "rate": round(self._schedule.rate(totals.sent, overdue), 1),
            "late": round(max(self._schedule.late, overdue), 1) if state == "sending" else 0.0,
            **totals.ended,
        }

    def _sends(self) -> bool:
        return any(sender.is_alive() for sender in self._senders)

    def _overdue(self) -> float:
        """Return for how many seconds the next order has been due, which waits because all senders are busy."""
        number = self._schedule.next
        if number >= self.settings.orders or self._no_more.is_set():
            return 0.0
        return max(time.monotonic() - self._due(number), 0.0)

    def _due(self, number: int) -> float:
        return self._schedule.began + number / self.settings.rate

    def _send_orders(self) -> None:
        """Send one order after the other, each when it is due, or late when all senders were busy then."""
        try:
            while (order := self._next()) is not None:
                self._send(order)
        except Exception:
            log.exception("a sender of the stream ended early")

    def _next(self) -> StreamOrder | None:
        """Wait for the next order; None when there are no more."""
        schedule = self._schedule
        with schedule.guard:
            number = schedule.next
            if number >= self.settings.orders or self._no_more.is_set():
                return None
            schedule.next += 1
        due = self._due(number)
        if self._no_more.wait(max(due - time.monotonic(), 0.0)):
            return None
        with schedule.guard:
            schedule.sent = time.monotonic()
            schedule.late = schedule.sent - due
            lines, person, customer = self._mix.basket(), self._mix.person(), self._mix.customer()
        return StreamOrder(f"s-{self.name}-{number + 1}", customer, lines, person)

    def _send(self, order: StreamOrder) -> None:
        """Send an order, again and again until it is answered: the same id is the same order."""
        self.books.begin(order)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self._backend.place(order.id, order.customer, order.lines)
            except TransientError:
                self._over.wait(self._pace.again)
                continue
            except RefusedError as error:
                self.books.refuse(order.id, error.status)
                return
            self.posts.add(time.monotonic() - began)
            self.books.accept()
            self._people.accepted(order)
            return

    def _look_after(self) -> None:
        """Look at what stands still, until everything has ended or the time is over."""
        looked = time.monotonic()
        while not self._is_finished():
            self._over.wait(self._pace.tick)
            if time.monotonic() - looked >= self._pace.look:
                self._look()
                looked = time.monotonic()
        self.end()
        log.info("a stream is over", extra={"run": self.name})

    def _is_finished(self) -> bool:
        planned = self._schedule.began + self.settings.duration
        sent_by = planned if self._stopped is None else min(planned, self._stopped)
        late = time.monotonic() - sent_by
        if self.over or late > self._pace.longest or min(late, self.books.quiet()) > self._pace.settle:
            return True
        return not self._sends() and not self.books.totals().open

    def _look(self) -> None:
        try:
            self._people.look_after(self.books.standing(self._pace.patience))
        except (TransientError, RefusedError) as error:
            log.info("the orders of the stream could not be looked at", extra={"cause": str(error)})
        except Exception:
            log.exception("the orders of the stream could not be looked at")
