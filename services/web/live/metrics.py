"""The operator's live metrics: one point a second, kept for ten minutes, while a page shows them or a run is active."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json
from services.common.logs import get_logger
from services.load_generator.latency_stats import Percentiles, StatusLatencies, order_status
from services.load_generator.run import Run
from services.load_generator.run_stats import FINAL, Totals
from services.web.clients.backend import Backend
from services.web.live.hub import METRICS, Hub

log = get_logger(__name__)

_PERIOD = 1.0
_MAX_POINTS = 600
_STALE_AFTER = 3.0
"""Seconds after a poll was due until the last answer no longer counts."""
_MAX_PAUSE = 10.0
_KINDS = ("orders", "charge", "shipments")
_COUNTED = ("received", *FINAL)
_IN_STATE = ("name", "since", "status")
_NO_TOTALS = Totals(0, 0, 0, {}, {})


class Metrics:
    """Measures once a second, keeps the points, and publishes them to the pages that show them.

    An unknown value is None: the counts while the event feed is disconnected, backlogs and workers while the API of
    orderprocessing does not answer. Its workers are other processes, which may run all the same.
    """

    def __init__(
        self, backend: Backend, run: Callable[[], Run | None], hub: Hub, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend, self._run, self._hub, self._clock = backend, run, hub, clock
        self._latencies = StatusLatencies()
        self._guard = threading.Lock()
        self._points: deque[Json] = deque(maxlen=_MAX_POINTS)
        self._counts: Counter[str] = Counter()
        self._polled: tuple[float, Json] = (0.0, {})
        """When the last answer expires, and the answer."""
        self._sampled_at = clock()
        self._last_totals: tuple[str | None, Totals] = (None, _NO_TOTALS)
        self.workers: list[Json] | None = None
        """The workers at the last poll, None if unknown."""

    def start(self, stopping: threading.Event) -> None:
        """Measure in the background until `stopping` is set."""
        for work in (self._keep_sampling, self._keep_polling):
            threading.Thread(target=work, args=(stopping,), name="metrics", daemon=True).start()

    def on_event(self, event: Json) -> None:
        """Handle an event of the feed."""
        status = order_status(event)
        if status is None:
            return
        if status in _COUNTED:
            with self._guard:
                self._counts[status] += 1
        self._latencies.on_event(str(event["orderId"]), status, str(event["time"]))

    def history(self) -> list[Json]:
        """Return the points of the last ten minutes, oldest first."""
        with self._guard:
            return list(self._points)

    def sample(self) -> Json:
        """Add a point and return it. Counts are per second since the last point."""
        now = self._clock()
        with self._guard:
            counts, self._counts = self._counts, Counter()
        elapsed, self._sampled_at = max(now - self._sampled_at, 0.001), now
        expires, polled = self._polled
        connected = self._hub.connected
        point = {
            "at": int(time.time() * 1000),
            **{status: round(counts[status] / elapsed, 2) if connected else None for status in _COUNTED},
            **self._run_metrics(elapsed),
            **(polled if now < expires else {}),
            "latency": {status: _rounded(values) for status, values in self._latencies.percentiles().items()},
        }
        with self._guard:
            self._points.append(point)
        return point

    def poll(self) -> float:
        """Read backlogs and workers from the services; return after how many seconds to poll again."""
        began = self._clock()
        answer: Json = {}
        try:
            stats = {kind: self._backend.stats(kind) for kind in _KINDS}
        except (TransientError, RefusedError) as error:
            log.debug("could not read the backlogs", extra={"cause": str(error)})
        else:
            backlog = {kind: values.get("backlog") for kind, values in stats.items()}
            answer = {"backlog": backlog, "workers": stats["orders"].get("workerCount")}
        self.workers = self._read_workers()
        now = self._clock()
        # Polling must not become a load of its own: the longer an answer takes, the longer the pause.
        pause = min(max(_PERIOD, 5 * (now - began)), _MAX_PAUSE)
        self._polled = (now + pause + max(_STALE_AFTER, 2 * (now - began)), answer)
        return pause

    def live_state(self) -> Json:
        """Return what a page shows beside the points: the run, and the state of each worker, None if unknown."""
        run, workers = self._run(), self.workers
        states = None if workers is None else [[worker[name] for name in _IN_STATE] for worker in workers]
        return {"run": run.summary() if run else None, "workerStates": states}

    def _read_workers(self) -> list[Json] | None:
        try:
            return self._backend.workers()
        except (TransientError, RefusedError) as error:
            log.debug("could not read the workers", extra={"cause": str(error)})
            return None

    def _run_metrics(self, elapsed: float) -> Json:
        run = self._run()
        if run is None:
            return {}
        totals = run.stats.totals()
        name, before = self._last_totals
        if name != run.name:
            before = _NO_TOTALS
        self._last_totals = (run.name, totals)
        if run.over and totals == before:
            return {}
        percentiles = run.post_latency.percentiles()
        return {
            "sent": round((totals.sent - before.sent) / elapsed, 2),
            "accepted": round((totals.accepted - before.accepted) / elapsed, 2),
            "refused": round((totals.refused_count - before.refused_count) / elapsed, 2),
            "posts": _rounded(percentiles) if percentiles else None,
        }

    def _wanted(self) -> bool:
        run = self._run()
        return self._hub.metrics_wanted or (run is not None and not run.over)

    def _keep_sampling(self, stopping: threading.Event) -> None:
        due = time.monotonic()
        while not stopping.is_set():
            try:
                if self._wanted():
                    self._hub.publish(METRICS, self.sample() | self.live_state())
                else:
                    self._reset()
            except Exception:
                log.exception("could not sample the metrics")
            due = max(due + _PERIOD, time.monotonic() - _PERIOD)
            stopping.wait(max(due - time.monotonic(), 0.0))

    def _keep_polling(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            pause = _PERIOD
            try:
                if self._wanted():
                    pause = self.poll()
            except Exception:
                log.exception("could not poll the services")
            stopping.wait(pause)

    def _reset(self) -> None:
        """Start the counts again, so that the next point does not include the time without points."""
        self.workers = None
        with self._guard:
            self._counts.clear()
        self._sampled_at = self._clock()


def _rounded(percentiles: Percentiles) -> list[float]:
    return [round(value, 3) for value in percentiles]
