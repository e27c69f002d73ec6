"""Archives the histories of ended orders before the engine purges them.

Every order that ends is entered in the index of ended orders, before its entry in the index of orders is closed. So a
crash in between leaves an open order, which the reconciler repairs, and never an ended order that is not entered. The
entry is closed once the histories are archived.

An order may also end while its workflow does not, because the engine lost the last of its steps. Such a workflow has no
open order that makes the reconciler look at it, so the archiver recovers it.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from services.common.dapr.sidecar import TransientError
from services.common.logs import about_order, get_logger
from services.common.records import Entry
from services.orderprocessing.adapters.history_archive import HistoryArchive, HistorySource
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.application.order_service import OrderService
from services.orderprocessing.engine.dispatcher import EngineUnavailableError

log = get_logger(__name__)

_PAGE = 50
_MAX_FAILURES = 3
"""In a row; after that the engine is assumed to be unavailable."""


class HistoryArchiver:
    """Archives the histories of orders whose workflows have all ended, and recovers stuck workflows of ended orders."""

    def __init__(
        self, orders: OrderRepository, service: OrderService, source: HistorySource, archive: HistoryArchive
    ) -> None:
        self._orders, self._service, self._source, self._archive = orders, service, source, archive
        self._unanswered: set[str] = set()
        self._failures = 0

    def scan(self) -> int:
        """Archive what has ended since the last scan; return the number of orders.

        Orders for which the engine gave no answer come last, so that they do not hold up the others.
        Raises TransientError while the store or the engine does not answer.
        """
        archived, last = 0, []
        for entries in self._orders.ended.open_pages(_PAGE):
            for entry in entries:
                if entry.id in self._unanswered:
                    last.append(entry)
                else:
                    archived += self._archive_order(entry)
        self._unanswered.intersection_update(entry.id for entry in last)
        return archived + sum(self._archive_order(entry) for entry in last)

    def _archive_order(self, entry: Entry) -> bool:
        """Archive the histories of an order; return False if that is not possible now."""
        with about_order(entry.id):
            try:
                archived = self._try_to_archive(entry)
            except EngineUnavailableError as error:
                # The engine may fail to read the histories of this order alone.
                self._unanswered.add(entry.id)
                self._failures += 1
                if self._failures >= _MAX_FAILURES:
                    self._failures = 0
                    raise
                log.info("could not archive the history of an order yet", extra={"cause": str(error)})
                return False
            except Exception:
                log.exception("archiving the history of an order failed")
                return False
            self._unanswered.discard(entry.id)
            self._failures = 0
            return archived

    def _try_to_archive(self, entry: Entry) -> bool:
        try:
            histories = self._source.events(self._service.instances(entry.id))
            if not all(_has_ended(events) for _, events in histories):
                self._service.recover(self._service.order(entry.id))
                return False
            if not histories:
                log.warning("an order has ended without a workflow history")
            for instance, events in histories:
                self._archive.store(instance, events)
            self._orders.close_ended(entry)
        except EngineUnavailableError:
            raise
        except (TransientError, LookupError) as error:
            # It concerns this order, for example a record that cannot be decrypted now.
            log.info("could not archive the history of an order yet", extra={"cause": str(error)})
            return False
        return True


def _has_ended(events: Sequence[Any]) -> bool:
    return any(event.HasField("executionCompleted") for event in events)


def run_in_background(
    archiver: HistoryArchiver, interval: float, stop: threading.Event, leads: Callable[[], bool] = lambda: True
) -> threading.Thread:
    """Scan every `interval` seconds until `stop` is set, while this process `leads` the others."""

    def loop() -> None:
        while not stop.wait(interval):
            try:
                if leads():
                    archiver.scan()
            except TransientError as error:
                log.info("the history archiver will retry", extra={"cause": str(error)})
            except Exception:
                log.exception("could not archive workflow histories")

    thread = threading.Thread(target=loop, name="history-archiver", daemon=True)
    thread.start()
    return thread
