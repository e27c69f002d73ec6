"""What the operator has in hand: the stream, at most one at a time, and the figures."""

import secrets
import threading
from random import Random

from services.common.json_models import Json
from services.common.logs import get_logger
from services.common.web.problems import conflict, unavailable
from services.load_generator.metrics import Figures
from services.load_generator.run import Pace, Run
from services.load_generator.scenarios import Mix
from services.load_generator.settings import StreamSettings
from services.web.clients.backend import Backend
from services.web.live.hub import Hub
from services.web.views.shopping import DEAR

log = get_logger(__name__)


class Operations:
    """The stream and the figures of this process; they are lost with it.

    `dear` is the worth in cents from which on an order is approved by a person.
    """

    def __init__(self, backend: Backend, hub: Hub, pace: Pace | None = None, dear: int = DEAR) -> None:
        self.dear = dear
        self._backend, self._pace = backend, pace or Pace()
        self._starting = threading.Lock()
        self._run: Run | None = None
        self._stopping = threading.Event()
        self.figures = Figures(backend, lambda: self._run, hub)

    @property
    def run(self) -> Run | None:
        """The run that is under way, or was last."""
        return self._run

    @property
    def ending(self) -> bool:
        """Whether the process ends, and a run that is under way with it."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin to measure, in the background, while somebody looks or a stream runs."""
        self.figures.start(self._stopping)

    def begin(self, settings: StreamSettings) -> Run:
        """Start a stream. Raises the problems 409 when one runs and 503 without goods, and TransientError."""
        items = self._backend.items()
        mix = Mix(settings, items, Random(), self.dear)  # noqa: S311 - what robots order is no secret
        if mix.empty:
            raise unavailable("no goods are on the shelves, so nothing can be ordered")
        with self._starting:
            if self._run is not None and not self._run.over:
                raise conflict("streamRuns", "a stream runs already; stop it and let it run out, or wait for its end")
            self._run = Run(secrets.token_hex(3), settings, mix, self._backend, self._pace)
            self._run.start()
            return self._run

    def stop(self) -> None:
        """Have the stream send no more orders; without one nothing happens."""
        if self._run is not None:
            self._run.stop()

    def end_run(self) -> None:
        """End the stream at once; its orders stay as they are. Without one nothing happens."""
        if self._run is not None:
            self._run.end()

    def heard(self, event: Json) -> None:
        """Take an event of the feed; one that makes no sense here changes nothing, and the next one is taken."""
        try:
            self.figures.heard(event)
            if self._run is not None:
                self._run.heard(event)
        except Exception:
            log.exception("an event was not understood")

    def end(self) -> None:
        """End everything, as the process does."""
        self._stopping.set()
        self.end_run()
