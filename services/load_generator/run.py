"""One run of the load generator: sends orders at a fixed rate, and simulates their users until all orders have ended.

A run lives in the memory of this process and ends when the console restarts. Its orders continue without users.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.clock import rfc3339, utc_now
from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.logs import get_logger
from services.load_generator.latency_stats import LatencyWindow
from services.load_generator.order_api import OrderApi
from services.load_generator.paced_sender import PacedSender
from services.load_generator.run_stats import RunStats, StreamOrder
from services.load_generator.scenarios import Scenarios
from services.load_generator.schedule import Schedule
from services.load_generator.settings import StreamSettings
from services.load_generator.simulated_users import SimulatedUsers

log = get_logger(__name__)


@dataclass(frozen=True)
class RunLimits:
    """The limits of a run; durations in seconds.

    At most `senders` new orders and `user_threads` other calls are in flight. A call without an answer is repeated
    after `retry_after`. A scan every `scan_every` reads the orders without a change for `scan_after`. After the last
    order was due, the run ends when no order has ended for `settle_timeout`, and at the latest after `max_settling`.
    """

    senders: int = 16
    user_threads: int = 8
    retry_after: float = 1.0
    scan_every: float = 3.0
    scan_after: float = 5.0
    settle_timeout: float = 300.0
    max_settling: float = 1800.0
    check_every: float = 0.25


class Run:
    """A run, from its start to its end."""

    def __init__(
        self, name: str, settings: StreamSettings, scenarios: Scenarios, api: OrderApi, limits: RunLimits
    ) -> None:
        self.name, self.settings, self.post_latency, self.stats = name, settings, LatencyWindow(), RunStats()
        self._scenarios, self._api, self._limits = scenarios, api, limits
        self._scenarios_guard = threading.Lock()
        self._schedule = Schedule(limits.user_threads)
        self._users = SimulatedUsers(settings, api, self.stats, self._schedule, limits.retry_after)
        self._started_at = rfc3339(utc_now())
        self._over = threading.Event()
        self._sender = PacedSender(self._send, settings.orders, settings.rate, limits.senders)

    def start(self) -> None:
        """Start in the background."""
        self._sender.start()
        threading.Thread(target=self._supervise, name="run-supervisor", daemon=True).start()

    def stop(self) -> None:
        """Send no more orders, and wait in the background until the sent ones have ended."""
        self._sender.stop()

    def end(self) -> None:
        """End at once; the open orders stay as they are."""
        self._over.set()
        self._sender.stop()
        self._schedule.stop(wait=False)

    @property
    def max_duration(self) -> int:
        """The longest time from start to end, in seconds."""
        return int(self.settings.duration + self._limits.max_settling) + 1

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._over.is_set()

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Handle an event of the feed."""
        if not self.over:
            self._users.on_event(dict(event))

    def summary(self) -> dict[str, Any]:
        """Return the state and the counts of the run."""
        totals = self.stats.totals()
        state = "over" if self.over else "sending" if self._sender.active else "settling"
        return {
            "name": self.name,
            "state": state,
            "stopped": self._sender.stopped,
            "startedAt": self._started_at,
            "planned": self.settings.orders,
            "sent": totals.sent,
            "accepted": totals.accepted,
            "open": totals.open,
            "refused": {str(status): count for status, count in totals.refused.items()},
            "rate": round(self._sender.actual_rate(totals.sent), 1),
            "late": round(self._sender.lateness, 1) if state == "sending" else 0.0,
            **totals.ended,
        }

    def _send(self, number: int) -> None:
        """Send an order until it is answered: the same id is the same order."""
        with self._scenarios_guard:
            lines, behavior, customer_id = (
                self._scenarios.basket(),
                self._scenarios.behavior(),
                self._scenarios.customer_id(),
            )
        order = StreamOrder(f"s-{self.name}-{number + 1}", customer_id, lines, behavior)
        self.stats.sending(order)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self._api.place(order.id, order.customer_id, order.lines)
            except TransientError:
                self._over.wait(self._limits.retry_after)
                continue
            except RefusedError as error:
                self.stats.refused(order.id, error.status)
                return
            self.post_latency.add(time.monotonic() - began)
            self.stats.accepted()
            self._users.on_accepted(order)
            return

    def _supervise(self) -> None:
        """Scan for orders that wait, until the run is finished."""
        scanned_at = time.monotonic()
        while not self._is_finished():
            self._over.wait(self._limits.check_every)
            if time.monotonic() - scanned_at >= self._limits.scan_every:
                self._scan()
                scanned_at = time.monotonic()
        self.end()
        log.info("a load generator run has ended", extra={"run": self.name})

    def _is_finished(self) -> bool:
        last_due = self._sender.started_at + self.settings.duration
        sent_by = min(last_due, self._sender.stopped_at or last_due)
        settling = time.monotonic() - sent_by
        idle = min(settling, self.stats.since_last_end())
        if self.over or settling > self._limits.max_settling or idle > self._limits.settle_timeout:
            return True
        return not self._sender.active and not self.stats.totals().open

    def _scan(self) -> None:
        try:
            self._users.scan(self.stats.waiting(self._limits.scan_after))
        except (TransientError, RefusedError) as error:
            log.info("could not scan the open orders of a run", extra={"cause": str(error)})
        except Exception:
            log.exception("could not scan the open orders of a run")
