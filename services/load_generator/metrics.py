"""The figures of the last ten minutes, one point each second, while somebody looks or a stream runs."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from services.common.dapr.sidecar import RefusedError, TransientError
from services.common.json_models import Json
from services.common.logs import get_logger
from services.load_generator.latency_stats import Latencies, Spread, order_status
from services.load_generator.run import Run
from services.load_generator.run_stats import FINAL, Totals
from services.web.clients.backend import Backend
from services.web.live.hub import FIGURES, Hub

log = get_logger(__name__)

_PERIOD = 1.0
_KEPT = 600
_FRESH = 3.0
"""Seconds: when the services did not answer so long after they were to be asked again, nothing is known any more."""
_LONGEST_PAUSE = 10.0
_NO_PROCESS = "ERR_DIRECT_INVOKE"
"""What Dapr answers for a service whose process cannot be reached."""
_PROCESSES = 3
"""More than there are replicas, which are asked in turn."""
_KINDS = ("orders", "charge", "shipments")
_COUNTED = ("received", *FINAL)
_NOTHING_YET = Totals(0, 0, 0, {}, {})


class Figures:
    """Measures once a second, keeps what it measured, and tells every page that wants it.

    What is not known is None: counts while the feed is not heard, backlogs and workers while nobody answers.
    """

    def __init__(
        self, backend: Backend, run: Callable[[], Run | None], hub: Hub, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend, self._run, self._hub, self._clock = backend, run, hub, clock
        self._latencies = Latencies()
        self._guard = threading.Lock()
        self._points: deque[Json] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._asked: tuple[float, Json] = (0.0, {})
        """Until when the answer holds, and the answer."""
        self._sampled = clock()
        self._counted: tuple[str | None, Totals] = (None, _NOTHING_YET)

    def start(self, stopping: threading.Event) -> None:
        """Begin, in the background, until told to stop."""
        for work in (self._keep_sampling, self._keep_asking):
            threading.Thread(target=work, args=(stopping,), name="figures", daemon=True).start()

    def heard(self, event: Json) -> None:
        """Take an event of the feed."""
        status = order_status(event)
        if status is None:
            return
        if status in _COUNTED:
            with self._guard:
                self._counts[status] += 1
        self._latencies.heard(str(event["orderId"]), status, str(event["time"]))

    def history(self) -> list[Json]:
        """Return the points of the last ten minutes, oldest first."""
        with self._guard:
            return list(self._points)

    def sample(self) -> Json:
        """Measure and keep a point, and return it; counts are per second since the last one."""
        now = self._clock()
        with self._guard:
            counts, self._counts = self._counts, Counter()
        elapsed, self._sampled = max(now - self._sampled, 0.001), now
        holds_until, asked = self._asked
        hearing = self._hub.hearing
        point = {
            "at": int(time.time() * 1000),
            **{status: round(counts[status] / elapsed, 2) if hearing else None for status in _COUNTED},
            **self._of_run(elapsed),
            **(asked if now < holds_until else {}),
            "latency": {status: _rounded(spread) for status, spread in self._latencies.spreads().items()},
        }
        with self._guard:
            self._points.append(point)
        return point

    def ask(self) -> float:
        """Ask the other services for backlogs and workers, and return for how many seconds not to ask again.

        An answer that does not come is known as such.
        """
        began = self._clock()
        answer: Json = {}
        try:
            found = {kind: self._backend.figures(kind) for kind in _KINDS}
        except (TransientError, RefusedError) as error:
            log.debug("the figures are not known", extra={"cause": str(error)})
            answer = {"workers": 0} if self._nobody_works(error) else {}
        else:
            backlog = {kind: one.get("backlog") for kind, one in found.items()}
            answer = {"backlog": backlog, "workers": found["orders"].get("workerCount")}
        now = self._clock()
        # Asking must not become a load of its own: the longer an answer takes, the longer the pause.
        pause = min(max(_PERIOD, 5 * (now - began)), _LONGEST_PAUSE)
        self._asked = (now + pause + max(_FRESH, 2 * (now - began)), answer)
        return pause

    def _nobody_works(self, error: Exception) -> bool:
        """Tell whether it is known that no worker is connected: wherever the sidecars look, there is no process."""
        for _ in range(_PROCESSES):
            if not isinstance(error, TransientError) or error.body.get("errorCode") != _NO_PROCESS:
                return False
            try:
                self._backend.figures(_KINDS[0])
            except (TransientError, RefusedError) as another:
                error = another
            else:
                return False
        return True

    def _of_run(self, elapsed: float) -> Json:
        run = self._run()
        if run is None:
            return {}
        totals = run.books.totals()
        name, before = self._counted
        if name != run.name:
            before = _NOTHING_YET
        self._counted = (run.name, totals)
        if run.over and totals == before:
            return {}
        spread = run.posts.spread()
        return {
            "sent": round((totals.sent - before.sent) / elapsed, 2),
            "accepted": round((totals.accepted - before.accepted) / elapsed, 2),
            "refused": round((totals.turned_down - before.turned_down) / elapsed, 2),
            "posts": _rounded(spread) if spread else None,
        }

    def _wanted(self) -> bool:
        run = self._run()
        return self._hub.watched or (run is not None and not run.over)

    def _keep_sampling(self, stopping: threading.Event) -> None:
        due = time.monotonic()
        while not stopping.is_set():
            try:
                if self._wanted():
                    run = self._run()
                    self._hub.tell(FIGURES, self.sample() | {"run": run.summary() if run else None})
                else:
                    self._forget()
            except Exception:
                log.exception("a second could not be measured")
            due = max(due + _PERIOD, time.monotonic() - _PERIOD)
            stopping.wait(max(due - time.monotonic(), 0.0))

    def _keep_asking(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            pause = _PERIOD
            try:
                if self._wanted():
                    pause = self.ask()
            except Exception:
                log.exception("the figures could not be asked for")
            stopping.wait(pause)

    def _forget(self) -> None:
        """Begin counting anew: what happened while nobody looked did not happen in the next second."""
        with self._guard:
            self._counts.clear()
        self._sampled = self._clock()


def _rounded(spread: Spread) -> list[float]:
    return [round(value, 3) for value in spread]
