"""The load generator: at most one run at a time, and the operator's metrics."""

import secrets
import threading
from random import Random

from services.common.json_models import Json
from services.common.logs import get_logger
from services.common.web.problems import conflict, unavailable
from services.load_generator.run import Run, RunLimits
from services.load_generator.scenarios import Scenarios
from services.load_generator.settings import StreamSettings
from services.load_generator.stock_groups import APPROVAL_THRESHOLD
from services.web.clients.backend import Backend
from services.web.live.hub import Hub
from services.web.live.metrics import Metrics

log = get_logger(__name__)


class LoadGenerator:
    """The run and the metrics of this process; both are lost when it ends.

    Orders of `approval_threshold` or more, in cents, need approval.
    """

    def __init__(
        self, backend: Backend, hub: Hub, limits: RunLimits | None = None, approval_threshold: int = APPROVAL_THRESHOLD
    ) -> None:
        self.approval_threshold = approval_threshold
        self._backend, self._limits = backend, limits or RunLimits()
        self._starting = threading.Lock()
        self._run: Run | None = None
        self._stopping = threading.Event()
        self.metrics = Metrics(backend, lambda: self._run, hub)

    @property
    def run(self) -> Run | None:
        """The current run, or the last one."""
        return self._run

    @property
    def shutting_down(self) -> bool:
        """Whether the process is shutting down, and its run with it."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Measure in the background."""
        self.metrics.start(self._stopping)

    def start_run(self, settings: StreamSettings) -> Run:
        """Start a run.

        Raises the problem 409 while another one is active, the problem 503 when nothing is in stock, and
        TransientError.
        """
        items = self._backend.items()
        scenarios = Scenarios(settings, items, Random(), self.approval_threshold)  # noqa: S311 - not a secret
        if scenarios.empty:
            raise unavailable("no item is in stock, so nothing can be ordered")
        with self._starting:
            if self._run is not None and not self._run.over:
                raise conflict("streamRuns", "a stream is already running; wait until it has ended, or end it")
            self._run = Run(secrets.token_hex(3), settings, scenarios, self._backend, self._limits)
            self._run.start()
            return self._run

    def stop_run(self) -> None:
        """Send no more orders; does nothing without a run."""
        if self._run is not None:
            self._run.stop()

    def end_run(self) -> None:
        """End the run at once and leave its orders as they are; does nothing without a run."""
        if self._run is not None:
            self._run.end()

    def on_event(self, event: Json) -> None:
        """Handle an event of the feed; an invalid one is logged and skipped."""
        try:
            self.metrics.on_event(event)
            if self._run is not None:
                self._run.on_event(event)
        except Exception:
            log.exception("could not handle an event")

    def shut_down(self) -> None:
        """Stop measuring and end the run."""
        self._stopping.set()
        self.end_run()
